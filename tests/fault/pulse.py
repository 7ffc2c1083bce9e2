"""Healthy devices that go on talking while something else happens to the server."""

import selectors
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from tests.wire.raw_client import RawClient, RawDevice
from tests.wire.server_process import ServerProcess
from wxserve.protocol import frames as f
from wxserve.protocol.connection import Received
from wxserve.protocol.envelope import decode_envelope, encode_envelope, message
from wxserve.protocol.identifiers import op_id

STAMP: Final = struct.Struct(">d")
CREDIT_AT: Final = 200
STEP_S: Final = 0.005


class Pair:
    """A sender, a reader, and their conversation.

    Attributes:
        delays_s: from sending to delivery, of each message that came since this was last emptied.
        sent: messages sent.
        seqs: of the messages delivered, in the order of their coming.
    """

    def __init__(self, server: ServerProcess, sender: RawDevice, reader: RawDevice) -> None:
        self.sender, self.reader = sender, reader
        one, two = server.invites(2)
        self.sending, self.reading = sender.enrol(one.code), reader.enrol(two.code)
        self.talk = sender.create_direct(self.sending, reader.account)
        self.reading.send(f.Sync(0, 100), 1)
        self.reading.wait_for(f.Synced)
        self.delays_s: list[float] = []
        self.sent = 0
        self.accepted = 0
        self.seqs: list[int] = []

    def close(self) -> None:
        """Hang up."""
        self.sending.close()
        self.reading.close()

    def send(self, filling: bytes = b"") -> None:
        """Send one message that carries its time."""
        sender = self.sender
        sender.counter += 1
        self.sent += 1
        op = op_id(sender.device, sender.counter)
        body = STAMP.pack(time.perf_counter()) + filling
        self.sending.send(f.Send(encode_envelope(message(self.talk, op, body))), self.stream)

    @property
    def stream(self) -> int:
        """The stream of the newest operation."""
        return self.sender.counter % 60_000 + 1

    def take_answers(self) -> None:
        """Read acceptances; they come in order, so that the newest says what is done."""
        before = self.accepted
        for event in events(self.sending):
            assert not isinstance(event.frame, f.Error), event.frame
            self.accepted += isinstance(event.frame, f.Accepted)
        if self.accepted > before:
            done_below = self.sender.counter - (self.sent - self.accepted) + 1
            self.sending.send(f.Ack((), done_below))

    def take_messages(self) -> None:
        """Read deliveries, acknowledge them, and grant their credit again."""
        before = len(self.seqs)
        size = 0
        for event in events(self.reading):
            frame = event.frame
            assert not isinstance(frame, f.Error), frame
            if isinstance(frame, f.Deliver) and frame.conversation == self.talk:
                size += len(frame.envelope) + 200
                sent_s = STAMP.unpack_from(decode_envelope(frame.envelope).body)[0]
                self.delays_s.append(time.perf_counter() - sent_s)
                self.seqs.append(frame.seq)
        if len(self.seqs) > before:
            self.reading.send(f.Ack(((self.talk, self.seqs[-1]),), 0))
            self.reading.send(f.Credit(size, len(self.seqs) - before))


class Pulse:
    """Several pairs, each with so many messages a second."""

    def __init__(self, server: ServerProcess, pairs: int, rate: float) -> None:
        self._rate = rate
        self.pairs = [
            Pair(server, RawDevice(server.host, server.port), RawDevice(server.host, server.port))
            for _ in range(pairs)
        ]
        self._selector = selectors.DefaultSelector()
        for pair in self.pairs:
            self._selector.register(pair.sending.sock, selectors.EVENT_READ, pair.take_answers)
            self._selector.register(pair.reading.sock, selectors.EVENT_READ, pair.take_messages)

    def beat(self, go_on: Callable[[], bool]) -> list[float]:
        """Talk while ``go_on`` says so, then until all has arrived; return the delays, sorted."""
        next_s = {pair: time.perf_counter() for pair in self.pairs}
        while go_on():
            now = time.perf_counter()
            for pair in self.pairs:
                if next_s[pair] <= now:
                    pair.send()
                    next_s[pair] = max(next_s[pair] + 1 / self._rate, now - 1)
            self._read()
        end = time.perf_counter() + 60
        while any(len(pair.seqs) < pair.sent for pair in self.pairs):
            self._read()
            assert time.perf_counter() < end, "messages of healthy devices are missing"
        delays = sorted(delay for pair in self.pairs for delay in pair.delays_s)
        for pair in self.pairs:
            pair.delays_s.clear()
            assert pair.seqs == list(range(pair.seqs[0], pair.seqs[0] + len(pair.seqs)))
        return delays

    def _read(self) -> None:
        for key, _ in self._selector.select(STEP_S):
            key.data()

    def close(self) -> None:
        """Hang up."""
        for pair in self.pairs:
            pair.close()
        self._selector.close()


class Newcomers:
    """A device that logs in once a second, from a thread of its own, and hangs up again.

    Attributes:
        took_s: how long each log-in took, from connecting to WELCOME.
        failed: what became of those that came to nothing.
    """

    def __init__(self, server: ServerProcess) -> None:
        self._device = RawDevice(server.host, server.port)
        (invite,) = server.invites(1)
        self._device.enrol(invite.code).close()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._come)
        self.took_s: list[float] = []
        self.failed: list[str] = []

    def _come(self) -> None:
        while not self._over.wait(1.0):
            begin = time.perf_counter()
            try:
                self._device.log_in().close()
            except (AssertionError, OSError) as error:
                self.failed.append(f"{time.perf_counter() - begin:.1f} s: {error!r}")
            else:
                self.took_s.append(time.perf_counter() - begin)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def events(client: RawClient) -> list[Received]:
    """Return the frames that are there, without waiting for more."""
    client.sock.settimeout(0)
    found = []
    try:
        while data := client.sock.recv(65_536):
            client.connection.receive_data(data)
            while (event := client.connection.next_event()) is not None:
                found.append(event)
    except BlockingIOError:
        pass
    except OSError as error:
        if type(error).__name__ != "SSLWantReadError":
            raise
    client.sock.settimeout(20)
    return found


def for_seconds(time_s: float) -> Callable[[], bool]:
    """Return a condition that holds for a time."""
    end = time.perf_counter() + time_s
    return lambda: time.perf_counter() < end


def p99_ms(delays_s: list[float]) -> float:
    """Return the 99th percentile of sorted delays, in milliseconds."""
    return delays_s[min(len(delays_s) - 1, len(delays_s) * 99 // 100)] * 1000


class Waited:
    """For how long a server's event loop was ready to run and had no processor, from now on."""

    def __init__(self, server: ServerProcess) -> None:
        self._path = Path(f"/proc/{server.process.pid}/schedstat")
        self._begin = time.monotonic_ns()
        self._before = self._waited_ns()

    def _waited_ns(self) -> int:
        return int(self._path.read_text().split()[1])

    def share(self) -> float:
        """Return it as a share of the time that passed."""
        return (self._waited_ns() - self._before) / (time.monotonic_ns() - self._begin)

"""The step that serves all sockets: read a little from each, then one write for each dirty one.

Nothing here waits. Each method is an ordinary function that a test can call; ``server.py`` calls
them from its tasks. Source of the design: docs/decisions/0006.
"""

import logging
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from wxserve.protocol.codec import encode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.transcript import NO_BINDING

from .entrance import Entrance
from .poller import HUNG_UP, READ, WRITE
from .stream import Phase, Stream
from .streams import StreamSet
from .tls import TlsChannel, TlsIdentity
from .turnstile import Turnstile

if TYPE_CHECKING:
    from .limits import TransportLimits
    from .ports import Link, Router

_log = logging.getLogger("wxserve.transport")


class PumpStatistics(NamedTuple):
    """Counts since the start, and of now.

    Attributes:
        streams: open sockets now.
        handshakes: unfinished TLS handshakes now.
        accepted: sockets taken.
        refused: sockets turned away by a limit.
        timed_out: sockets reset at a deadline.
        descriptors_exhausted: how often there was no descriptor left.
    """

    streams: int
    handshakes: int
    accepted: int
    refused: int
    timed_out: int
    descriptors_exhausted: int


class Pump:
    """All sockets of one process.

    Attributes:
        streams: the open ones.
        entrance: where new ones come in.
        turnstile: how strangers and others share a step.
    """

    def __init__(
        self,
        router: "Router",
        tls: TlsIdentity | None,
        limits: "TransportLimits",
        clock: Callable[[], float],
    ) -> None:
        """Make a pump without sockets.

        Args:
            router: gives links.
            tls: None serves plain TCP.
            limits: of everything.
            clock: monotonic seconds.
        """
        self.streams = StreamSet(limits)
        self.turnstile = Turnstile(limits)
        self.entrance = Entrance(self.streams, self, limits, tls=tls is not None)
        self._router = router
        self._tls = tls
        self._limits = limits
        self._clock = clock
        self._buffer = memoryview(bytearray(limits.recv_bytes))
        self._timed_out = 0

    def step(self) -> float:
        """Serve what is ready now, those in first who came first, then write what gathered.

        Returns:
            When the next step may begin, in monotonic seconds: now, or after more have gathered.
        """
        now, streams, turnstile = self._clock(), self.streams, self.turnstile
        if turnstile.opens(now):
            streams.watch_strangers(wanted=True)
        served, strangers_wait, known_s = 0, False, now
        for descriptor, events in streams.poller.ready(self._limits.events_per_step_max):
            stream = streams.by_descriptor(descriptor)
            if stream is None:
                strangers_wait = strangers_wait or descriptor == streams.strangers.fileno()
            elif events & HUNG_UP:
                streams.move(stream, stranger=True)
            else:
                known_s = min(known_s, stream.known_s)
                self._serve(stream, events)
                served += 1
        turnstile.heard(known_s, now)
        if strangers_wait:
            self._serve_strangers(served)
        self.flush()
        limits = self._limits
        return now + limits.gather_s if served >= limits.gather_from else now

    def _serve_strangers(self, served: int) -> None:
        """Serve a few on which nobody is logged in, and listeners; a later step reports the others.

        Args:
            served: how many of the others this step has served.
        """
        streams, clock, doors = self.streams, self._clock, set[int]()
        began, crowded = clock(), True
        strangers_max, until = self.turnstile.turn(served, began)
        for _ in range(strangers_max):
            descriptor, events = next(iter(streams.strangers.ready(1)), (-1, 0))
            if descriptor < 0 or descriptor in doors:
                crowded = False  # everybody had a turn
                break
            stream = streams.by_descriptor(descriptor)
            if stream is None:
                doors.add(descriptor)
            else:
                self._serve_stranger(stream, events, began)
            if clock() >= until:
                break
        for descriptor in doors:
            self.entrance.accept(descriptor, began, crowded=crowded)
        if self.turnstile.end_turn(began, clock()):
            streams.watch_strangers(wanted=False)

    def _serve_stranger(self, stream: Stream, events: int, now: float) -> None:
        self._serve(stream, events)
        link = stream.link
        if link is not None and link.authenticated and not events & HUNG_UP:
            self.streams.move(stream, stranger=False)
            stream.known_s = now

    def flush(self) -> None:
        """Write to every link that became dirty, and hang up where it is wished."""
        for link in self._router.dirty.take():
            stream = self.streams.by_link(link)
            if stream is not None:
                self._serve(stream, 0)

    def sweep(self, now: float) -> None:
        """Enforce the deadlines; call it about once a second.

        Args:
            now: monotonic seconds.
        """
        self._timed_out += self.streams.sweep(now)
        self.entrance.sweep(now)

    def close(self) -> None:
        """Close every socket at once."""
        self.entrance.stop()
        self.streams.close_all()

    def statistics(self) -> PumpStatistics:
        """Return the counts."""
        door = self.entrance
        return PumpStatistics(
            len(self.streams),
            self.streams.handshakes,
            door.accepted,
            door.refused,
            self._timed_out,
            door.descriptors_exhausted,
        )

    def _serve(self, stream: Stream, events: int) -> None:
        """Serve one stream; its errors end that one and no other.

        Args:
            stream: which one.
            events: as the poller reports them; 0 writes what gathered.
        """
        try:
            if events & WRITE or not events:
                self._write(stream, events)
            if events & ~WRITE:
                self._read(stream, events)
        except Exception as error:  # noqa: BLE001 - a defect met by one peer must not disconnect the others
            self._broken(stream, error)
        else:
            self.streams.watch(stream)

    def _broken(self, stream: Stream, error: Exception) -> None:
        if not isinstance(error, OSError):
            _log.error("connection.defect", exc_info=error)
        self.streams.close(stream)

    # --- reading ---------------------------------------------------------------------------

    def _read(self, stream: Stream, events: int) -> None:
        """Take at most ``recv_bytes``.

        A paused stream is not watched for reading, so what is reported then is a hang-up or an
        error, which cannot be unwatched.
        """
        link = stream.link
        if events & READ == 0 and link is not None and link.paused:
            self.streams.close(stream)
            return
        try:
            count = stream.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        data = self._buffer[:count]
        if count == 0:
            self.streams.close(stream)
        elif link is None:
            if stream.phase is Phase.HANDSHAKE:
                self._shake(stream, data)
            # else it is read only so that the peer is not reset; what it says is too late
        elif stream.tls is None:
            link.receive(bytes(data))
        elif not link.closing:
            self._decrypt(stream, link, data)

    def _decrypt(self, stream: Stream, link: "Link", data: memoryview) -> None:
        assert stream.tls is not None
        plaintext, ended = stream.tls.decrypt(data)
        if plaintext:
            link.receive(plaintext)
        if ended:
            self.streams.close(stream)

    def _shake(self, stream: Stream, data: memoryview) -> None:
        """Go on with a handshake; a peer costs a channel when its first record is whole."""
        assert self._tls is not None
        if stream.tls is None:
            data = memoryview(stream.greet(data))
            if not data:
                return
            now = self._clock()
            self._make_room(now)
            self.streams.begin_channel(stream, TlsChannel(self._tls.context), now)
        assert stream.tls is not None
        try:
            done = stream.tls.shake(data)
        except ssl.SSLError as error:
            _log.debug("tls.handshake_failed", extra={"reason": error.reason})
            self.hang_up(stream)
            return
        self._write(stream, 0)
        if done:
            self.open(stream)
            if stream.link is not None:
                self._decrypt(stream, stream.link, data[:0])

    def _make_room(self, now: float) -> None:
        """Drop the oldest begun handshake if there are too many; what it said last may wait."""
        oldest = self.streams.excess(now)
        if oldest is not None:
            self._serve(oldest, READ)
            if self.streams.excess(now) is oldest:
                self.entrance.refused += 1
                self.streams.close(oldest, reset=True)

    def open(self, stream: Stream) -> None:
        """Give a stream that is ready for frames its link, or the reason why it gets none."""
        try:
            self._open(stream)
        except Exception as error:  # noqa: BLE001 - as in ``_serve``
            self._broken(stream, error)
        else:
            self.streams.watch(stream)

    def _open(self, stream: Stream) -> None:
        address, accepted_s = stream.address, self._clock()
        if stream.phase is Phase.HANDSHAKE:
            accepted_s = self.streams.end_handshake(stream)
        stream.phase = Phase.OPEN
        stream.address = ""
        binding = NO_BINDING if self._tls is None else self._tls.binding
        try:
            link = self._router.open_link(address, binding, accepted_s)
        except Refusal as refusal:
            self.entrance.refused += 1
            self.hang_up(stream, encode(refusal.reply))
            return
        self.streams.attach(stream, link)

    # --- writing and closing ---------------------------------------------------------------

    def _write(self, stream: Stream, events: int) -> None:
        """Write what waits.

        While the socket is full nothing more is taken from the link, so a slow reader costs one
        taken chunk plus what its link allows itself.
        """
        if not stream.write(ready=events & WRITE != 0):
            if stream.link is not None and stream.link.closing:
                known, limits = stream.link.authenticated, self._limits
                granted_s = limits.close_deadline_s if known else limits.linger_s
                self.streams.limit(stream, self._clock() + granted_s)
            return
        link = stream.link
        stream.more = link is not None and link.outgoing_bytes > 0
        if link is not None:
            if link.closing and not stream.more:
                self.hang_up(stream)
        elif stream.phase is Phase.CLOSING:
            stream.socket.shutdown(socket.SHUT_WR)
            stream.phase = Phase.LINGERING

    def hang_up(self, stream: Stream, last: bytes = b"") -> None:
        """End a connection politely: last bytes, end of TLS, end of TCP, then a short wait.

        Args:
            stream: may have ciphertext that waits; it goes first.
            last: frames to end with.
        """
        self.streams.detach(stream)
        stream.phase = Phase.CLOSING
        self.streams.limit(stream, self._clock() + self._limits.linger_s)
        if stream.tls is not None:
            last = stream.tls.drain() + stream.tls.encrypt(last) + stream.tls.close()
            stream.tls = None  # 46 KiB that a peer which stays must not hold
        stream.unsent = bytes(stream.unsent) + last
        self._serve(stream, WRITE)

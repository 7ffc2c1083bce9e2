"""A server on a disk that fills up: it refuses, goes on reading, and recovers by itself."""

import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.fault.results import new_seed, record
from tests.wire.raw_client import RawClient, RawDevice
from tests.wire.server_process import ServerProcess
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId, OpId, op_id
from wxserve.store.directory import BALLAST_NAME, DATABASE_NAME

pytestmark = [pytest.mark.fault, pytest.mark.wire, pytest.mark.slow]
MIB = 1 << 20
BALLAST_BYTES = MIB
SMALL, LARGE = "12m", "64m"
BODY_BYTES = 8000
RECOVERY_S = 30.0
"""Far more than the server needs to see that there is space; no more than a hang would take."""


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a disk of a few MiB; where that is not permitted, say so and skip."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=700", "wxserve-full", str(place)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        reason = done.stderr.strip()
    except OSError as error:
        reason = str(error)
    if reason:
        pytest.skip(f"NOT TRIED: a full disk needs the right to mount one ({reason})")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def enlarge(place: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(place)], check=True)


def fill(place: Path) -> None:
    """Leave no byte for anybody."""
    with (place / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)) == 4096:
                pass
        except OSError:
            return


class Sender:
    """A device that sends until it is refused, and remembers what it was told.

    Attributes:
        accepted: per sequence number the body.
        refused: the operation that was refused first, with its body; asked again later.
    """

    def __init__(self, device: RawDevice, conversation: ConversationId, random: Random) -> None:
        self._device = device
        self._conversation = conversation
        self._random = random
        self.accepted: dict[int, bytes] = {}
        self.refused: tuple[OpId, bytes] | None = None

    def ask(self, session: RawClient, op: OpId, body: bytes) -> f.Accepted | f.Error:
        """Send one operation; return its answer."""
        stream = int.from_bytes(op[-2:]) % 65_535 + 1
        session.send(f.Send(encode_envelope(message(self._conversation, op, body))), stream)
        while (event := session.receive()) is not None:
            if event.stream == stream and isinstance(event.frame, f.Accepted | f.Error):
                return event.frame
        raise AssertionError("the server hung up")

    def send(self, session: RawClient) -> f.Accepted | f.Error:
        """Send something new, or what was refused."""
        if self.refused is None:
            self._device.counter += 1
            op = op_id(self._device.device, self._device.counter)
            body = self._random.randbytes(BODY_BYTES)
        else:
            op, body = self.refused
        answer = self.ask(session, op, body)
        if isinstance(answer, f.Accepted):
            self.accepted[answer.seq] = body
            self.refused = None
        else:
            assert answer.code == ErrorCode.STORAGE_FULL, answer
            assert answer.retry_after_ms > 0
            self.refused = op, body
        return answer

    def send_until_full(self, session: RawClient) -> None:
        """Send until there is no space."""
        while isinstance(self.send(session), f.Accepted):
            pass

    def send_until_accepted(self, session: RawClient) -> None:
        """Ask again what was refused until there is space."""
        end, pause = time.monotonic() + RECOVERY_S, threading.Event()
        while not isinstance(self.send(session), f.Accepted):
            assert time.monotonic() < end, "there is space, and it is still refused"
            pause.wait(0.05)


class Talk:
    """Two devices of a server on a small disk."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.server = server
        one, two = server.invites(2)
        self.alice = RawDevice(server.host, server.port, tls=False)
        self.bob = RawDevice(server.host, server.port, tls=False)
        session = self.alice.enrol(one.code)
        self.bob.enrol(two.code).close()
        self.conversation = self.alice.create_direct(session, self.bob.account)
        session.close()
        self.sender = Sender(self.alice, self.conversation, Random(seed))

    def log_in(self, device: RawDevice) -> RawClient:
        """Log in, wherever the server listens now."""
        device.port = self.server.port
        return device.log_in()

    def read_all(self) -> dict[int, bytes | None]:
        """Return what a device of Bob's reads from the beginning, on a new connection."""
        session = self.log_in(self.bob)
        found: dict[int, bytes | None] = {}
        last = max(self.sender.accepted)
        session.send(f.Sync(0, 100), 1)
        while last not in found:
            deliver = session.wait_for(f.Deliver)
            session.send(f.Credit(len(encode(deliver)), 1))
            if deliver.conversation == self.conversation:
                found[deliver.seq] = deliver.envelope
        session.close()
        return found

    def check(self, found: dict[int, bytes | None]) -> None:
        """Everything that was accepted is there."""
        wrong = [n for n, body in self.sender.accepted.items() if body not in (found.get(n) or b"")]
        assert not wrong, f"lost: {wrong[:10]} of {len(self.sender.accepted)}"

    def stored(self) -> dict[int, bytes | None]:
        """Return what the database holds, read past the server."""
        sql = sqlite3.connect(self.server.directory / DATABASE_NAME)
        assert sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = sql.execute(
            "SELECT seq, frame FROM log WHERE conversation = ?", (self.conversation,)
        )
        found = dict(rows.fetchall())
        sql.close()
        return found


class Server(ServerProcess):
    """A server whose log is not on its disk."""

    @property
    def _log_path(self) -> Path:
        return self.directory.parent.with_suffix(".log")


@contextmanager
def prepared(disk: Path) -> Iterator[Server]:
    """Give a server, not started, that keeps a small ballast on that disk; end it in the end."""
    data = disk / "data"
    data.mkdir(mode=0o700)
    (data / "wxserve.toml").write_text(f"[store]\nballast_bytes = {BALLAST_BYTES}\n")
    server = Server(data, tls=False)
    try:
        yield server
    finally:
        server.kill()


def events(server: ServerProcess) -> list[str]:
    return [json.loads(line)["event"] for line in server.log().splitlines()]


def test_full_disk_refuses_reads_on_and_recovers_without_losing_anything(tmp_path: Path) -> None:
    seed = new_seed()
    with small_disk(tmp_path / "disk") as disk, prepared(disk) as server:
        server.start()
        talk = Talk(server, seed)
        session = talk.log_in(talk.alice)
        talk.sender.send_until_full(session)
        accepted = len(talk.sender.accepted)
        assert accepted > 100, (seed, accepted)
        talk.check(talk.read_all())
        assert isinstance(talk.sender.send(session), f.Error)
        assert not (disk / "data" / BALLAST_NAME).exists()
        enlarge(disk)
        talk.sender.send_until_accepted(session)
        for _ in range(20):
            assert isinstance(talk.sender.send(session), f.Accepted)
        talk.check(talk.read_all())
        session.close()
        assert server.process.poll() is None, "it never ended"
        assert (disk / "data" / BALLAST_NAME).stat().st_size == BALLAST_BYTES
        assert server.stop() == 0
        assert {"store.full", "store.space_again"} <= set(events(server))
        talk.check(talk.stored())
    record("P6", "disk full on a tmpfs", 1, faults=1, accepted=accepted + 21, seeds=[seed])


def test_start_on_a_full_disk_refuses_writes_and_reads_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, prepared(disk) as server:
        server.start()
        talk = Talk(server, 1)
        session = talk.log_in(talk.alice)
        talk.sender.send_until_full(session)
        session.close()
        assert server.stop() == 0
        server.start()
        session = talk.log_in(talk.alice)
        talk.sender.send_until_full(session)
        talk.check(talk.read_all())
        enlarge(disk)
        talk.sender.send_until_accepted(session)
        session.close()
        assert server.stop() == 0
        talk.check(talk.stored())


def test_start_without_a_byte_left_waits_for_space_and_then_serves(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, prepared(disk) as server:
        server.start()
        talk = Talk(server, 2)
        session = talk.log_in(talk.alice)
        talk.sender.send_until_full(session)
        session.close()
        server.kill()
        (disk / "data" / f"{DATABASE_NAME}-shm").unlink()
        (disk / "data" / BALLAST_NAME).unlink(missing_ok=True)
        fill(disk)
        starting = threading.Thread(target=server.start)
        starting.start()
        try:
            wait_for_event(server, "store.no_space")
            assert server.process.poll() is None, "it ended for want of space"
        finally:
            enlarge(disk)
            starting.join(60)
        assert not starting.is_alive()
        session = talk.log_in(talk.alice)
        talk.sender.send_until_accepted(session)
        talk.check(talk.read_all())
        session.close()
        assert server.stop() == 0
        talk.check(talk.stored())


def wait_for_event(server: ServerProcess, event: str) -> None:
    end, pause = time.monotonic() + RECOVERY_S, threading.Event()
    while event not in events(server):
        assert time.monotonic() < end, server.log()[-2000:]
        pause.wait(0.05)

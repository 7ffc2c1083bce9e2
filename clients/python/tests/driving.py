"""Drives a ``ClientCore`` against a ``FakeServer`` step by step, under a clock that is turned by hand.

Each step is one that a crash may come between: receive, commit, tell, send.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from wxclient._protocol import frames as f
from wxclient._protocol.envelope import ENVELOPE_VERSION, Envelope, Kind, encode_envelope
from wxclient._protocol.identifiers import ConversationId, OpId, self_conversation
from wxclient._protocol.transcript import NO_BINDING
from wxclient.core.client_core import ClientCore
from wxclient.entry import Entry
from wxclient.events import Event
from wxclient.limits import CoreLimits
from wxclient.records import Identity
from wxclient.state.file import StateFile
from wxclient.state.handing import pending_after

from .fake_link import FakeLink
from .fake_server import CODE, FakeServer

FrameT = TypeVar("FrameT", bound=f.Frame)


class Clock:
    """Seconds, as somebody turns them."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Entropy:
    """Bytes that look random and are the same in every run."""

    def __init__(self, seed: str = "") -> None:
        self.seed = seed
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return sha256(f"{self.seed}{self.count}".encode()).digest()[:size]


class Driver:
    """A client in a directory, with its connection to the fake server."""

    def __init__(
        self, directory: Path, server: FakeServer, clock: Clock, *, code: bytes = CODE
    ) -> None:
        self.directory = directory
        self.server = server
        self.clock = clock
        self.entropy = Entropy(directory.name)
        self.code = code
        self.limits = CoreLimits()
        self.events: list[Event] = []
        self.link: FakeLink | None = None
        self.open()

    # -- life ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the state file as a new program would."""
        self.state = StateFile(self.directory, synchronous="OFF")
        if not self.state.enrolled:
            key = self.entropy(32)
            identity = Identity(key, "127.0.0.1", 1, False, (), self.code, "name", "device")
            if self.state.sql.execute("SELECT 1 FROM wx_identity").fetchone() is None:
                self.state.invite(identity)
        self.core = ClientCore(
            self.state.load(), clock=self.clock, entropy=self.entropy, limits=self.limits
        )

    def crash(self) -> None:
        """Kill the program and start it again; what was not committed is gone."""
        self.drop()
        self.state.close()
        self.events.clear()
        self.open()

    def connect(self) -> FakeLink:
        """Open a connection when it is time."""
        if self.core.dial_at is not None:
            self.clock.now_s = max(self.clock.now_s, self.core.dial_at)
        self.link = FakeLink(self.server)
        self.core.connected(NO_BINDING)
        return self.link

    def drop(self) -> None:
        """Cut the connection; what was on its way is gone."""
        if self.link is not None:
            self.link.cut()
            self.link = None
            self.core.connection_lost()

    # -- steps ---------------------------------------------------------------------------------

    def commit(self) -> bool:
        """Commit what waits; return whether there was anything."""
        batch = self.core.take_batch()
        if batch is None:
            return False
        self.state.commit(batch, self.limits)
        self.core.batch_committed(batch)
        return True

    def send(self, size: int | None = None) -> bool:
        """Carry bytes to the server."""
        if self.link is None:
            return False
        data = self.core.data_to_send()
        self.link.receive(data[:size] if size is not None else data)
        return bool(data)

    def receive(self, size: int | None = None) -> bool:
        """Carry bytes from the server."""
        if self.link is None:
            return False
        data = self.link.take()
        if size is not None:
            data = data[:size]
        self.core.receive_data(data)
        return bool(data)

    def hang_up(self) -> bool:
        """Follow whoever ended the connection."""
        if self.link is None or not (self.core.hang_up or self.link.closing):
            return False
        self.link.lost()
        self.link = None
        self.core.connection_lost()
        return True

    def step(self) -> bool:
        """Do everything once; return whether anything happened."""
        happened = any([self.send(), self.receive(), self.commit(), self.hang_up()])
        self.events.extend(self.core.take_events())
        return happened

    def settle(self, *, until: Callable[[], bool] | None = None, steps_max: int = 2000) -> None:
        """Go on, reconnecting and turning the clock, until nothing more happens."""
        for _step in range(steps_max):
            if until is not None and until():
                return
            if self.core.failure is not None:
                self.events.extend(self.core.take_events())
                return
            if self.link is None:
                self.connect()
            if self.step() or self.core.has_data_to_send or self.core.has_batch:
                continue
            if until is None and not self.core.outbox_size and self._quiet():
                return
            deadline_s = self.core.next_deadline()
            assert deadline_s is not None, "a connected core always has a deadline"
            self.clock.now_s = max(self.clock.now_s, deadline_s)
            self.core.on_time()
        raise AssertionError("the client did not come to rest")

    def _quiet(self) -> bool:
        """Whether only the heartbeat is left to come."""
        deadline_s = self.core.next_deadline()
        return deadline_s is None or deadline_s > self.clock.now_s + 1.0

    # -- what an application does --------------------------------------------------------------

    def message(self, conversation: ConversationId, body: bytes) -> OpId:
        """Put a message into the outbox."""
        op = self.core.next_op(len(body))
        envelope = Envelope(
            ENVELOPE_VERSION, Kind.MESSAGE, conversation, 0, 0, 0, op, 0, 1, (), b"", body
        )
        row = self.core.row(op, conversation, f.Send(encode_envelope(envelope)))
        self.core.enqueue(row)
        return op

    def take(self, kind: type[Event]) -> list[Event]:
        """Return and forget the events of one kind."""
        found = [event for event in self.events if isinstance(event, kind)]
        self.events = [event for event in self.events if not isinstance(event, kind)]
        return found

    def stored(self, *, own: bool = True) -> list[Entry]:
        """Return every entry in the file."""
        found = pending_after(self.state.sql, 0, own=own, limit=10**6)
        return [pending.entry for pending in found]

    def bodies(self, conversation: ConversationId) -> list[bytes]:
        """Return the bodies of a conversation's messages in order."""
        entries = [e for e in self.stored() if e.conversation == conversation and e.kind == 1]
        return [e.body for e in sorted(entries, key=lambda e: e.seq)]


def own_log(driver: Driver) -> ConversationId:
    """Return the conversation that the client always has."""
    account = driver.core.identity.account
    assert account is not None
    return self_conversation(account)


def frames_of(link: FakeLink | None, kind: type[FrameT]) -> list[FrameT]:
    """Return what a link received of one kind."""
    assert link is not None
    return [frame for frame in link.received if isinstance(frame, kind)]

"""One connection of a suspicious client: checks every frame it is pushed against the model."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.property.delivery_log import Log
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.connection import Connection, Received
from wxserve.protocol.credentials import encode_credential
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.states import Role
from wxserve.protocol.transcript import NO_BINDING
from wxserve.store.reading import SkipReason

if TYPE_CHECKING:
    from tests.property.delivery_peer import Peer

HARMLESS_ENDS = {ErrorCode.IDLE_TIMEOUT, ErrorCode.HANDSHAKE_TIMEOUT, ErrorCode.SHUTTING_DOWN}
AGE = 0
"""Stands for TOO_FAR where the reason of a SKIP would."""


@dataclass
class Request:
    """A request under way.

    Attributes:
        frame: what was asked.
        began: the position that was committed when it was sent.
        counter: of the operation, 0 if it is none.
        cursors: what was surely acknowledged by then.
        got: the answers so far.
    """

    frame: f.Frame
    began: int
    counter: int = 0
    cursors: dict[bytes, int] = field(default_factory=dict)
    got: list[Received] = field(default_factory=list)


class Session:
    """One connection, from HELLO to its end.

    Attributes:
        open: WELCOME was received.
        following: SYNC was sent.
        over: the server hung up.
        condemned: the device was revoked before WELCOME, in the same commit at the latest.
        run: per conversation through what was pushed here.
        asked: requests by stream.
        refused: operations refused for now, per conversation.
        synced: the last SYNCED.
    """

    def __init__(self, peer: "Peer") -> None:
        self.peer = peer
        self.world = peer.world
        self.link = self.world.server.connect()
        self.connection = Connection(Role.CLIENT)
        self.open = self.following = self.over = self.listed = self.condemned = False
        self.run: dict[bytes, int] = {}
        self.asked: dict[int, Request] = {}
        self.refused: dict[bytes, set[int]] = {}
        self.synced = 0
        self.credit_bytes = self.credit_entries = 0
        self._stream = 0
        self.write(f.Hello(((1, 0),), bytes(32), "model"))

    # -- sending -------------------------------------------------------------------------------

    def write(self, frame: f.Frame, stream: int = 0, flags: int = 0) -> None:
        """Send one frame."""
        if not self.over:
            self.link.receive(self.connection.send(frame, stream, flags))

    def ask(self, frame: f.Frame, counter: int = 0, flags: int = 0) -> None:
        """Send a request."""
        self._stream = self._stream % 65_535 + 1
        began = self.world.server.store.position
        self.asked[self._stream] = Request(frame, began, counter, dict(self.peer.cursors))
        self.write(frame, self._stream, flags)

    # -- receiving -----------------------------------------------------------------------------

    def pump(self, share: float = 1.0) -> None:
        """Take what the server wrote, or the first part of it."""
        self.world.look()
        data = self.link.take() if self.link.outgoing_bytes else b""
        self.connection.receive_data(data[: int(len(data) * share)])
        while (event := self.connection.next_event()) is not None:
            self._take(event)
        if self.link.closing and not self.link.outgoing_bytes:
            self.over = True

    def _take(self, event: Received) -> None:
        frame, stream = event.frame, event.stream
        assert not self.condemned or isinstance(frame, f.Error), "a revoked device logged in"
        if stream:
            self._take_answer(event)
        elif isinstance(frame, f.Challenge):
            data = encode_credential(self.peer.credential())
            signed = self.connection.transcript.to_sign(NO_BINDING, data)
            self.write(f.Auth(data, self.peer.key.sign(signed)))
        elif isinstance(frame, f.Welcome):
            self.open = True
            self.credit_bytes, self.credit_entries = frame.credit_bytes, frame.credit_entries
            self.peer.welcomed(frame)
            # What is read now may have been written before the device was revoked.
            gone = self.world.model.revoked.get(frame.device, 1 << 62)
            self.condemned = gone <= frame.position
        elif isinstance(frame, f.Error):
            self.over = True
            self.peer.ended(self, ErrorCode(frame.code))
        else:
            self._take_push(event)

    def _take_push(self, event: Received) -> None:
        frame = event.frame
        if isinstance(frame, (f.Deliver, f.Skip, f.TooFar, f.Synced, f.Register)):
            assert self.following, "pushed before SYNC"
        if isinstance(frame, f.Deliver):
            self._delivered(event, frame)
        elif isinstance(frame, f.Skip):
            self._skipped(frame.conversation, frame.through, frame.reason)
        elif isinstance(frame, f.TooFar):
            self._skipped(frame.conversation, frame.first - 1, AGE)
        elif isinstance(frame, f.Synced):
            self._synced(frame.position)
        elif isinstance(frame, f.Register):
            self.peer.told(frame)
        else:
            assert isinstance(frame, (f.Pong, f.GoAway, f.Replaced)), frame

    def _take_answer(self, event: Received) -> None:
        request = self.asked[event.stream]
        request.got.append(event)
        frame = event.frame
        more = isinstance(frame, (f.Deliver, f.Skip, f.TooFar)) or (
            isinstance(frame, f.Changes) and frame.more
        )
        if not more:
            del self.asked[event.stream]
            self.peer.answered(self, request)

    # -- pushes --------------------------------------------------------------------------------

    def log(self, conversation: bytes) -> Log:
        """Return a conversation that the account may know of."""
        log = self.world.model.logs.get(conversation)
        assert log is not None, "pushed before it was committed"
        assert self.peer.account in log.spans, "a stranger's conversation"
        return log

    def _delivered(self, event: Received, frame: f.Deliver) -> None:
        log, seq = self.log(frame.conversation), frame.seq
        self.check_entry(log, frame, encode(frame, 0, event.flags))
        assert min(self.credit_entries, self.credit_bytes) > 0, "pushed without credit"
        self._charge(event)
        self.advance(log, seq, seq)

    def check_entry(self, log: Log, frame: f.Deliver, data: bytes) -> None:
        """An entry must be the committed one, byte for byte, and ours to see."""
        assert frame.seq <= len(log.rows), "delivered before it was committed"
        assert log.rows[frame.seq - 1].frame == data, "not the same bytes for all"
        assert self.peer.sees(log, frame.seq), f"{frame.seq} is not for this device"
        gone = log.redacted.get(frame.seq, 1 << 62)
        assert gone > self.peer.settled, "redacted, and delivered from the log"

    def advance(self, log: Log, first: int, through: int) -> None:
        """Go on in a conversation; there must be no hole, and nothing twice in one session."""
        before = self.run.get(log.id)
        if before is None:
            assert first <= self.peer.received.get(log.id, 0) + 1, f"hole before {first}"
        else:
            assert first == before + 1, f"{first} after {before}"
        self.run[log.id] = through
        self.peer.received[log.id] = max(through, self.peer.received.get(log.id, 0))

    def _skipped(self, conversation: bytes, through: int, reason: int) -> None:
        log = self.log(conversation)
        self.credit_entries -= 1
        before = self.run.get(conversation)
        first = min(through, self.peer.received.get(conversation, 0)) if before is None else before
        assert through > first or before is None, "a skip of nothing"
        for seq in range(first + 1, through + 1):
            self.check_skip(log, seq, reason)
        self.advance(log, first + 1, through)

    def check_skip(self, log: Log, seq: int, reason: int) -> None:
        """The reason of a skip must hold for each entry it covers."""
        assert seq <= len(log.rows), "skipped what is not there yet"
        if reason == SkipReason.NOT_VISIBLE:
            assert not self.peer.sees(log, seq), f"{seq} is visible and was skipped"
        elif reason == SkipReason.REDACTED:
            assert seq in log.redacted, f"{seq} was never redacted"
        elif reason == SkipReason.EXPIRED:
            row = log.rows[seq - 1]
            assert 0 < row.ttl_ms <= self.world.age_ms(row.position), f"{seq} expired early"
        else:
            assert reason == AGE, f"skipped for reason {reason}"
            assert seq in log.deleted, f"{seq} is not gone by age"

    def _charge(self, event: Received) -> None:
        self.credit_entries -= 1
        self.credit_bytes -= len(encode(event.frame, 0, event.flags))

    def current(self, log: Log, seq: int) -> None:
        """ACCEPTED said that it stands for the DELIVER: then all before must have come."""
        assert self.following
        assert self.peer.sees(log, seq)
        self.advance(log, seq, seq)

    def _synced(self, position: int) -> None:
        assert self.synced <= position <= self.world.server.store.position
        assert self.listed, "SYNCED before the changes were listed"
        self.synced = self.peer.synced = position
        for log, seq in self.world.model.due(self.peer.device, position):
            received = self.peer.received.get(log.id, 0)
            assert received >= seq, f"SYNCED({position}) and {received} of {seq} came"
        for told in self.world.audit.registers:
            if told.account == self.peer.account and told.position <= position:
                known = self.peer.registers.get((told.conversation, told.key), 0)
                assert known >= told.version, "SYNCED without a register's change"

"""A device that does everything a device may do, remembers what it must, and believes nothing."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.property.delivery_log import DIRECT, Log, Wish
from tests.property.delivery_model import Listed, unread
from tests.property.delivery_rights import refusals
from tests.property.delivery_session import HARMLESS_ENDS, Request, Session
from wxserve.protocol import frames as f
from wxserve.protocol.credentials import (
    DEVICE_KEY,
    ENROLMENT,
    INVITE_VERIFIER,
    Credential,
    DeviceKey,
    Enrolment,
)
from wxserve.protocol.errors import ErrorCode, describe
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, OpId, op_id

if TYPE_CHECKING:
    from tests.property.delivery_world import World

FOR_NOW = {
    ErrorCode.RATE_LIMITED, ErrorCode.RETRY_ORDER, ErrorCode.OPS_IN_FLIGHT, ErrorCode.OVERLOADED,
    ErrorCode.STORAGE_FULL, ErrorCode.SHUTTING_DOWN,
}  # fmt: skip


@dataclass
class Operation:
    """One operation, until its fate is known and after.

    Attributes:
        flights: how many copies wait for their answer on this connection.
        launched: what was committed when each copy was sent.
        answer: the first ACCEPTED.
        refused: it was refused for good.
        unheard: what became of a copy that came after a refused one was never heard.
    """

    counter: int
    wish: Wish
    frame: f.Frame
    flags: int = 0
    flights: int = 0
    launched: list[int] = field(default_factory=list)
    answer: f.Accepted | None = None
    refused: bool = False
    unheard: bool = False

    @property
    def open(self) -> bool:
        """Whether it must be sent again until it is answered."""
        return self.answer is None and not self.refused


class Peer:
    """A device's durable memory, and its session if there is one.

    Attributes:
        received: per conversation through what it has everything.
        synced: the last SYNCED it heard.
        gone: it never got to enrol, and never will.
        cursors: per conversation what the server surely knows as acknowledged.
        settled: what was committed at this position is old news for the present connection.
    """

    def __init__(self, world: "World", key: bytes, code: bytes) -> None:
        self.world = world
        self.key = Ed25519PrivateKey.from_private_bytes(key)
        self.code = code
        self.account = AccountId(b"")
        self.device = DeviceId(b"")
        self.counter = 0
        self.floor = 0
        self.ops: dict[int, Operation] = {}
        self.received: dict[bytes, int] = {}
        self.registers: dict[tuple[bytes, str], int] = {}
        self.synced = 0
        self.settled = 0
        self.session: Session | None = None
        self.gone = False
        self._cursors_told: dict[bytes, set[int]] = {}
        self.cursors: dict[bytes, int] = {}

    # -- the connection ------------------------------------------------------------------------

    @property
    def online(self) -> Session | None:
        """Return the session if it is open."""
        session = self.session
        return session if session is not None and session.open and not session.over else None

    def connect(self) -> None:
        """Open a connection; the handshake goes on by itself."""
        self.drop()
        self.session = Session(self)

    def drop(self, share: float = 0.0) -> None:
        """Lose the connection after the first part of what was on its way."""
        session, self.session = self.session, None
        if session is not None:
            if share:
                session.pump(share)
            session.link.lost()
        for operation in self.ops.values():
            operation.unheard |= operation.refused and operation.flights > 0
            operation.flights = 0

    def crashed(self) -> None:
        """The server lost its memory: cursors may be any that were ever told."""
        self.cursors.clear()

    def credential(self) -> Credential:
        """Return what to authenticate with."""
        if self.device:
            return DeviceKey(DEVICE_KEY, self.account, self.device)
        public = self.key.public_key().public_bytes_raw()
        return Enrolment(ENROLMENT, INVITE_VERIFIER, self.code, public, "model", "model")

    def welcomed(self, welcome: f.Welcome) -> None:
        """Take note of who we are."""
        assert not self.gone, "enrolled after it could not"
        self.account, self.device = welcome.account, welcome.device
        known = self.world.model.devices[self.device]
        assert known.account == self.account
        assert self.world.codes.setdefault(self.code, self.device) == self.device
        last = max(
            (int.from_bytes(op[8:], "big") for op in self.world.model.ops if op[:8] == self.device),
            default=0,
        )
        assert welcome.op_last == last, f"op_last {welcome.op_last}, committed {last}"
        assert welcome.op_floor <= max(self.floor, 1)

    def ended(self, session: Session, code: ErrorCode) -> None:
        """The server ended the connection; it must have a reason."""
        if not self.device and code in {ErrorCode.INVITE_EXPIRED, ErrorCode.DEVICE_REVOKED}:
            self.gone = True
            return
        if code is ErrorCode.DEVICE_REVOKED:
            assert self.revoked, "not revoked, and told so"
            return
        allowed = HARMLESS_ENDS if session.open else HARMLESS_ENDS | FOR_NOW
        assert code in allowed, f"the connection ended with {code.name}"

    @property
    def revoked(self) -> bool:
        """Whether the device may not be here any more."""
        return self.gone or self.device in self.world.model.revoked

    def sees(self, log: Log, seq: int) -> bool:
        """Whether an entry is for this device."""
        return self.world.model.visible(self.device, log, seq)

    # -- until everything is said and done -----------------------------------------------------

    def session_pump(self) -> None:
        """Take what the server wrote."""
        if self.session is not None:
            self.session.pump()

    def sync(self, limit: int) -> None:
        """Begin to follow, from the last SYNCED."""
        session = self.online
        assert session is not None
        session.following = True
        session.ask(f.Sync(self.synced, limit))

    def credit(self, bytes_more: int, entries_more: int) -> None:
        """Widen the window."""
        session = self.online
        assert session is not None
        session.credit_bytes += bytes_more
        session.credit_entries += entries_more
        session.write(f.Credit(bytes_more, entries_more))

    def strive(self) -> None:
        """Do the next thing that leads to having everything."""
        session = self.session
        if session is None or session.over:
            self.connect()
            return
        session.pump()
        if not session.open or session.over:
            return
        if not session.following:
            self.sync(256)
        self.credit(10_000, 100)
        self.acknowledge(1.0, floor=True)
        self.resend()

    @property
    def finished(self) -> bool:
        """Whether nothing is missing."""
        session = self.online
        if session is None or any(one.open for one in self.ops.values()):
            return False
        due = list(self.world.model.due(self.device, 1 << 62))
        newest = max((log.positions[seq - 1] for log, seq in due), default=0)
        for told in self.world.audit.registers:
            if told.account == self.account:
                newest = max(newest, told.position)
        return session.synced >= newest and all(
            self.received.get(log.id, 0) >= seq for log, seq in due
        )

    def describe(self) -> str:
        """Return what is missing."""
        session = self.session
        waiting = [(n, one.wish.verb, one.flights) for n, one in self.ops.items() if one.open]
        missing = {
            log.id.hex(): (self.received.get(log.id, 0), seq)
            for log, seq in self.world.model.due(self.device, 1 << 62)
            if self.received.get(log.id, 0) < seq
        }
        return (
            f"{self.device.hex()} open={session and session.open} over={session and session.over} "
            f"synced={session and session.synced} of {self.world.model.position} "
            f"operations={waiting} missing={missing}"
        )

    # -- operations ----------------------------------------------------------------------------

    def next_op(self, ahead: int = 0) -> OpId:
        """Take a new operation id; some counters may be left out."""
        self.counter += 1 + ahead
        return op_id(self.device, self.counter)

    def operate(self, wish: Wish, frame: f.Frame, flags: int = 0) -> None:
        """Ask for something new; what waits in the same conversation goes first."""
        session = self.online
        assert session is not None
        operation = self.ops[self.counter] = Operation(self.counter, wish, frame, flags)
        self.resend(wish.conversation)
        assert operation.flights == 1

    def resend(self, conversation: bytes | None = None) -> None:
        """Send again, in order, what is neither answered nor on its way."""
        for _, operation in sorted(self.ops.items()):
            wanted = conversation is None or operation.wish.conversation == conversation
            if wanted and operation.open and operation.flights == 0:
                self.launch(operation)

    def launch(self, operation: Operation, other: f.Frame | None = None) -> None:
        """Send an operation now, or another content under its name."""
        session = self.online
        if session is not None:
            operation.flights += 1
            operation.launched.append(self.world.server.store.position)
            session.ask(other or operation.frame, operation.counter, operation.flags)

    def answered(self, session: Session, request: Request) -> None:
        """Take the answer to any request."""
        event = request.got[-1]
        if request.counter:
            operation = self.ops[request.counter]
            operation.flights = max(0, operation.flights - 1)
            if isinstance(event.frame, f.Error):
                self._refused(session, request, operation, event.frame)
            else:
                assert isinstance(event.frame, f.Accepted)
                assert request.frame == operation.frame, "other content was accepted"
                self._accepted(session, operation, event.frame, event.flags)
        elif isinstance(event.frame, f.Error):
            code = ErrorCode(event.frame.code)
            assert code in FOR_NOW | {ErrorCode.FORBIDDEN}, code.name
            self.world.answers.refused(self, session, request, code)
        else:
            self.world.answers.check(self, session, request)

    def _accepted(
        self, session: Session, operation: Operation, answer: f.Accepted, flags: int
    ) -> None:
        model = self.world.model
        log = model.logs[answer.conversation]
        row = model.ops.get(answer.op)
        found = operation.wish.verb == "create" and operation.wish.value == DIRECT and not row
        if found:
            row = log.rows[0]
        assert row is not None, "accepted, and not on stable storage"
        place = (row.conversation, row.seq, row.position, row.time_ms)
        assert answer[1:] == place, f"{answer} is not where it was committed, {place}"
        assert answer.op == op_id(self.device, operation.counter)
        assert operation.answer in {None, answer}, "the first answer changed"
        if operation.answer is None and not found:
            self._check_content(operation, model.wish_of(row), row.body)
        operation.answer = answer
        if flags & f.CURRENT:
            assert isinstance(operation.frame, f.Send), "the sender does not know these bytes"
            session.current(log, answer.seq)

    def _check_content(self, operation: Operation, done: Wish, body: tuple[object, ...]) -> None:
        wish = operation.wish
        assert (done.verb, done.conversation) == (wish.verb, wish.conversation)
        assert done.value == wish.value
        if isinstance(operation.frame, f.Send):
            assert body == (operation.frame.envelope,), "not the bytes that were sent"
        elif done.verb == "invite":
            assert set(done.accounts) <= set(wish.accounts)
        elif done.verb == "create":
            assert set(done.accounts) == set(wish.accounts) - {self.account}
        else:
            assert done.accounts == wish.accounts or done.verb in {"close", "redact"}

    def _refused(
        self, session: Session, request: Request, operation: Operation, error: f.Error
    ) -> None:
        code, model = ErrorCode(error.code), self.world.model
        lane = session.refused.setdefault(operation.wish.conversation, set())
        assert error.temporary == describe(code).temporary
        if code is ErrorCode.CONFLICT:
            row = model.ops[op_id(self.device, operation.counter)]
            assert request.frame != operation.frame
            assert error.seq == row.seq
        elif code is ErrorCode.OP_EXPIRED:
            assert operation.counter < self.floor, "expired above the floor"
        elif error.temporary:
            assert code in FOR_NOW, f"refused with {code.name}"
            dedupes = code is not ErrorCode.OVERLOADED and request.frame == operation.frame
            assert operation.answer is None or not dedupes, "known, and refused"
            if code is ErrorCode.RETRY_ORDER:
                assert any(counter < operation.counter for counter in lane), "nothing to wait for"
            lane.add(operation.counter)
        else:
            self._deserved(request, operation, code)
            operation.refused = True

    def _deserved(self, request: Request, operation: Operation, code: ErrorCode) -> None:
        """A refusal for good must have been right at some moment since it was asked."""
        assert operation.answer is None, f"accepted before, now {code.name}"
        deserved = self._refusals(operation, request.began)
        assert code.name in deserved, f"{operation.wish} was refused with {code.name}"

    def _refusals(self, operation: Operation, since: int) -> set[str]:
        """Return every refusal that was right at some moment."""
        found: set[str] = set()
        model = self.world.model
        for position in range(since, model.position + 1):
            must, may = refusals(model, self.account, self.device, operation.wish, position)
            found |= must | may
        return found

    def may_be_late(self, counter: int) -> bool:
        """Whether an operation may come after later ones.

        It may if an earlier copy was refused for good: refusals record nothing.
        """
        operation = self.ops[counter]
        return bool(self._refusals(operation, min(operation.launched)))

    # -- acknowledging -------------------------------------------------------------------------

    def acknowledge(self, share: float, *, floor: bool) -> None:
        """Acknowledge some of what came on this connection."""
        session = self.online
        assert session is not None
        cursors: dict[ConversationId, int] = {}
        for conversation, through in sorted(session.run.items()):
            least = self.cursors.get(conversation, 0)
            seq = max(least, int(through * share))
            if seq:
                cursors[ConversationId(conversation)] = seq
                self._cursors_told.setdefault(conversation, set()).add(seq)
                self.cursors[conversation] = seq
        if floor:
            waiting = [counter for counter, one in self.ops.items() if one.open]
            self.floor = max(self.floor, min(waiting, default=self.counter + 1))
        session.write(f.Ack(tuple(cursors.items()), self.floor if floor else 0))

    def acknowledged(self, conversation: bytes) -> int:
        """Return the highest number ever acknowledged."""
        return max(self._cursors_told.get(conversation, ()), default=0)

    def counts_unread(self, listed: Listed, count: int, cursors: dict[bytes, int]) -> bool:
        """Whether a count of unread entries fits a cursor the server may have had."""
        least = cursors.get(listed.conversation, 0)
        possible = {0, *self._cursors_told.get(listed.conversation, ())}
        return any(count == unread(listed, one) for one in possible if one >= least)

    def told(self, register: f.Register) -> None:
        """Take a register's value; it must be one that was committed."""
        place = (register.conversation, register.key)
        values = {
            (one.version, one.value, one.position)
            for one in self.world.audit.registers
            if (one.account, one.conversation, one.key) == (self.account, *place)
        }
        assert register[2:] in values, "a value that was never committed"
        self.registers[place] = max(register.version, self.registers.get(place, 0))

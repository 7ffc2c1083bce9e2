"""Handlers of everything but messages: administration, history, registers, devices."""

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode, with_stream
from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import DeviceId
from wxserve.protocol.packing import pack
from wxserve.store import devices
from wxserve.store.contents import content_digest
from wxserve.store.conversations import AdminFrame
from wxserve.store.operations import Caller
from wxserve.store.reading import Piece, device_position_limit
from wxserve.store.registers import set_register
from wxserve.store.state import Conversation, Entry, MemberState, visible_through
from wxserve.store.store import Store, View
from wxserve.store.transaction import Transaction

from .bus import Bus
from .delivery import GONE_BY_AGE
from .dispatcher import Dispatcher, answer_of, check_op
from .invites import InviteAuthority
from .limits import RouterLimits
from .session import Session
from .syncing import Syncing

T = TypeVar("T")
LINK_CODE_VALID_S = 600
"""How long a code for one's own further device holds."""
ADMIN_FRAMES = (
    f.Create, f.Invite, f.Accept, f.Leave, f.Remove, f.SetRole, f.Close, f.Redact,
)  # fmt: skip


class Requests:
    """The handlers; ``revoked`` and ``changed`` tell the router what to do with other sessions."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        syncing: Syncing,
        bus: Bus,
        invites: InviteAuthority,
        limits: RouterLimits,
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._syncing = syncing
        self._bus = bus
        self._invites = invites
        self._limits = limits
        self.revoked: Callable[[DeviceId], None] = lambda _: None
        self.changed: Callable[[Session, f.Register], None] = lambda _, __: None
        dispatcher.handlers.update(dict.fromkeys(ADMIN_FRAMES, self._administer))
        dispatcher.handlers.update({
            f.Sync: self._sync,
            f.History: self._history,
            f.SetRegister: self._set_register,
            f.ListConversations: self._list_conversations,
            f.Members: self._members,
            f.ListDevices: self._list_devices,
            f.RenameDevice: self._rename_device,
            f.RevokeDevice: self._revoke_device,
            f.LinkDevice: self._link_device,
        })  # fmt: skip

    def _begin(self, session: Session, action: str) -> None:
        """Admit a request that is answered later.

        Raises:
            Refusal: a budget is used up, or too many are under way.
        """
        refusal = self._dispatcher.admit(session, action)
        if refusal is not None:
            raise refusal
        if session.requests >= self._limits.requests_pending_max:
            raise Refusal(ErrorCode.OVERLOADED, retry_after_ms=100)
        session.requests += 1

    def _begin_read(self, session: Session, read: Callable[[], None]) -> None:
        """Admit a read, which calls ``end_read`` before it writes its answer.

        Reads of a session take turns: a client may ask for much and read nothing, and no more than
        one answer beyond what already waits for it is held in memory.

        Raises:
            Refusal: see ``_begin``.
        """
        self._begin(session, "read")
        if session.reads is None:
            session.reads = deque()  # bounded: by requests_pending_max, see _begin
        session.reads.append(read)
        self.read_on(session)

    def read_on(self, session: Session) -> None:
        """Begin the next read, if the session can take an answer.

        Called again when the answer was taken to be written, so no read has to begin the next.
        """
        ready = session.link.outgoing_bytes <= self._limits.outgoing_bytes_low
        if ready and session.reads and not session.answering:
            session.answering = True
            session.reads.popleft()()

    # -- conversations -------------------------------------------------------------------------

    def _administer(self, session: Session, frame: AdminFrame, stream: int) -> None:
        check_op(session, frame.op)
        digest = content_digest(pack((type(frame).__name__, *frame)))
        unadmitted = self._dispatcher.admit(session, "administer")
        caller = Caller(session.account, session.device, frame.op, digest, unadmitted)

        def done(value: f.Accepted | Refusal, entries: tuple[Entry, ...]) -> None:
            session.link.write(encode(answer_of(value), stream))
            for entry in entries:
                self._bus.publish(entry)

        self._store.administer(caller, frame, done)

    def _sync(self, session: Session, frame: f.Sync, stream: int) -> None:
        refusal = self._dispatcher.admit(session, "read")
        if refusal is not None:
            raise refusal
        self._syncing.sync(session, frame, stream)

    def _list_conversations(
        self, session: Session, frame: f.ListConversations, stream: int
    ) -> None:
        limit = min(frame.limit, f.PAGE_CONVERSATIONS_MAX)
        self._begin_read(
            session, lambda: self._syncing.list_page(session, frame.after, limit, stream)
        )

    def _members(self, session: Session, frame: f.Members, stream: int) -> None:
        self._begin_read(session, lambda: self._find_members(session, frame, stream))

    def _find_members(self, session: Session, frame: f.Members, stream: int) -> None:
        limit = max(1, min(frame.limit, f.PAGE_CONVERSATIONS_MAX))

        def page(members: list[f.Member] | None) -> None:
            session.end_read()
            if members is None:
                self._refuse(session, stream, ErrorCode.OVERLOADED)
            else:
                more = len(members) > limit
                session.link.write(encode(f.MemberList(tuple(members[:limit]), more), stream))

        def found(state: Conversation | Refusal | None) -> None:
            if isinstance(state, Refusal):
                page(None)
                return
            member = state.members.get(session.account) if state is not None else None
            if member is None or member.state == MemberState.GONE:
                session.end_read()
                self._refuse(session, stream, ErrorCode.FORBIDDEN)
            elif not self._store.read_members(frame.conversation, frame.after, limit + 1, page):
                page(None)

        self._store.with_conversation(frame.conversation, found)

    # -- history -------------------------------------------------------------------------------

    def _history(self, session: Session, frame: f.History, stream: int) -> None:
        self._begin_read(session, lambda: self._find_history(session, frame, stream))

    def _find_history(self, session: Session, frame: f.History, stream: int) -> None:
        def found(state: Conversation | Refusal | None) -> None:
            if isinstance(state, Refusal):
                session.end_read()
                session.link.write(encode(state.reply, stream))
                return
            if state is None or not _reads(session, state):
                session.end_read()
                self._refuse(session, stream, ErrorCode.FORBIDDEN)
                return
            self._read_history(session, state, frame, stream)

        self._store.with_conversation(frame.conversation, found)

    def _read_history(
        self, session: Session, state: Conversation, frame: f.History, stream: int
    ) -> None:
        intervals = state.members[session.account].intervals
        first = max(1, frame.first)
        last = min(frame.last, visible_through(intervals, state.head))
        rows_max = max(1, min(frame.limit, self._store.limits.read_rows_max))
        if first > last:
            session.end_read()
            session.link.write(encode(f.Done(0), stream))
            return
        view = View(
            intervals,
            device_position_limit(state.kind, session.first_position),
            rows_max,
            self._limits.history_bytes,
        )
        wanted = self._store.range_of(state.id, first, min(last, first + rows_max - 1), view)

        def done(pieces: list[Piece] | None) -> None:
            session.end_read()
            if pieces is None:
                self._refuse(session, stream, ErrorCode.OVERLOADED)
            else:
                self._write_history(session, frame, stream, pieces, last)

        if not self._store.read_range(wanted, done):
            done(None)

    def _write_history(
        self, session: Session, frame: f.History, stream: int, pieces: list[Piece], last: int
    ) -> None:
        through = 0
        for piece in pieces:
            through = piece.through
            if piece.frame is not None:
                session.link.write(with_stream(piece.frame, stream))
            elif piece.reason == GONE_BY_AGE:
                session.link.write(encode(f.TooFar(frame.conversation, through + 1), stream))
            else:
                skip = f.Skip(frame.conversation, through, piece.reason)
                session.link.write(encode(skip, stream))
        session.link.write(encode(f.Done(through + 1 if through < last else 0), stream))

    # -- registers -----------------------------------------------------------------------------

    def _set_register(self, session: Session, frame: f.SetRegister, stream: int) -> None:
        self._begin(session, "register")
        account, limits = session.account, self._store.limits
        if frame.version >= 1 << 63:
            session.requests -= 1
            raise Refusal(ErrorCode.LIMIT_REACHED)

        def done(value: f.Register | Refusal, entries: tuple[Entry, ...]) -> None:
            del entries
            session.requests -= 1
            if isinstance(value, Refusal):
                session.link.write(encode(value.reply, stream))
                return
            session.link.write(encode(value, stream))
            if (value.version, value.value) == (frame.version, frame.value):
                self.changed(session, value)

        self._store.submit(lambda tx: set_register(tx, account, frame, limits), done)

    # -- devices -------------------------------------------------------------------------------

    def _submit(
        self,
        session: Session,
        stream: int,
        work: Callable[[Transaction], T],
        answer: Callable[[T], f.Frame],
    ) -> None:
        """Run a unit, publish what it appended, answer with what ``answer`` makes of its value."""
        self._begin(session, "administer")

        def done(value: T | Refusal, entries: tuple[Entry, ...]) -> None:
            session.requests -= 1
            reply = value.reply if isinstance(value, Refusal) else answer(value)
            session.link.write(encode(reply, stream))
            for entry in entries:
                self._bus.publish(entry)

        self._store.submit(work, done)

    def _list_devices(self, session: Session, frame: f.ListDevices, stream: int) -> None:
        del frame
        account = session.account
        self._submit(session, stream, lambda tx: devices.list_devices(tx, account), f.Devices)

    def _rename_device(self, session: Session, frame: f.RenameDevice, stream: int) -> None:
        account = session.account
        self._submit(
            session,
            stream,
            lambda tx: devices.rename_device(tx, account, frame.device, frame.name),
            lambda _: f.Done(0),
        )

    def _revoke_device(self, session: Session, frame: f.RevokeDevice, stream: int) -> None:
        self._begin(session, "administer")
        account = session.account

        def done(value: Refusal | None, entries: tuple[Entry, ...]) -> None:
            session.requests -= 1
            reply = f.Done(0) if value is None else value.reply
            session.link.write(encode(reply, stream))
            if value is None:
                self.revoked(frame.device)
            for entry in entries:
                self._bus.publish(entry)

        self._store.submit(lambda tx: devices.revoke_device(tx, account, frame.device), done)

    def _link_device(self, session: Session, frame: f.LinkDevice, stream: int) -> None:
        del frame
        self._begin(session, "administer")
        session.requests -= 1
        code = self._invites.issue(LINK_CODE_VALID_S, session.account)
        expires_ms = self._invites.check(code).expires_ms
        session.link.write(encode(f.LinkCode(code, expires_ms), stream))

    def _refuse(self, session: Session, stream: int, code: ErrorCode) -> None:
        session.link.write(encode(Refusal(code, retry_after_ms=0).reply, stream))


def _reads(session: Session, state: Conversation) -> bool:
    """Whether the device may read anything of a conversation, now or from earlier."""
    if state.kind is ConversationKind.DEVICE:
        return state.visible_to(session.account, session.device)
    member = state.members.get(session.account)
    return member is not None and bool(member.intervals)

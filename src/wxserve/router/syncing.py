"""SYNC: what changed for a device since a position, in pages, latest first."""

from typing import NamedTuple

from wxserve.protocol.codec import encode
from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal, error_frame
from wxserve.protocol.frames import (
    PAGE_CONVERSATIONS_MAX,
    PAGE_INTERVALS_MAX,
    Changes,
    Conversations,
    ConversationState,
    Sync,
)
from wxserve.protocol.identifiers import ConversationId
from wxserve.store.reading import Slice, Standing, readable
from wxserve.store.state import Conversation, Intervals, visible_through
from wxserve.store.store import Store

from .delivery import Delivery
from .registers import RegisterPushes
from .session import Following, Lag, Session

RETRY_MS = 1000
_U32_MAX = (1 << 32) - 1


class Seen(NamedTuple):
    """One conversation as the device sees it, brought up to date from memory."""

    state: ConversationState
    intervals: Intervals
    cursor: int


class Syncing:
    """Answers SYNC and LIST_CONVERSATIONS."""

    def __init__(self, store: Store, delivery: Delivery, registers: RegisterPushes) -> None:
        self.store = store
        self._delivery = delivery
        self._registers = registers

    # -- SYNC ----------------------------------------------------------------------------------

    def sync(self, session: Session, request: Sync, stream: int) -> None:
        """Begin to follow: list what changed, then push it, then push live.

        Raises:
            Refusal: OVERLOADED, an earlier SYNC of the session is not answered yet.
        """
        if session.following is Following.SYNCING:
            raise Refusal(ErrorCode.OVERLOADED, retry_after_ms=RETRY_MS)
        session.begin_anew()
        session.lagging.clear()
        session.early = {}
        if not self.store.changed_after(session.account, request.since):
            session.following = Following.LIVE
            session.link.write(encode(Changes((), more=False), stream))
            self._delivery.tell_synced(session)
            return
        session.following = Following.SYNCING
        _Synchronisation(self, session, request, stream).start()

    def follow(self, session: Session, changed: list[Seen], since: int) -> None:
        """Push what changed: registers, then entries; and from now on what comes."""
        session.following = Following.LIVE
        session.early = {}
        for seen in changed:
            self._follow(session, seen)
        self._registers.begin(session, since)

    def _follow(self, session: Session, seen: Seen) -> None:
        state = seen.state
        session.sent[state.conversation] = seen.cursor
        if seen.cursor < state.head:
            lag = Lag(ConversationKind(state.kind), seen.intervals, state.head)
            self._delivery.start_lag(session, state.conversation, lag)

    # -- LIST_CONVERSATIONS --------------------------------------------------------------------

    def list_page(self, session: Session, after: bytes, limit: int, stream: int) -> None:
        """Answer one page of all conversations, in the order of their ids."""
        _Listing(self.store, session, limit, stream).read(after)


class _Listing:
    """One LIST_CONVERSATIONS under way: slices are read until a page is full or all is read.

    What the device does not see is left out before the page is cut, so that a page is empty only
    when nothing is left.
    """

    def __init__(self, store: Store, session: Session, limit: int, stream: int) -> None:
        self._store = store
        self._session = session
        self._limit = max(1, limit)
        self._stream = stream
        self._states: list[ConversationState] = []

    def read(self, after: bytes) -> None:
        """Read the slice after a conversation."""
        session = self._session
        if not self._store.standings.read(session.account, session.device, after, self._sliced):
            self._sliced(None)

    def _sliced(self, read: Slice | None) -> None:
        if read is None:
            self._session.end_read()
            _refuse(self._session, self._stream)
            return
        seen = (see(self._store, self._session, standing) for standing in read.standings)
        self._states += [one.state for one in seen if one is not None]
        if read.after is not None and len(self._states) <= self._limit:
            self.read(read.after)
            return
        self._session.end_read()
        page, more = tuple(self._states[: self._limit]), len(self._states) > self._limit
        self._session.link.write(encode(Conversations(page, more), self._stream))


class _Synchronisation:
    """One SYNC under way: what changed of the account's conversations, in slices, then the answer.

    What gets an entry meanwhile and was not read, is read at last: unchanged before, or new.
    """

    def __init__(self, owner: Syncing, session: Session, request: Sync, stream: int) -> None:
        self._owner = owner
        self._store = owner.store
        self._session = session
        self._since = request.since
        self._page = max(1, min(request.limit, PAGE_CONVERSATIONS_MAX))
        self._stream = stream
        self._early = session.early
        self._standings: dict[ConversationId, Standing] = {}
        self._looked: set[ConversationId] = set()

    def start(self) -> None:
        self._read(b"")

    def _read(self, after: bytes) -> None:
        session, standings = self._session, self._store.standings
        if not standings.read_changed(
            session.account, session.device, self._since, after, self._sliced
        ):
            self._sliced(None)

    def _sliced(self, read: Slice | None) -> None:
        """Go on, unless the session is over; give up, with a refusal, when a read failed."""
        if self._session.following is not Following.SYNCING:
            return
        if read is None:
            self._session.following = Following.NOTHING
            _refuse(self._session, self._stream)
            return
        self._standings.update((standing.conversation, standing) for standing in read.standings)
        if read.after is not None:
            self._read(read.after)
        elif unread := self._early.keys() - self._standings.keys() - self._looked:
            self._read_early(sorted(unread)[: self._store.limits.read_rows_max])
        else:
            self._answer()

    def _read_early(self, unread: list[ConversationId]) -> None:
        session = self._session
        self._looked.update(unread)
        if not self._store.standings.read_some(
            session.account, session.device, unread, self._sliced
        ):
            self._sliced(None)

    def _answer(self) -> None:
        session, early = self._session, self._early
        changed = [
            seen
            for seen in (
                see(self._store, session, standing, early.get(standing.conversation))
                for standing in self._standings.values()
            )
            if seen is not None and seen.state.position > self._since
        ]
        changed.sort(key=lambda seen: -seen.state.position)
        self._write_pages(changed)
        self._owner.follow(session, changed, self._since)

    def _write_pages(self, changed: list[Seen]) -> None:
        states = [seen.state for seen in changed]
        for start in range(0, max(1, len(states)), self._page):
            page = tuple(states[start : start + self._page])
            more = start + self._page < len(states)
            self._session.link.write(encode(Changes(page, more), self._stream))


def see(
    store: Store, session: Session, standing: Standing, known: Conversation | None = None
) -> Seen | None:
    """Return a conversation as the device sees it now; None if it sees nothing of it.

    ``known`` is its newest state, if the session was told one since ``standing`` was read.
    """
    cached = store.cached(standing.conversation) or known
    if cached is not None and session.account in cached.members:
        member = cached.members[session.account]
        standing = standing._replace(
            intervals=member.intervals, changed_position=member.changed_position
        )
    if not readable(standing, session.device):
        return None
    seq, position = store.standings.head_of(standing)
    if known is not None and known.head > seq:
        seq, position = known.head, known.position
    head = visible_through(standing.intervals, seq)
    if head < seq:
        position = standing.changed_position
    position = max(position, standing.changed_position)
    unwritten = store.cursors.unwritten(session.device)
    cursor = max(standing.cursor, unwritten.get(standing.conversation, 0))
    unread = sum(
        max(0, min(last or head, head) - max(first - 1, cursor))
        for first, last in standing.intervals
    )
    state = ConversationState(
        standing.conversation,
        standing.kind,
        head,
        position,
        min(unread, _U32_MAX),
        standing.intervals[-PAGE_INTERVALS_MAX:],
    )
    return Seen(state, standing.intervals, cursor)


def _refuse(session: Session, stream: int) -> None:
    session.link.write(encode(error_frame(ErrorCode.OVERLOADED, retry_after_ms=RETRY_MS), stream))

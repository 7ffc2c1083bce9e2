"""Delivery: committed entries to sessions, live where they follow on, from the log elsewhere."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import trio

from wxserve.protocol.codec import encode
from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.frames import Skip, Synced, TooFar
from wxserve.protocol.identifiers import AccountId, ConversationId
from wxserve.store.reading import Piece, Range, SkipReason, device_position_limit
from wxserve.store.state import Conversation, Entry
from wxserve.store.store import Store, View

from .directory import Directory
from .fanouts import Fanouts
from .limits import RouterLimits
from .session import Following, Lag, Session

GONE_BY_AGE: Final = 0
"""The reason of a piece that is told as TOO_FAR."""
# Names of their own: on every message's path it would be felt to look into an enum's class.
_NOTHING: Final = Following.NOTHING
_LIVE: Final = Following.LIVE


class Delivery:
    """Pushes entries, and reads on from the log for the sessions that lag."""

    def __init__(self, store: Store, directory: Directory, limits: RouterLimits) -> None:
        self._store = store
        self._directory = directory
        self._limits = limits
        self._fanouts = Fanouts(limits.fanouts_waiting_max, limits.fanout_step_sessions)
        self._untold: dict[Session, None] = {}

    # -- live ----------------------------------------------------------------------------------

    def publish(self, entry: Entry) -> None:
        """Hand an entry to every session that may see it; a bus subscriber."""
        joined = entry.conversation.joined
        if len(joined) > self._limits.fanout_step_sessions:
            self._start_fanout(entry)
        else:
            self._push_to(entry, joined)
        if entry.also is not None:
            self._push_to(entry, (entry.also,))

    def _push_to(self, entry: Entry, accounts: tuple[AccountId, ...]) -> None:
        """Push an entry where it follows what the session has; elsewhere leave it to the log."""
        conversation, seq, _, frame, _, _, _ = entry
        identifier, size, before = conversation.id, len(frame), seq - 1
        by_account, outgoing_max = self._directory.by_account.get, self._limits.outgoing_bytes_max
        for account in accounts:
            for session in by_account(account, ()):
                if session.following is _NOTHING:
                    continue
                sent = session.sent.get(identifier)
                if sent is None:
                    sent = self._first_push(session, conversation, seq)
                if sent is None or sent >= seq:
                    continue
                if (
                    sent == before
                    and identifier not in session.lagging
                    and session.credit_entries > 0
                    and session.credit_bytes > 0
                    and session.link.outgoing_bytes < outgoing_max
                ):
                    session.link.write(frame)
                    session.sent[identifier] = seq
                    session.credit_bytes -= size
                    session.credit_entries -= 1
                    if not session.untold:
                        self.note_untold(session)
                else:
                    self.fall_behind(session, conversation, seq)

    def _followers(self, accounts: tuple[AccountId, ...]) -> Iterator[Session]:
        for account in accounts:
            for session in self._directory.of_account(account):
                if session.following is not _NOTHING:
                    yield session

    def _first_push(self, session: Session, conversation: Conversation, seq: int) -> int | None:
        """Return what the session has of a conversation that was quiet since its log-in.

        That is everything, but for what a large fan-out has still to bring it.
        """
        if session.following is Following.SYNCING:
            known = session.early.get(conversation.id)
            if known is None or known.head <= conversation.head:
                session.early[conversation.id] = conversation  # a fan-out may come late
            return None
        if conversation.kind is ConversationKind.DEVICE and not conversation.visible_to(
            session.account, session.device
        ):
            return None
        first = conversation.members[session.account].intervals[-1][0]
        missing = self._fanouts.first_waiting(conversation.id)
        next_seq = seq if missing is None else max(first, min(missing, seq))
        if first == next_seq > 1:
            self._write_skip(session, conversation.id, first - 1, SkipReason.NOT_VISIBLE)
        session.sent[conversation.id] = next_seq - 1
        return next_seq - 1

    def _write_skip(
        self, session: Session, conversation: ConversationId, through: int, reason: int
    ) -> None:
        if reason == GONE_BY_AGE:
            session.link.write(encode(TooFar(conversation, through + 1)))
        else:
            session.link.write(encode(Skip(conversation, through, reason)))
        session.sent[conversation] = through
        session.credit_entries -= 1
        self.note_untold(session)

    def accept_own(self, session: Session, entry: Entry) -> bool:
        """Account for an entry of the session's own device.

        Returns:
            Whether ACCEPTED stands for the DELIVER: the session has everything before it.
        """
        conversation, seq, _, _, _, _, _ = entry
        identifier = conversation.id
        if session.following is _NOTHING:
            return False
        sent = session.sent.get(identifier)
        if sent is None:
            sent = self._first_push(session, conversation, seq)
            if sent is None:
                return False
        if sent != seq - 1 or identifier in session.lagging:
            if sent < seq:
                self.fall_behind(session, conversation, seq)
            return False
        session.sent[identifier] = seq
        if not session.untold:
            self.note_untold(session)
        return True

    # -- large fan-outs ------------------------------------------------------------------------

    def _start_fanout(self, entry: Entry) -> None:
        """Queue a large fan-out. When the queue is full, the oldest one is left to the log."""
        if self._fanouts.full:
            oldest = self._fanouts.oldest
            for session in self._followers(oldest.rest):
                self._leave_to_log(session, oldest.entry)
            self._fanouts.drop_oldest()
        self._fanouts.add(entry)

    def _leave_to_log(self, session: Session, entry: Entry) -> None:
        sent = session.sent.get(entry.conversation.id)
        if sent is None:
            sent = self._first_push(session, entry.conversation, entry.seq)
        if sent is not None and sent < entry.seq:
            self.fall_behind(session, entry.conversation, entry.seq)

    async def run_fanouts(self) -> None:
        """Serve the large fan-outs in steps, for ever."""
        while True:
            await self._fanouts.wait()
            self.fanout_step()
            await trio.lowlevel.checkpoint()

    def fanout_step(self) -> None:
        """Serve the next part of the oldest large fan-out."""
        if self._fanouts:
            self._push_to(*self._fanouts.take_step())
            self._fanouts.end_step()

    # -- from the log --------------------------------------------------------------------------

    def fall_behind(self, session: Session, conversation: Conversation, head: int) -> None:
        """Read a conversation on from the log, up to ``head`` at least."""
        intervals = conversation.members[session.account].intervals
        lag = session.lagging.get(conversation.id)
        if lag is None:
            self.start_lag(session, conversation.id, Lag(conversation.kind, intervals, head))
            self.refill(session)
        elif head > lag.head:
            # A fan-out may come after a later entry that had fewer readers.
            lag.head, lag.intervals = head, intervals

    def start_lag(self, session: Session, conversation: ConversationId, lag: Lag) -> None:
        """Put a conversation last in the session's turns; ``sent`` must be set."""
        session.lagging[conversation] = lag
        self.note_untold(session)

    def refill(self, session: Session) -> None:
        """Read on for the conversations whose turn it is, if the session can take it."""
        if session.reading or session.following is not _LIVE:
            return
        if not session.lagging or session.registers_after is not None:
            return
        if not session.has_credit or session.link.outgoing_bytes > self._limits.outgoing_bytes_low:
            return
        turns = list(islice(session.lagging.items(), self._limits.read_conversations))
        for conversation, lag in turns:
            del session.lagging[conversation]
            session.lagging[conversation] = lag
        wanted = [self._range(session, *turn, len(turns)) for turn in turns]

        def done(ranges: list[list[Piece]] | None) -> None:
            session.reading = False
            self._read(session, turns, ranges)

        session.reading = self._store.read_ranges(wanted, done)

    def _range(
        self, session: Session, conversation: ConversationId, lag: Lag, sharers: int
    ) -> Range:
        """Describe the next part of a conversation that shares a read with others."""
        limits = self._limits
        rows_max = max(1, min(limits.read_entries, session.credit_entries) // sharers)
        first = session.sent[conversation] + 1
        view = View(
            lag.intervals,
            device_position_limit(lag.kind, session.first_position),
            rows_max,
            max(1, min(limits.read_bytes, session.credit_bytes) // sharers),
        )
        last = min(lag.head, first + rows_max - 1)
        return self._store.range_of(conversation, first, last, view)

    def _read(
        self,
        session: Session,
        turns: list[tuple[ConversationId, Lag]],
        ranges: list[list[Piece]] | None,
    ) -> None:
        """Write what was read. A failed read is tried again with the next tick."""
        if ranges is None or session.following is not _LIVE:
            return
        for (conversation, lag), pieces in zip(turns, ranges, strict=True):
            if session.lagging.get(conversation) is lag:
                self._write_pieces(session, conversation, lag, pieces)
        self.go_on(session)

    def go_on(self, session: Session) -> None:
        """Read on where the session lags, or tell it that it has everything."""
        if session.lagging:
            self.refill(session)
        else:
            self.tell_synced(session)

    def _write_pieces(
        self, session: Session, conversation: ConversationId, lag: Lag, pieces: list[Piece]
    ) -> None:
        sent = session.sent[conversation]
        for through, frame, reason in pieces:
            if not session.has_credit:
                break
            if through <= sent:
                continue
            sent = through
            if frame is not None:
                session.link.write(frame)
                session.sent[conversation] = through
                session.credit_bytes -= len(frame)
                session.credit_entries -= 1
            else:
                self._write_skip(session, conversation, through, reason)
        if sent >= lag.head:
            del session.lagging[conversation]

    # -- how far -------------------------------------------------------------------------------

    def note_untold(self, session: Session) -> None:
        """Something was pushed: SYNCED is due within its interval."""
        if not session.untold:
            session.untold = True
            self._untold[session] = None

    def tell_synced(self, session: Session) -> None:
        """Tell a session that has everything how far that is; one that has not, later."""
        if session.following is not _LIVE:
            return
        if session.lagging or self._fanouts or session.has_registers:
            self.note_untold(session)
            return
        session.untold = False
        self._untold.pop(session, None)
        session.link.write(encode(Synced(self._store.position)))

    def tick(self) -> None:
        """Tell SYNCED where something was pushed; go on where a read failed."""
        for session in list(self._untold):
            self.go_on(session)

    def forget(self, session: Session) -> None:
        """The session is over."""
        session.following = Following.NOTHING
        session.lagging.clear()
        self._untold.pop(session, None)

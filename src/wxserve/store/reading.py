"""Reads on the reading connections: ranges of entries, changed conversations, pages."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.frames import Member as MemberRow
from wxserve.protocol.frames import Register
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, device_conversation
from wxserve.protocol.rows import make

from .contents import EXPIRED, REDACTED
from .loading import unpack_intervals
from .state import PER_DEVICE_KINDS, Intervals, MemberState, clip


class SkipReason:
    """Why entries will not come; the values are those on the wire."""

    EXPIRED: Final = 1
    REDACTED: Final = 2
    NOT_VISIBLE: Final = 3


_REASONS: Final = {REDACTED: SkipReason.REDACTED, EXPIRED: SkipReason.EXPIRED}


class Piece(NamedTuple):
    """A part of a range, as it is told to a device.

    Attributes:
        through: the last sequence number it covers.
        frame: the encoded DELIVER of exactly that entry, or None.
        reason: of a SKIP, when there is no frame; 0 means TOO_FAR: gone by age.
    """

    through: int
    frame: bytes | None
    reason: int


class Range(NamedTuple):
    """Which entries to read, and for whom.

    Attributes:
        conversation: whose log.
        first: the first sequence number wanted.
        last: the last one wanted; it must be committed.
        intervals: what the account may see.
        first_position: entries before it are not visible to the device; 0 for no such limit.
        unmerged_first: sequence number of the first entry in ``unmerged``.
        unmerged: positions of the range's entries that the index may not know yet, up to ``last``.
        rows_max: how many entries at most.
        bytes_max: after how many bytes of frames to stop; one entry always comes.
        running_ms: the running time, for expiry.
    """

    conversation: ConversationId
    first: int
    last: int
    intervals: Intervals
    first_position: int
    unmerged_first: int
    unmerged: tuple[int, ...]
    rows_max: int
    bytes_max: int
    running_ms: int


_MERGED: Final = (
    "SELECT e.seq, l.position, l.state, l.expires_ms, l.frame FROM entry e "
    "JOIN log l ON l.position = e.position "
    "WHERE e.conversation = ? AND e.seq BETWEEN ? AND ? ORDER BY e.seq LIMIT ?"
)
_AT_ONCE: Final = 32
_PLACES: Final = ", ".join("?" * _AT_ONCE)
_UNMERGED: Final = (
    "SELECT seq, position, state, expires_ms, frame FROM log "  # noqa: S608
    f"WHERE position IN ({_PLACES}) ORDER BY position"
)
"""Takes as many positions in a statement; one each cost three times as much."""


def read_range(sql: sqlite3.Connection, wanted: Range) -> list[Piece]:
    """Return the range as gapless pieces, from its first number on, clipped to what is visible.

    Every number is covered by an entry or by a skip with its reason; a hole is a defect.
    """
    row = sql.execute(
        "SELECT floor_seq FROM conversation WHERE conversation = ?", (wanted.conversation,)
    ).fetchone()
    reader = _RangeReader(sql, wanted, floor=row[0] if row else 0)
    seq = wanted.first
    while seq <= wanted.last and not reader.full:
        first, last = clip(wanted.intervals, seq, wanted.last)
        if first == 0:
            reader.skip(wanted.last, SkipReason.NOT_VISIBLE)
            break
        if first > seq:
            reader.skip(first - 1, SkipReason.NOT_VISIBLE)
        seq = reader.visible(first, last)
    return reader.pieces


class _RangeReader:
    """Collects the pieces of one range."""

    def __init__(self, sql: sqlite3.Connection, wanted: Range, floor: int) -> None:
        self._sql = sql
        self._wanted = wanted
        self._floor = floor
        self._rows_left = wanted.rows_max
        self._bytes_left = wanted.bytes_max
        self.pieces: list[Piece] = []

    @property
    def full(self) -> bool:
        """Whether a limit is reached."""
        return self._rows_left <= 0 or self._bytes_left <= 0

    def skip(self, through: int, reason: int) -> None:
        """Add a skip; neighbours with one reason become one."""
        last = self.pieces[-1] if self.pieces else None
        if last is not None and last.frame is None and last.reason == reason:
            self.pieces.pop()
        self.pieces.append(Piece(through, None, reason))

    def visible(self, first: int, last: int) -> int:
        """Read a visible run; return the next number wanted."""
        if first <= self._floor:
            self.skip(min(self._floor, last), 0)
            return min(self._floor, last) + 1
        expected = first
        first_position, now_ms = self._wanted.first_position, self._wanted.running_ms
        for seq, position, state, expires_ms, frame in self._rows(first, last):
            if seq != expected:
                raise sqlite3.DatabaseError(f"entry {expected} is missing from the index")
            expected += 1
            self._rows_left -= 1
            if position < first_position:
                self.skip(seq, SkipReason.NOT_VISIBLE)
            elif state:
                self.skip(seq, _REASONS[state])
            elif expires_ms and expires_ms <= now_ms:
                self.skip(seq, SkipReason.EXPIRED)
            else:
                self.pieces.append(make(Piece, seq, frame, 0))
                self._bytes_left -= len(frame)
                if self._bytes_left <= 0:
                    break
        if expected == first:
            raise sqlite3.DatabaseError(f"entry {first} is missing from the index")
        return expected

    def _rows(self, first: int, last: int) -> list[tuple[int, int, int, int, bytes]]:
        wanted, rows = self._wanted, []
        merged_last = min(last, wanted.unmerged_first - 1) if wanted.unmerged else last
        if first <= merged_last:
            rows = self._sql.execute(
                _MERGED, (wanted.conversation, first, merged_last, self._rows_left)
            ).fetchall()
        start = max(first, wanted.unmerged_first) - wanted.unmerged_first
        room = self._rows_left - len(rows)
        if wanted.unmerged and last >= wanted.unmerged_first and room > 0:
            stop = min(last - wanted.unmerged_first + 1, start + room)
            for at in range(start, stop, _AT_ONCE):
                some = wanted.unmerged[at : min(at + _AT_ONCE, stop)]
                some += some[-1:] * (_AT_ONCE - len(some))
                rows += self._sql.execute(_UNMERGED, some).fetchall()
        return rows


class Standing(NamedTuple):
    """One of an account's conversations, as stored.

    Attributes:
        head: (seq, position) as merged; newer ones are in memory.
        cursor: what the device has acknowledged, as written.
    """

    conversation: ConversationId
    kind: int
    head: tuple[int, int]
    state: int
    intervals: Intervals
    changed_position: int
    cursor: int


class Page(NamedTuple):
    """Which of an account's conversations to look at.

    Attributes:
        account: whose.
        device: whose cursors to tell.
        after: the id after which to begin.
        rows_max: how many.
    """

    account: AccountId
    device: DeviceId
    after: bytes
    rows_max: int


class Slice(NamedTuple):
    """A part of an account's conversations, in the order of their ids.

    Attributes:
        standings: what was asked for of them.
        after: the id after which the next slice begins; None when this was the last one.
    """

    standings: list[Standing]
    after: ConversationId | None


_STANDING: Final = (
    "SELECT m.conversation, c.kind, coalesce(e.seq, c.floor_seq), "
    "coalesce(e.position, c.floor_position), m.state, m.intervals, "
    "m.changed_position, coalesce(k.seq, 0) FROM member m "
    "JOIN conversation c ON c.conversation = m.conversation "
    "LEFT JOIN entry e ON e.conversation = m.conversation "
    "AND e.seq = (SELECT max(seq) FROM entry WHERE conversation = m.conversation) "
    "LEFT JOIN cursor k ON k.device = ? AND k.conversation = m.conversation "
    "WHERE m.account = ? AND m.conversation "
)
_IDS: Final = (
    "SELECT conversation, 0 FROM member "
    "WHERE account = ? AND conversation > ? ORDER BY conversation LIMIT ?"
)
_CHANGED_IDS: Final = (
    "SELECT m.conversation, m.changed_position > :since OR coalesce("
    "(SELECT position FROM entry WHERE conversation = m.conversation ORDER BY seq DESC LIMIT 1), "
    "(SELECT floor_position FROM conversation WHERE conversation = m.conversation)) > :since "
    "FROM member m WHERE m.account = :account AND m.conversation > :after "
    "ORDER BY m.conversation LIMIT :rows_max"
)


def read_standings(sql: sqlite3.Connection, page: Page) -> Slice:
    """Return all of a page.

    Conversations that only another device reads, and invitations never accepted, are included
    with what they are; the caller decides.
    """
    rows = sql.execute(
        f"{_STANDING} > ? ORDER BY m.conversation LIMIT ?",
        (page.device, page.account, page.after, page.rows_max),
    )
    standings = [_standing(row) for row in rows]
    more = len(standings) == page.rows_max
    return Slice(standings, standings[-1].conversation if more else None)


def read_changed(
    sql: sqlite3.Connection,
    page: Page,
    changed: Callable[[ConversationId], bool],
    since: int | None,
) -> Slice:
    """Return those of a page that changed.

    Args:
        sql: the connection.
        page: which to look at.
        changed: what memory knows of.
        since: the position after which the tables are asked too; None if memory knows all.
    """
    account, device, after, rows_max = page
    if since is None:
        rows = sql.execute(_IDS, (account, after, rows_max)).fetchall()
    else:
        names = {"since": since, "account": account, "after": after, "rows_max": rows_max}
        rows = sql.execute(_CHANGED_IDS, names).fetchall()
    wanted = [ConversationId(one) for one, is_stored in rows if is_stored or changed(one)]
    some = read_some(sql, account, device, wanted)
    return Slice(some.standings, rows[-1][0] if len(rows) == rows_max else None)


def read_some(
    sql: sqlite3.Connection,
    account: AccountId,
    device: DeviceId,
    conversations: Iterable[ConversationId],
) -> Slice:
    """Return the given conversations, as far as they are the account's."""
    rows = [
        row
        for conversation in conversations
        for row in sql.execute(f"{_STANDING} = ?", (device, account, conversation))
    ]
    return Slice([_standing(row) for row in rows], None)


def _standing(row: tuple[Any, ...]) -> Standing:
    conversation, kind, seq, position, state, intervals, changed, cursor = row
    return Standing(
        ConversationId(conversation), kind, (seq, position), state, unpack_intervals(intervals),
        changed, cursor,
    )  # fmt: skip


def readable(standing: Standing, device: DeviceId) -> bool:
    """Whether the device may see anything of it."""
    if standing.kind == ConversationKind.DEVICE:
        return standing.conversation == device_conversation(device)
    return bool(standing.intervals)


def device_position_limit(kind: int, first_position: int) -> int:
    """Return the position before which a device sees nothing in a conversation of this kind."""
    return first_position if kind in PER_DEVICE_KINDS else 0


def read_registers(
    sql: sqlite3.Connection, account: AccountId, after: int, rows_max: int
) -> list[Register]:
    """Return the account's registers that changed after a position, in commit order."""
    return [
        Register(ConversationId(conversation), key, version, value, position)
        for conversation, key, version, value, position in sql.execute(
            "SELECT conversation, key, version, value, position FROM register "
            "WHERE account = ? AND position > ? ORDER BY position LIMIT ?",
            (account, after, rows_max),
        )
    ]


def read_members(
    sql: sqlite3.Connection, conversation: ConversationId, after: bytes, rows_max: int
) -> list[MemberRow]:
    """Return the members and invited of a conversation after the account ``after``."""
    return [
        MemberRow(AccountId(account), role, state, name)
        for account, role, state, name in sql.execute(
            "SELECT m.account, m.role, m.state, a.name FROM member m "
            "JOIN account a ON a.account = m.account "
            "WHERE m.conversation = ? AND m.account > ? AND m.state <> ? "
            "ORDER BY m.account LIMIT ?",
            (conversation, after, MemberState.GONE, rows_max),
        )
    ]

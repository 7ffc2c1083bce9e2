"""What is deleted: expired content, and entries that nobody waits for any more.

What may go is looked for on a reading connection, and goes in a unit of its own. Between the two
nothing can come to need it: whoever joins or enrols meanwhile sees later entries only.
"""

import sqlite3
from typing import Final, NamedTuple

from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.identifiers import ConversationId, DeviceId, device_conversation

from .contents import EXPIRED, delete_contents, keep_digests
from .limits import StoreLimits
from .loading import unpack_intervals
from .state import visible_through
from .transaction import Transaction

ROWS_MAX: Final = 256
"""Log rows looked at, or changed, at once."""
INVITES_KEPT_MS: Final = 400 * 86_400_000
"""How long after its end a used invite is remembered: no jump of the wall clock makes it new."""
_FOREVER: Final = 1 << 62


class Part(NamedTuple):
    """The part of the log that is looked at.

    Attributes:
        after: the position after which to begin.
        through: the position up to which everything is merged.
        running_ms: the running time now.
    """

    after: int
    through: int
    running_ms: int


class Floor(NamedTuple):
    """Where a conversation's log begins: the last number that is gone, and its position."""

    seq: int
    position: int


class Found(NamedTuple):
    """What may go.

    Attributes:
        after: where to look on; 0 when everything old enough was looked at.
        entries: position and operation of the log rows.
        floors: per conversation its floor as it was and as it will be.
        unmerged: what is not merged yet is old enough too.
    """

    after: int
    entries: list[tuple[int, bytes | None]]
    floors: dict[ConversationId, tuple[Floor, Floor]]
    unmerged: bool


def find_prunable(sql: sqlite3.Connection, part: Part, limits: StoreLimits) -> Found:
    """Find old entries that every reader has acknowledged, or that are too old for anybody.

    Looks at a part of the merged log in commit order, so that what goes is always the beginning of
    a conversation.
    """
    young_ms = part.running_ms - int(limits.keep_acknowledged_s * 1000)
    too_old_ms = part.running_ms - int(limits.keep_s_max * 1000)
    rows = sql.execute(
        "SELECT position, conversation, seq, running_ms, op FROM log "
        "WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
        (part.after, part.through, ROWS_MAX),
    ).fetchall()
    floors: dict[ConversationId, tuple[Floor, Floor]] = {}
    pins: dict[ConversationId, int] = {}
    gone: list[tuple[int, bytes | None]] = []
    finished = len(rows) < ROWS_MAX
    unmerged = finished and _is_old(sql, part.through, young_ms)
    for position, conversation, seq, running_ms, op in rows:
        if running_ms > young_ms:
            finished, unmerged = True, False
            break
        if conversation not in pins:
            kind, floor = _floor(sql, conversation)
            floors[conversation] = floor, floor
            pins[conversation] = _pin(sql, conversation, kind, part.running_ms, limits)
        before, now = floors[conversation]
        if seq == now.seq + 1 and (seq <= pins[conversation] or running_ms <= too_old_ms):
            floors[conversation] = before, Floor(seq, position)
            gone.append((position, op))
    changed = {one: floor for one, floor in floors.items() if floor[0] != floor[1]}
    return Found(0 if finished else rows[-1][0], gone, changed, unmerged)


def _is_old(sql: sqlite3.Connection, position: int, young_ms: int) -> bool:
    """Whether the first entry after a position is old enough to be looked at."""
    row = sql.execute(
        "SELECT running_ms FROM log WHERE position > ? ORDER BY position LIMIT 1", (position,)
    ).fetchone()
    return row is not None and row[0] <= young_ms


def _floor(sql: sqlite3.Connection, conversation: ConversationId) -> tuple[int, Floor]:
    kind, seq, position = sql.execute(
        "SELECT kind, floor_seq, floor_position FROM conversation WHERE conversation = ?",
        (conversation,),
    ).fetchone()
    return kind, Floor(seq, position)


def _pin(
    sql: sqlite3.Connection,
    conversation: ConversationId,
    kind: int,
    running_ms: int,
    limits: StoreLimits,
) -> int:
    """Return the number through which every device that still counts has acknowledged.

    Written cursors only. Revoked and dormant devices do not count, nor do those that have all that
    their account may see, nor those that another device's own conversation is not for.
    """
    awake_ms = running_ms - int(limits.dormant_s * 1000)
    rows = sql.execute(
        "SELECT d.device, m.intervals, coalesce(k.seq, 0) FROM member m "
        "JOIN device d ON d.account = m.account AND d.revoked_ms = 0 AND d.awake_ms >= ? "
        "LEFT JOIN cursor k ON k.device = d.device AND k.conversation = m.conversation "
        "WHERE m.conversation = ?",
        (awake_ms, conversation),
    )
    pin = _FOREVER
    for device, packed, cursor in rows:
        alone = kind == ConversationKind.DEVICE
        if alone and device_conversation(DeviceId(device)) != conversation:
            continue
        if cursor < visible_through(unpack_intervals(packed), _FOREVER):
            pin = min(pin, cursor)
    return pin


def prune(tx: Transaction, found: Found) -> dict[ConversationId, int]:
    """Delete what was found; return the new floors."""
    tx.sql.execute(
        "INSERT INTO meta VALUES ('pruned', ?) "
        "ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
        (max((position for position, _ in found.entries), default=0),),
    )
    keep_digests(tx.sql, found.entries)
    tx.sql.executemany(
        "DELETE FROM log WHERE position = ?", [(position,) for position, _ in found.entries]
    )
    for conversation, (_, floor) in sorted(found.floors.items()):
        tx.sql.execute(
            "DELETE FROM entry WHERE conversation = ? AND seq <= ?", (conversation, floor.seq)
        )
        tx.sql.execute(
            "UPDATE conversation SET floor_seq = ?, floor_position = ? WHERE conversation = ?",
            (*floor, conversation),
        )
    return {conversation: floor.seq for conversation, (_, floor) in found.floors.items()}


def expire(tx: Transaction) -> int:
    """Delete the content of entries past their time to live; return how many."""
    rows = tx.sql.execute(
        "SELECT position FROM log WHERE expires_ms > 0 AND expires_ms <= ? LIMIT ?",
        (tx.running_ms, ROWS_MAX),
    ).fetchall()
    delete_contents(tx.sql, [position for (position,) in rows], EXPIRED)
    return len(rows)


def note_time(tx: Transaction) -> None:
    """Write down the running time, and forget invites that ended long ago."""
    tx.sql.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [("running", tx.running_ms), ("wall", tx.now_ms)],
    )
    tx.sql.execute("DELETE FROM invite_use WHERE expires_ms <= ?", (tx.now_ms - INVITES_KEPT_MS,))

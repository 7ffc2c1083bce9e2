"""Entries that were not handled yet, and the marking of those that were."""

import sqlite3
from typing import NamedTuple

from wxclient._protocol.identifiers import ConversationId
from wxclient.entry import Entry
from wxclient.exceptions import EntryAlreadyHandled
from wxclient.limits import Retention
from wxclient.records import OutboxRow

from .reading import ENTRY_COLUMNS, ENTRY_TABLES, read_entry
from .rows import HANDLED, PENDING, pack_op


class Pending(NamedTuple):
    """An entry to hand over, with its number in the file (ascending in a conversation)."""

    number: int
    entry: Entry


def pending_after(sql: sqlite3.Connection, number: int, *, own: bool, limit: int) -> list[Pending]:
    """Return the next entries to hand over after ``number``, in the order they came.

    Args:
        sql: the state file.
        number: 0 at first.
        own: this device's own entries too.
        limit: at most so many.
    """
    found = [
        Pending(row[0], read_entry(row[1:]))
        for mine in range(1 + own)  # two ranges of one index; each is read in order
        for row in sql.execute(
            f"SELECT e.id, {ENTRY_COLUMNS} FROM {ENTRY_TABLES}"  # noqa: S608 - constants
            " WHERE e.state = 0 AND e.own = ? AND e.id > ? ORDER BY e.id LIMIT ?",
            (mine, number, limit),
        )
    ]
    return sorted(found, key=lambda pending: pending.number)[:limit]


def pending_in(
    sql: sqlite3.Connection, conversation: ConversationId, through: int, *, own: bool
) -> Pending | None:
    """Return the first entry of a conversation to hand over, of those up to number ``through``."""
    found = [
        Pending(row[0], read_entry(row[1:]))
        for mine in range(1 + own)
        for row in sql.execute(
            f"SELECT e.id, {ENTRY_COLUMNS} FROM {ENTRY_TABLES}"  # noqa: S608 - constants
            " WHERE e.state = 0 AND e.conversation = ? AND e.own = ? AND e.id <= ?"
            " ORDER BY e.id LIMIT 1",
            (conversation, mine, through),
        )
    ]
    return min(found, key=lambda pending: pending.number, default=None)


def mark_handled(sql: sqlite3.Connection, pending: Pending) -> None:
    """Mark an entry as handled, inside the transaction that holds its effects.

    Raises:
        EntryAlreadyHandled: it was, so the effects exist already.
    """
    cursor = sql.execute(
        "UPDATE wx_entry SET state = ? WHERE id = ? AND state = ?",
        (HANDLED, pending.number, PENDING),
    )
    if cursor.rowcount != 1:
        raise EntryAlreadyHandled(pending.entry.conversation, pending.entry.seq)


def store_ops(sql: sqlite3.Connection, rows: list[OutboxRow], op_next: int) -> None:
    """Put operations into the outbox, inside an application's transaction."""
    sql.executemany("INSERT INTO wx_outbox VALUES (?, ?, ?, ?, ?)", map(pack_op, rows))
    sql.execute("UPDATE wx_identity SET op_next = max(op_next, ?)", (op_next,))


def trim(sql: sqlite3.Connection, retention: Retention) -> int:
    """Delete handled entries beyond the retention; return how many went."""
    if retention.handled_entries_max is None:
        return 0
    cursor = sql.execute(
        "DELETE FROM wx_entry WHERE (state = ? OR own = 1)"
        " AND id <= (SELECT max(id) FROM wx_entry) - ?",
        (HANDLED, retention.handled_entries_max),
    )
    return cursor.rowcount

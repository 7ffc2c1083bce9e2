"""Reads of the state file for applications: history, conversations, registers, outcomes."""

import sqlite3
from typing import Any, Final, NamedTuple

from wxclient._protocol.envelope import ConversationKind, Kind
from wxclient._protocol.frames import Accepted, Error
from wxclient._protocol.identifiers import ConversationId, OpId, Sender, op_counter
from wxclient.entry import Entry
from wxclient.records import Gap

from .rows import read_outcome

READ_KEY: Final = "read"
"""The register that says through which entry an account has read, as a big-endian u64."""
ENTRY_COLUMNS: Final = (
    "t.timeline, e.conversation, e.seq, e.position, e.time_ms, e.sender, e.kind, e.op, e.own,"
    " e.redacted, e.envelope"
)
ENTRY_TABLES: Final = "wx_entry e JOIN wx_timeline t ON t.number = e.timeline"
SQLITE_INTEGER_MAX: Final = 2**63 - 1


class ConversationView(NamedTuple):
    """A conversation as this device knows it.

    Attributes:
        conversation: its id.
        kind: see ``ConversationKind``; None if it is not known yet.
        head: newest entry known of.
        received: received through.
        unread: messages of others after the account's "read" register.
        joined: whether this account is a member now.
        position: commit position of the newest entry known of.
    """

    conversation: ConversationId
    kind: ConversationKind | None
    head: int
    received: int
    unread: int
    joined: bool
    position: int


class RegisterValue(NamedTuple):
    """A register as this device knows it."""

    key: str
    version: int
    value: bytes


def read_entry(row: tuple[Any, ...]) -> Entry:
    """Return the entry of a row of ``ENTRY_COLUMNS``."""
    timeline, conversation, seq, position, time_ms, sender, kind, op, own, redacted, envelope = row
    return Entry(
        timeline, ConversationId(conversation), seq, position, time_ms,
        None if sender is None else Sender(sender), kind, OpId(op), bool(own), bool(redacted),
        envelope,
    )  # fmt: skip


def history(
    sql: sqlite3.Connection, conversation: ConversationId, first: int, last: int, limit: int
) -> list[Entry]:
    """Return the newest ``limit`` stored entries between ``first`` and ``last``, oldest first.

    Of a sequence number that two timelines used, the later one's entry is returned.
    """
    rows = sql.execute(
        f"SELECT {ENTRY_COLUMNS}, max(e.timeline) FROM {ENTRY_TABLES}"  # noqa: S608 - constants
        " WHERE e.conversation = ? AND e.seq BETWEEN ? AND ?"
        " GROUP BY e.seq ORDER BY e.seq DESC LIMIT ?",
        (conversation, first, min(last, SQLITE_INTEGER_MAX), limit),
    ).fetchall()
    return [read_entry(row[:-1]) for row in reversed(rows)]


def gaps(sql: sqlite3.Connection, conversation: ConversationId) -> list[Gap]:
    """Return what this device did not get of a conversation, oldest first."""
    rows = sql.execute(
        "SELECT * FROM wx_gap WHERE conversation = ? ORDER BY first", (conversation,)
    )
    return [Gap(*row) for row in rows]


def conversations(sql: sqlite3.Connection, account: bytes) -> list[ConversationView]:
    """Return every known conversation, latest first."""
    rows = sql.execute(
        "SELECT c.conversation, c.kind, c.head, coalesce(c.received, 0), c.joined,"
        " max(c.position, coalesce((SELECT e.position FROM wx_entry e"
        "  WHERE e.conversation = c.conversation ORDER BY e.seq DESC LIMIT 1), 0)) AS latest,"
        " r.value FROM wx_conversation c LEFT JOIN wx_register r"
        " ON r.conversation = c.conversation AND r.key = ? ORDER BY latest DESC",
        (READ_KEY,),
    ).fetchall()
    return [
        ConversationView(
            ConversationId(conversation),
            ConversationKind(kind) if kind else None,
            head,
            received,
            _unread(sql, conversation, account, read_marker(value)),
            bool(joined),
            latest,
        )
        for conversation, kind, head, received, joined, latest, value in rows
    ]


def _unread(sql: sqlite3.Connection, conversation: bytes, account: bytes, read: int) -> int:
    (count,) = sql.execute(
        "SELECT count(*) FROM wx_entry WHERE conversation = ? AND seq > ? AND kind = ?"
        " AND redacted = 0 AND (sender IS NULL OR substr(sender, 1, 16) <> ?)",
        (conversation, read, int(Kind.MESSAGE), account),
    ).fetchone()
    return int(count)


def read_marker(value: bytes | None) -> int:
    """Return the sequence number in a "read" register; 0 for none or something else."""
    return int.from_bytes(value, "big") if value is not None and len(value) == 8 else 0


def registers(sql: sqlite3.Connection, conversation: ConversationId) -> list[RegisterValue]:
    """Return the stored registers of a conversation in the order of their keys."""
    rows = sql.execute(
        "SELECT key, version, value FROM wx_register WHERE conversation = ? ORDER BY key",
        (conversation,),
    )
    return [RegisterValue(*row) for row in rows]


def register(
    sql: sqlite3.Connection, conversation: ConversationId, key: str
) -> RegisterValue | None:
    """Return one stored register, or None."""
    row = sql.execute(
        "SELECT key, version, value FROM wx_register WHERE conversation = ? AND key = ?",
        (conversation, key),
    ).fetchone()
    return None if row is None else RegisterValue(*row)


def outcome(sql: sqlite3.Connection, op: OpId) -> Accepted | Error | None:
    """Return how an own operation ended; None if it is open, or too long ago."""
    row = sql.execute(
        "SELECT accepted, refused FROM wx_outcome WHERE counter = ? AND op = ?",
        (op_counter(op), op),
    ).fetchone()
    return None if row is None else read_outcome(*row)

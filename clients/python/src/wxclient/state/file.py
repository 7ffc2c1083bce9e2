"""The state file: opened, loaded, and written one batch at a time.

One connection, used by one thread at a time; whoever drives it sees to that. SQLite in WAL mode
with ``synchronous=FULL``: a commit is on stable storage when it returns.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from wxclient._protocol.identifiers import AccountId, ConversationId
from wxclient.exceptions import StateMissing
from wxclient.limits import CoreLimits
from wxclient.records import Batch, Identity, Snapshot

from .directory import DirectoryLock, private_file, sync_directory
from .following import follow
from .rows import pack_entry, pack_identity, pack_op, pack_outcome, read_identity, read_op
from .schema import migrate

Synchronous = Literal["FULL", "OFF"]
"""OFF is for simulations that cut the power themselves."""
_IDENTITY: Final = (
    "SELECT private_key, host, port, tls, pins, code, account_name, device_name, account, device,"
    " position, op_next FROM wx_identity"
)
_ENTRY: Final = (
    "INSERT INTO wx_entry (conversation, seq, timeline, position, time_ms, sender, tag, kind, op,"
    " state, own, envelope) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LISTED: Final = (
    "INSERT INTO wx_conversation (conversation, kind, head, position, joined)"
    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (conversation) DO UPDATE SET kind = excluded.kind,"
    " head = max(head, excluded.head), position = max(position, excluded.position),"
    " joined = excluded.joined"
)
_RECEIVED: Final = (
    "INSERT INTO wx_conversation (conversation, received, head) VALUES (?, ?, ?)"
    " ON CONFLICT (conversation) DO UPDATE SET received = excluded.received, clipped = 0,"
    " head = max(head, excluded.head)"
)
_SHORTENED: Final = (
    "UPDATE wx_gap SET through = min(through, ?1 - 1) WHERE conversation = ?2 AND through >= ?1"
)
_CLIPPED: Final = (
    "UPDATE wx_conversation SET clipped = 1, head = 0, position = 0,"
    " received = coalesce((SELECT max(e.seq) FROM wx_entry e JOIN wx_timeline t"
    "  ON t.number = e.timeline WHERE e.conversation = wx_conversation.conversation"
    "  AND e.position <= t.cut), 0)"
    " WHERE conversation IN (SELECT e.conversation FROM wx_entry e JOIN wx_timeline t"
    "  ON t.number = e.timeline WHERE e.position > t.cut)"
    " OR received IN (SELECT g.through FROM wx_gap g"
    "  WHERE g.conversation = wx_conversation.conversation)"
)
"""What may have been received after the cut: entries that were, and gaps that came last."""
_REGISTER: Final = (
    "INSERT INTO wx_register VALUES (?, ?, ?, ?) ON CONFLICT (conversation, key) DO UPDATE"
    " SET version = excluded.version, value = excluded.value WHERE excluded.version >= version"
)


class StateFile:
    """The durable half of a device.

    Args:
        directory: made if it is not there.
        synchronous: OFF only for simulations.

    Raises:
        StateInUse: somebody else has it open.
        StateTooNew: a newer version of the SDK wrote it.
    """

    def __init__(self, directory: Path, *, synchronous: Synchronous = "FULL") -> None:
        self._lock = DirectoryLock(directory)
        self._directory = directory
        try:
            self.sql = self._open(private_file(directory), synchronous)
        except BaseException:
            self._lock.release()
            raise
        self._closed = False
        self._timeline = 0
        self._account: AccountId | None = None

    @staticmethod
    def _open(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
        sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            sql.execute("PRAGMA journal_mode = WAL")
            sql.execute(f"PRAGMA synchronous = {synchronous}")
            migrate(sql)
        except BaseException:
            sql.close()
            raise
        return sql

    def close(self) -> None:
        """Close the file and let go of the directory; a second time nothing happens."""
        if self._closed:
            return
        self._closed = True
        self.sql.close()
        self._lock.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run what is inside as one transaction."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield self.sql
            self.sql.execute("COMMIT")
        except BaseException:
            if self.sql.in_transaction:
                self.sql.execute("ROLLBACK")
            raise

    # -- loading -------------------------------------------------------------------------------

    @property
    def enrolled(self) -> bool:
        """Whether the device has an account."""
        row = self.sql.execute("SELECT device FROM wx_identity").fetchone()
        return row is not None and row[0] is not None

    def invite(self, identity: Identity) -> None:
        """Keep how to enrol, durably, before it is tried.

        A device that is enrolled stays as it is. One that is not keeps its key, so that an attempt
        whose answer was lost can be repeated, and takes the new address and code.
        """
        with self.transaction() as sql:
            row = pack_identity(identity)
            sql.execute(
                "INSERT INTO wx_identity (one, private_key, host, port, tls, pins, code,"
                " account_name, device_name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (one) DO UPDATE SET host = excluded.host, port = excluded.port,"
                " tls = excluded.tls, pins = excluded.pins, code = excluded.code,"
                " account_name = excluded.account_name, device_name = excluded.device_name"
                " WHERE device IS NULL",
                row,
            )
        sync_directory(self._directory)

    def load(self) -> Snapshot:
        """Return everything the core must know.

        Raises:
            StateMissing: no invite was ever kept here.
        """
        row = self.sql.execute(_IDENTITY).fetchone()
        if row is None:
            raise StateMissing("no device lives here, and no invite was given")
        latest = self.sql.execute(
            "SELECT number, timeline FROM wx_timeline ORDER BY number DESC LIMIT 1"
        ).fetchone()
        self._timeline, timeline = latest or (0, b"")
        identity = read_identity(row[:10], timeline)
        self._account = identity.account
        outbox = self.sql.execute("SELECT * FROM wx_outbox ORDER BY counter")
        received = self.sql.execute(
            "SELECT conversation, received, clipped FROM wx_conversation WHERE received IS NOT NULL"
        ).fetchall()
        return Snapshot(
            identity,
            row[11],
            row[10],
            tuple(map(read_op, outbox)),
            {ConversationId(conversation): through for conversation, through, _ in received},
            frozenset(
                ConversationId(conversation) for conversation, _, clipped in received if clipped
            ),
        )

    # -- writing -------------------------------------------------------------------------------

    def commit(self, batch: Batch, limits: CoreLimits) -> None:
        """Write a batch in one transaction; everything of it is durable when this returns."""
        if not batch.durable:
            return
        with self.transaction() as sql:
            if batch.enrolled is not None:
                account, device, timeline = batch.enrolled
                self._account = account
                sql.execute(
                    "UPDATE wx_identity SET account = ?, device = ?, code = x''", (account, device)
                )
                self._timeline = _add_timeline(sql, timeline)
            self._write_ops(sql, batch, limits)
            self._write_log(sql, batch)
            sql.executemany(_REGISTER, [register[:4] for register in batch.registers])
            if batch.position is not None:
                sql.execute("UPDATE wx_identity SET position = ?", (batch.position,))

    @staticmethod
    def _write_ops(sql: sqlite3.Connection, batch: Batch, limits: CoreLimits) -> None:
        sql.executemany("INSERT INTO wx_outbox VALUES (?, ?, ?, ?, ?)", map(pack_op, batch.ops))
        if batch.op_next:
            sql.execute("UPDATE wx_identity SET op_next = max(op_next, ?)", (batch.op_next,))
        if not batch.outcomes:
            return
        counters = [(outcome.counter,) for outcome in batch.outcomes]
        sql.executemany("DELETE FROM wx_outbox WHERE counter = ?", counters)
        sql.executemany(
            "INSERT INTO wx_outcome VALUES (?, ?, ?, ?)", map(pack_outcome, batch.outcomes)
        )
        sql.execute(
            "DELETE FROM wx_outcome WHERE counter <= (SELECT max(counter) FROM wx_outcome) - ?",
            (limits.outcomes_max,),
        )

    def _write_log(self, sql: sqlite3.Connection, batch: Batch) -> None:
        sql.executemany(_ENTRY, [pack_entry(entry, self._timeline) for entry in batch.entries])
        resumed = [(first, conversation) for conversation, first in batch.resumed.items()]
        sql.executemany("DELETE FROM wx_gap WHERE first >= ? AND conversation = ?", resumed)
        sql.executemany(_SHORTENED, resumed)
        sql.executemany("INSERT INTO wx_gap VALUES (?, ?, ?, ?)", batch.gaps)
        received = [(conversation, seq, seq) for conversation, seq in batch.received.items()]
        sql.executemany(_RECEIVED, received)
        listed = [
            (state.conversation, state.kind, state.head, state.position, _joined(state.intervals))
            for state in batch.conversations.values()
        ]
        sql.executemany(_LISTED, listed)
        sql.executemany(
            "UPDATE wx_conversation SET kind = ? WHERE conversation = ? AND kind = 0",
            [(int(kind), conversation) for conversation, kind in batch.kinds.items()],
        )
        for entry in batch.entries:
            follow(sql, entry, self._account)

    def clip(self, timeline: bytes, cut: int) -> Snapshot:
        """Forget the receipt of everything after ``cut``: the server was restored to there.

        Entries stay, under the name of the timeline in which they came; gaps, whose place in the
        timeline nobody told, until the server says otherwise.

        Args:
            timeline: the new one.
            cut: last position that our timeline shares with it.
        """
        with self.transaction() as sql:
            sql.execute("UPDATE wx_timeline SET cut = min(coalesce(cut, ?1), ?1)", (cut,))
            sql.execute(_CLIPPED)
            sql.execute("UPDATE wx_identity SET position = min(position, ?)", (cut,))
            self._timeline = _add_timeline(sql, timeline)
        return self.load()


def _joined(intervals: tuple[tuple[int, int], ...]) -> int:
    return int(bool(intervals) and intervals[-1][1] == 0)


def _add_timeline(sql: sqlite3.Connection, timeline: bytes) -> int:
    sql.execute("INSERT INTO wx_timeline (timeline) VALUES (?) ON CONFLICT DO NOTHING", (timeline,))
    (number,) = sql.execute(
        "SELECT number FROM wx_timeline WHERE timeline = ?", (timeline,)
    ).fetchone()
    return int(number)

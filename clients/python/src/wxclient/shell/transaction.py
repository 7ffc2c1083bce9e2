"""The application's own transaction on the state file."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from wxclient._protocol.identifiers import ConversationId, OpId
from wxclient.exceptions import StateError
from wxclient.records import OutboxRow

SqlValue = None | int | float | str | bytes
Run = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function in the file's thread."""
_WRITES: Final = frozenset({
    sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_DROP_INDEX, sqlite3.SQLITE_CREATE_TRIGGER, sqlite3.SQLITE_CREATE_INDEX,
})  # fmt: skip
_FORBIDDEN: Final = frozenset({
    sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT, sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA,
})  # fmt: skip


class Composer(Protocol):
    """Makes the operation of a message without putting it into the outbox."""

    def __call__(
        self, conversation: ConversationId, body: bytes, *, ttl_s: int, priority: int
    ) -> tuple[OpId, OutboxRow]:
        """Return a new operation and its row."""
        ...


class Transaction:
    """Statements and messages that become durable together, or not at all.

    While it is open the client writes nothing else: received entries wait, and so does everything
    that must become durable. Keep it short.
    """

    def __init__(self, sql: sqlite3.Connection, run: Run, compose: Composer, rows_max: int) -> None:
        self._sql = sql
        self.run = run
        self._compose = compose
        self._rows_max = rows_max
        self.open = True
        self.committed = False
        self._ops: list[OutboxRow] = []

    async def execute(
        self, statement: str, parameters: Sequence[SqlValue] = ()
    ) -> list[tuple[Any, ...]]:
        """Run one SQL statement on the state file.

        Tables of the SDK (``wx_…``) can be read and not written; transactions, PRAGMA and ATTACH
        are the SDK's.

        Args:
            statement: one statement.
            parameters: its values.

        Returns:
            The rows, if any.

        Raises:
            StateError: the transaction is over, or the statement returns too many rows.
            sqlite3.Error: SQLite's reasons.

        Cancellation: the statement finishes first; the transaction is then rolled back by its
            ``async with``.
        """
        if not self.open:
            raise StateError("the transaction is over")
        rows: list[tuple[Any, ...]] = await self.run(lambda: self._execute(statement, parameters))
        return rows

    def _execute(self, statement: str, parameters: Sequence[SqlValue]) -> list[tuple[Any, ...]]:
        self._sql.set_authorizer(_authorize)
        try:
            cursor = self._sql.execute(statement, parameters)
            rows = cursor.fetchmany(self._rows_max + 1)
            cursor.close()
        finally:
            self._sql.set_authorizer(None)
        if len(rows) > self._rows_max:
            raise StateError(f"more than {self._rows_max} rows")
        return rows

    def send(
        self, conversation: ConversationId, body: bytes, *, ttl_s: int = 0, priority: int = 1
    ) -> OpId:
        """Send a message if, and only if, the transaction is committed.

        Args:
            conversation: where to.
            body: opaque to the server.
            ttl_s: seconds after which the server forgets it; 0 for its usual time.
            priority: 0 … 255.

        Returns:
            The operation, for ``wait_accepted`` after the transaction.

        Raises:
            StateError: the transaction is over.
            InvalidArgument: the server would not take it.
            OutboxFull: too much waits already.

        Delivery: exactly one entry, if the transaction is committed.
        """
        if not self.open:
            raise StateError("the transaction is over")
        op, row = self._compose(conversation, body, ttl_s=ttl_s, priority=priority)
        self._ops.append(row)
        return op

    def finish(self) -> list[OutboxRow]:
        """Take the messages; nothing more is accepted."""
        self.open = False
        return self._ops


def _authorize(
    action: int, one: str | None, two: str | None, _database: str | None, _trigger: str | None
) -> int:
    if action in _FORBIDDEN:
        return sqlite3.SQLITE_DENY
    if action in _WRITES or action == sqlite3.SQLITE_ALTER_TABLE:
        # An UPDATE names its column second, everything else the table.
        names = (one or "", "" if action == sqlite3.SQLITE_UPDATE else two or "")
        if any(name.lower().startswith("wx_") for name in names):
            return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK

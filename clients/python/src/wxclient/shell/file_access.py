"""The state file off the event loop: one thread at a time, one transaction after the other."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import anyio

from wxclient.exceptions import ClientClosed, InsideTransaction, StateError
from wxclient.records import OutboxRow
from wxclient.state.file import StateFile
from wxclient.state.handing import Pending, mark_handled, store_ops

from .threads import finish_in_thread
from .transaction import Composer, Transaction

Value = TypeVar("Value")
_inside: ContextVar[Transaction | None] = ContextVar("wxclient_transaction", default=None)


class FileAccess:
    """Who may use the state file, and when."""

    def __init__(self, state: StateFile, rows_max: int) -> None:
        self._limiter = anyio.CapacityLimiter(1)
        self._rows_max = rows_max
        self._closed = False
        self.lock = anyio.Lock()
        self.state = state

    async def thread(self, work: Callable[[], Value]) -> Value:
        """Run ``work`` in the file's thread; the lock is held.

        Cancellation: only before it starts.

        Raises:
            ClientClosed: the file was closed.
        """
        if self._closed:
            raise ClientClosed("the client was closed")
        return await finish_in_thread(work, self._limiter)

    async def close(self) -> None:
        """Close the file after what its thread is doing; an open transaction is undone.

        Cancellation: not at all; asyncio's own, which passes shields, comes when it is closed.
        """
        self._closed = True
        cancelled: BaseException | None = None
        with anyio.CancelScope(shield=True):  # noqa: ASYNC912 - no way out but through the thread
            while True:
                try:
                    await finish_in_thread(self.state.close, self._limiter)
                    break
                except anyio.get_cancelled_exc_class() as error:  # noqa: ASYNC103 - raised below
                    cancelled = error
        if cancelled is not None:
            raise cancelled

    def check_outside(self) -> None:
        """Refuse what would wait for the very transaction it is called in.

        Raises:
            InsideTransaction: called inside ``async with entry.commit()`` or ``transaction()``.
        """
        tx = _inside.get()
        if tx is not None and tx.open and tx.run == self.thread:
            raise InsideTransaction("not inside a transaction of the same client")

    async def read(self, work: Callable[[sqlite3.Connection], Value]) -> Value:
        """Run a read, or a statement that is a transaction by itself.

        Cancellation: only before it starts.

        Raises:
            InsideTransaction: see ``check_outside``.
        """
        self.check_outside()
        async with self.lock:
            return await self.thread(lambda: work(self.state.sql))

    async def mark_handled(self, pending: Pending) -> None:
        """Mark an entry as handled, as a transaction of its own.

        Cancellation: only before it starts.

        Raises:
            EntryAlreadyHandled: it was.
            InsideTransaction: see ``check_outside``.
        """

        def mark(_sql: sqlite3.Connection) -> None:
            with self.state.transaction() as sql:
                mark_handled(sql, pending)

        await self.read(mark)

    @asynccontextmanager
    async def transaction(
        self, compose: Composer, pending: Pending | None, store: Callable[[list[OutboxRow]], int]
    ) -> AsyncIterator[Transaction]:
        """Hold the file for an application's transaction.

        Args:
            compose: makes operations.
            pending: the entry that is marked as handled with it.
            store: called after the commit, before anybody else gets the file; without rows it
                returns the counter that is not used yet.

        Cancellation: rolled back, unless the commit has begun; then it is finished.

        Raises:
            EntryAlreadyHandled: the entry was handled before.
            InsideTransaction: called inside another one.
            StateError: SQLite gave up the transaction, as it does when the disk is full.
        """
        self.check_outside()
        sql = self.state.sql
        async with self.lock:
            tx = Transaction(sql, self.thread, compose, self._rows_max)
            before = _inside.get()
            _inside.set(tx)
            try:
                await self._shielded(lambda: _begin(sql, pending))
                yield tx
                commit = _committing(sql, tx, store([]))
                await self._shielded(commit)
            finally:
                _inside.set(before)
                rows = tx.finish()
                if tx.committed:  # also when the task was cancelled meanwhile
                    store(rows)
                elif not self._closed and sql.in_transaction:
                    await self._shielded(lambda: sql.execute("ROLLBACK"))  # noqa: ASYNC102 - it is

    async def _shielded(self, work: Callable[[], Any]) -> None:
        with anyio.CancelScope(shield=True):
            await self.thread(work)


def _begin(sql: sqlite3.Connection, pending: Pending | None) -> None:
    sql.execute("BEGIN IMMEDIATE")
    if pending is not None:
        mark_handled(sql, pending)


def _committing(sql: sqlite3.Connection, tx: Transaction, op_next: int) -> Callable[[], None]:
    rows = tx.finish()

    def commit() -> None:
        if not sql.in_transaction:
            raise StateError("SQLite rolled the transaction back")
        if rows:
            store_ops(sql, rows, op_next)
        sql.execute("COMMIT")
        tx.committed = True

    return commit

"""The port to the database driver: one writing connection and reading ones, each in its place."""

import sqlite3
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")
Done = Callable[[T | None, BaseException | None], None]
"""Called in the event loop with (result, None) or (None, error)."""


class Driver(Protocol):
    """Runs synchronous functions on database connections, away from the event loop."""

    def commit(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """Run ``work`` inside one transaction of the writing connection and commit it.

        One at a time: the caller waits for ``done`` before the next. When ``work`` or the commit
        fails, the transaction is rolled back and ``done`` gets the error.
        """
        ...

    def checkpoint(self, done: Done[int], *, whole: bool) -> None:
        """Copy the write-ahead log into the database, beside commits.

        ``done`` gets how many pages the log held.

        Args:
            done: told when it is over.
            whole: the caller commits nothing meanwhile, and reads that would keep a long log from
                starting anew are held back.
        """
        ...

    def read(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """Run ``work`` inside one read transaction of a reading connection."""
        ...

    def defer(self, call: Callable[[], None]) -> None:
        """Call a function in the event loop's next step."""
        ...


def in_transaction(
    sql: sqlite3.Connection, work: Callable[[sqlite3.Connection], T], begin: str
) -> T:
    """Run ``work`` between BEGIN and COMMIT; roll back on any error, then raise it."""
    try:
        sql.execute(begin)
        result = work(sql)
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise
    return result


def checkpoint(sql: sqlite3.Connection) -> int:
    """Copy the write-ahead log into the database as far as readers allow; return its pages.

    Raises:
        sqlite3.OperationalError: a write or sync failed, which SQLite's own automatic checkpoints
            would keep to themselves.
    """
    _, pages, _ = sql.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)

"""The writing connection, which keeps in mind what a unit of work may keep to itself."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .errors import extended_code, is_fatal, result_name

T = TypeVar("T")


class ErrorWatch:
    """Notes the first error after which the store must stop, and runs nothing but ROLLBACK after it.

    SQLite forgets: after a failed write it rolls the transaction back and goes on, and each
    statement that follows is a transaction of its own. A unit that made nothing of the error, or
    another error of it, would hide it.

    Attributes:
        fatal: the error, None while all is well.
    """

    fatal: sqlite3.Error | None = None

    def noting(self, call: Callable[..., T], *arguments: Any) -> T:
        """Return what a call of SQLite returns; keep its error in mind if it is fatal, the first."""
        try:
            return call(*arguments)
        except sqlite3.Error as error:
            if self.fatal is None and is_fatal(error):
                self.fatal = bare(error)
            raise

    def check(self, sql: str) -> None:
        """Raise the error that was noted, unless a statement only takes back."""
        if self.fatal is not None and not sql.startswith("ROLLBACK"):
            raise bare(self.fatal)


class WatchedConnection(ErrorWatch, sqlite3.Connection):
    """A connection of the standard library with a watch on it."""

    def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
        """See ``sqlite3.Connection.execute``."""
        self.check(sql)
        return self.cursor(WatchedCursor).execute(sql, *parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """See ``sqlite3.Connection.executemany``."""
        self.check(sql)
        return self.cursor(WatchedCursor).executemany(sql, parameters)


class WatchedCursor(sqlite3.Cursor):
    """Tells its connection of errors; rows are read while they are fetched."""

    connection: WatchedConnection

    def execute(self, sql: str, /, *parameters: Any) -> "WatchedCursor":
        """See ``sqlite3.Cursor.execute``."""
        self.connection.noting(super().execute, sql, *parameters)
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> "WatchedCursor":
        """See ``sqlite3.Cursor.executemany``."""
        self.connection.noting(super().executemany, sql, parameters)
        return self

    def fetchone(self) -> object:
        """See ``sqlite3.Cursor.fetchone``."""
        return self.connection.noting(super().fetchone)

    def fetchall(self) -> list[Any]:
        """See ``sqlite3.Cursor.fetchall``."""
        return self.connection.noting(super().fetchall)

    def __next__(self) -> object:
        """See ``sqlite3.Cursor.__next__``."""
        return self.connection.noting(super().__next__)


def bare(error: sqlite3.Error) -> sqlite3.Error:
    """Return an error without its traceback, which would keep the files of its connection open."""
    copy = type(error)(*error.args)
    copy.sqlite_errorcode, copy.sqlite_errorname = extended_code(error), result_name(error)
    return copy


def fatal_error(sql: sqlite3.Connection) -> BaseException | None:
    """Return the fatal error that a connection has noted; None for one that is not watched."""
    return getattr(sql, "fatal", None)

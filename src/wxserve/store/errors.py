"""What can go wrong in the store, by consequence."""

import sqlite3

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal

FULL_RETRY_MS = 2_000
"""When a client should try again after STORAGE_FULL; space is looked for every second."""


class StoreRefusedError(Exception):
    """The store will not open; the message says why and what to do."""


class NoSpaceError(StoreRefusedError):
    """The disk is too full even to open the database."""


class StoreFailedError(Exception):
    """A write or sync failed. Nothing more is accepted; the process must end and start again."""


class BatchLostError(Exception):
    """SQLite rolled the whole transaction back under one unit; the others run again.

    Attributes:
        index: which unit of the batch it was, -1 if it cannot be told.
    """

    def __init__(self, index: int, cause: BaseException | None) -> None:
        super().__init__(f"unit {index}: {cause!r}")
        self.index = index
        self.cause = cause


_FATAL = frozenset({
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
})  # fmt: skip

_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})


def primary_code(error: BaseException | None) -> int:
    """Return SQLite's primary result code of an exception, 0 if it carries none."""
    return extended_code(error) & 0xFF


def extended_code(error: BaseException | None) -> int:
    """Return SQLite's extended result code of an exception, 0 if it carries none."""
    code: int = getattr(error, "sqlite_errorcode", 0) or 0
    return code


def result_name(error: BaseException | None) -> str:
    """Return the name of SQLite's extended result code of an exception, empty if it has none."""
    name: str = getattr(error, "sqlite_errorname", "") or ""
    return name


def is_busy(error: BaseException | None) -> bool:
    """Whether another program holds the database; nothing has happened to it."""
    return primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_fatal(error: BaseException | None) -> bool:
    """Whether the store must stop: what the disk holds is no longer known.

    Source: PostgreSQL's fsync lesson (a failed fsync is never retried), SQLite result codes.
    """
    return primary_code(error) in _FATAL and not is_full(error)


def is_full(error: BaseException | None) -> bool:
    """Whether there is no space left; the store recovers by itself.

    The shared-memory file is the one place where SQLite calls a full disk an I/O error. Nothing
    durable is in it.
    """
    return extended_code(error) in _FULL


def storage_full() -> Refusal:
    """Return the refusal for a full disk."""
    return Refusal(ErrorCode.STORAGE_FULL, retry_after_ms=FULL_RETRY_MS)


def refusal_for(error: BaseException | None) -> Refusal:
    """Return what a unit is told when the database refused it."""
    if is_full(error):
        return storage_full()
    if is_fatal(error):
        return Refusal(ErrorCode.SHUTTING_DOWN)
    return Refusal(ErrorCode.INTERNAL)

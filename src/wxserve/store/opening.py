"""Opening the database files: settings, version check, migrations."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .errors import NoSpaceError, StoreRefusedError, is_full
from .migrations import core_migrations, migrate
from .watched import WatchedConnection

SQLITE_VERSION_MIN: Final = (3, 37, 0)
"""STRICT tables (3.37); UPSERT, RETURNING and window functions are older."""
READERS: Final = 2
"""Reading connections: one slow page does not hold up the others, and commits keep the disk."""
CACHE_KIB: Final = 65_536
"""Page cache of the writing connection."""
STATEMENTS_CACHED: Final = 256
"""Prepared statements kept per connection; the chunked inserts alone are 64."""
WAL_BYTES_KEPT: Final = 32 * 1024 * 1024
"""What is left of the file of a write-ahead log that was longer for a while."""
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

Opener = Callable[[Path], list[sqlite3.Connection]]
"""Opens a database; see ``open_connections``."""


def check_sqlite(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> None:
    """Refuse an SQLite that lacks what the schema needs.

    Raises:
        StoreRefusedError: with both versions.
    """
    if version < SQLITE_VERSION_MIN:
        found = ".".join(map(str, version))
        needed = ".".join(map(str, SQLITE_VERSION_MIN))
        raise StoreRefusedError(f"SQLite {found} is too old; wxserve needs {needed} or newer")


def open_connections(path: Path, readers: int = READERS) -> list[sqlite3.Connection]:
    """Open, or create, the database: the one that writes, the one that checkpoints, the readers.

    To be closed in the opposite order.

    Raises:
        StoreRefusedError: SQLite too old, newer than this program, not a database of ours.
        NoSpaceError: the disk is too full.
    """
    check_sqlite()
    # For a byte string the module asks in vain for an adapter, by way of an exception, each time one
    # is bound: 3,500 instructions, a twelfth of a message. This is the answer: take it as it is.
    sqlite3.register_adapter(bytes, bytes.__bytes__)
    opened: list[sqlite3.Connection] = []
    try:
        opened.append(open_writer(path))
        opened.append(open_checkpointer(path))
        opened.extend(open_reader(path) for _ in range(readers))
    except BaseException as error:
        for connection in reversed(opened):
            connection.close()
        if isinstance(error, Exception):
            _refuse(path, error)
        raise
    return opened


def _refuse(path: Path, error: Exception) -> None:
    """Say why the database does not open, unless it is a defect."""
    detail = str(error)
    if isinstance(error, OSError):
        detail = error.strerror or detail
    if is_full(error) or getattr(error, "errno", 0) in _NO_SPACE:
        raise NoSpaceError(f"there is no space to open the database {path}") from error
    if isinstance(error, sqlite3.Error | OSError | StoreRefusedError):
        raise StoreRefusedError(f"the database {path} cannot be opened: {detail}") from error


def open_writer(path: Path) -> sqlite3.Connection:
    """Open, or create, the database for writing and bring its schema up to date.

    It never checkpoints, before it is closed as the last one.

    Raises:
        StoreRefusedError: newer than this program or another program's; no write-ahead log here.
        sqlite3.Error: not a database, or it cannot be read or written.
        OSError: the file cannot be created.
    """
    _create(path)
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_CACHED,
        factory=WatchedConnection,
    )
    try:
        _use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        # Savepoints keep what they may have to restore in memory, not in somebody's /tmp.
        connection.execute("PRAGMA temp_store = MEMORY")
        migrate(connection, "core", core_migrations())
    except BaseException:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreRefusedError("its file system has no shared memory for a write-ahead log")


def _create(path: Path) -> None:
    """Create the file, private, if there is none, so that a power cut does not lose its name."""
    if path.exists():
        return
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_checkpointer(path: Path) -> sqlite3.Connection:
    """Open the database for copying the write-ahead log back, and nothing else.

    SQLite before 3.51.3 can corrupt the log when a checkpoint begins that has nothing to do while
    another connection writes. ``Writer`` sees to it that each has something to do, and it is the
    only one. Source: sqlite.org/wal.html, "WAL-reset bug".

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the database for reading only.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_CACHED,
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection

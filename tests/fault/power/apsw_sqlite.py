"""Another SQLite under the same SQL: apsw's, with the surface of the standard library's module.

apsw brings an SQLite of its own, newer than most systems'. Its VFS shows every call that SQLite
makes of the disk, and lets it fail; what Python itself asks of the disk is seen by stepping between.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw

from wxserve.store.watched import ErrorWatch

from .disk import Change, MakeDirectory, Mark, Open, Sync, Truncate, Unlink, Write
from .recorder import Kind, place

VFS_NAME: Final = "wxserve-power"
_SYNCS_NAME: Final = (
    apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
)
"""Files whose directory SQLite's VFS for Unix synchronises with their first synchronisation."""
_CODES: Final = {
    Kind.WRITE: apsw.SQLITE_IOERR_WRITE,
    Kind.SYNC: apsw.SQLITE_IOERR_FSYNC,
    Kind.TRUNCATE: apsw.SQLITE_IOERR_TRUNCATE,
    Kind.READ: apsw.SQLITE_IOERR_READ,
    Kind.UNLINK: apsw.SQLITE_IOERR_DELETE,
    Kind.OPEN: apsw.SQLITE_CANTOPEN,
}
_CLASSES: Final[dict[int, type[sqlite3.Error]]] = {
    sqlite3.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError,
    sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError,
    sqlite3.SQLITE_MISUSE: sqlite3.ProgrammingError,
}


class Watch:
    """Implements ``Recorder`` and ``Faults`` for what happens below a root in this process."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/"
        self._changes: list[Change] | None = None
        self._kind: Kind | None = None
        self._after = self._error = self.hits = self.where = 0
        self._lasting = False
        self._handles = 0
        self._before: Callable[[], None] = lambda: None

    # -- Faults --------------------------------------------------------------------------------

    def arm(self, kind: Kind, after: int, error: int, *, lasting: bool) -> None:
        """See ``Faults.arm``."""
        self._kind, self._after, self._error, self._lasting = kind, after, error, lasting
        self.hits = self.where = 0

    def disarm(self) -> None:
        """See ``Faults.disarm``."""
        self._kind = None

    def fails(self, kind: Kind, path: str) -> int:
        """Return the errno with which a call fails, 0 if it does not."""
        if self._kind is not kind:
            return 0
        if self._after > 0:
            self._after -= 1
            return 0
        if not self._lasting:
            self._kind = None
        self.hits += 1
        self.where = place(path)
        return self._error

    def check(self, kind: Kind, path: str) -> None:
        """Let SQLite's call fail if it has to.

        Raises:
            apsw.Error: it has to.
        """
        if kind in {Kind.WRITE, Kind.TRUNCATE, Kind.SYNC}:
            self._before()
        error = self.fails(kind, path)
        if error:
            full = error == errno.ENOSPC
            raise apsw.exception_for(apsw.SQLITE_FULL if full else _CODES[kind])

    # -- Recorder ------------------------------------------------------------------------------

    def call_before(self, hook: Callable[[], None]) -> None:
        """See ``Recorder.call_before``."""
        self._before = hook

    def start(self) -> None:
        """See ``Recorder.start``."""
        self._changes = []

    def mark(self, number: int) -> None:
        """See ``Recorder.mark``."""
        self.note(Mark(number))

    def stop(self) -> list[Change]:
        """See ``Recorder.stop``."""
        changes, self._changes = self._changes or [], None
        return changes

    def note(self, change: Change) -> None:
        """Keep a change."""
        if self._changes is not None:
            self._changes.append(change)

    def below(self, path: str) -> str | None:
        """Return a path below the root, None if it is elsewhere."""
        if path.startswith(self._root):
            return path[len(self._root) :]
        return "." if f"{path}/" == self._root else None

    def opened(self, path: str) -> int:
        """Note that something was opened; return a handle for it."""
        self._handles += 1
        self.note(Open(self._handles, path))
        return self._handles

    def synchronise_directory(self, path: str) -> None:
        """Note that the names beside a file were synchronised."""
        self.note(Sync(self.opened(os.path.dirname(path))))  # noqa: PTH120 - a name, not a file


class WatchedFile(apsw.VFSFile):
    """A file of SQLite's, seen and failed."""

    def __init__(self, watch: Watch, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        path = name if isinstance(name, str) else name.filename()
        self._watch = watch
        self._path = watch.below(path) or path
        self._handle = watch.opened(self._path)
        self._syncs_name = bool(flags[0] & _SYNCS_NAME)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - apsw's name
        """Write."""
        self._watch.check(Kind.WRITE, self._path)
        super().xWrite(data, offset)
        self._watch.note(Write(self._handle, offset, bytes(data)))

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - apsw's name
        """Read."""
        self._watch.check(Kind.READ, self._path)
        return super().xRead(amount, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Give it a size."""
        self._watch.check(Kind.TRUNCATE, self._path)
        super().xTruncate(newsize)
        self._watch.note(Truncate(self._handle, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        """Synchronise it, and with some files their names."""
        self._watch.check(Kind.SYNC, self._path)
        super().xSync(flags)
        self._watch.note(Sync(self._handle))
        if self._syncs_name:
            self._watch.synchronise_directory(self._path)
            self._syncs_name = False


class WatchedVfs(apsw.VFS):
    """The VFS for Unix, with files that are seen."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(VFS_NAME, "unix")
        self._watch = watch

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file; one without a name is temporary and nobody's business."""
        if name is None:
            return apsw.VFSFile("unix", name, flags)
        self._watch.check(Kind.OPEN, str(name))
        return WatchedFile(self._watch, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        """Remove a name."""
        self._watch.check(Kind.UNLINK, filename)
        super().xDelete(filename, syncdir)
        path = self._watch.below(filename) or filename
        self._watch.note(Unlink(path))
        if syncdir:
            self._watch.synchronise_directory(path)


class Cursor:
    """What a statement has found, all of it."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(self._rows)


class Connection(ErrorWatch):
    """As much of ``WatchedConnection`` as the store uses, on apsw."""

    def __init__(self, path: str, vfs: str) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        with translated():
            self._apsw = apsw.Connection(path, flags, vfs)
            self._apsw.set_busy_timeout(5000)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        """Run one statement to its end."""
        self.check(sql)
        return self.noting(self._run, self._apsw.execute, sql, values)

    def executemany(self, sql: str, values: Sequence[Sequence[Any]]) -> Cursor:
        """Run one statement for each row of values."""
        self.check(sql)
        return self.noting(self._run, self._apsw.executemany, sql, values)

    def _run(self, execute: Any, sql: str, values: Sequence[Any]) -> Cursor:
        with translated():
            return Cursor(list(execute(sql, values)), self._apsw.changes())

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._apsw.in_transaction

    @property
    def total_changes(self) -> int:
        """How many rows were changed."""
        return self._apsw.total_changes()

    def close(self) -> None:
        """Close it."""
        with translated():
            self._apsw.close(True)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the exceptions of the standard library's module in place of apsw's."""
    try:
        yield
    except apsw.Error as error:
        extended = getattr(error, "extendedresult", 0)
        translation = _CLASSES.get(extended & 0xFF, sqlite3.OperationalError)(str(error))
        translation.sqlite_errorcode = extended
        translation.sqlite_errorname = str(apsw.mapping_extended_result_codes.get(extended, ""))
        raise translation from error


class Module:
    """As much of ``sqlite3`` as opening a database takes."""

    Error = sqlite3.Error
    register_adapter = staticmethod(sqlite3.register_adapter)
    sqlite_version_info = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))

    def __init__(self, vfs: str = "") -> None:
        self._vfs = vfs

    def connect(self, path: Any, **_: Any) -> Connection:
        """Open a database; the options that the store gives are apsw's own behaviour."""
        return Connection(str(path), self._vfs)


@contextmanager
def watched_python(watch: Watch) -> Iterator[None]:
    """See, and let fail, what Python asks of the disk to create a database."""
    real = os.open, os.fsync, os.mkdir
    handles: dict[int, int] = {}

    def fail(kind: Kind) -> None:
        error = watch.fails(kind, "")
        if error:
            raise OSError(error, os.strerror(error))

    def opened(path: Any, *arguments: Any, **options: Any) -> int:
        inside = watch.below(os.fspath(path))
        if inside is not None:
            fail(Kind.OPEN)
        descriptor = real[0](path, *arguments, **options)
        handles.pop(descriptor, None)
        if inside is not None:
            handles[descriptor] = watch.opened(inside)
        return descriptor

    def synchronised(fd: Any) -> None:
        fail(Kind.SYNC)
        real[1](fd)
        if fd in handles:
            watch.note(Sync(handles[fd]))

    def made(path: Any, *arguments: Any, **options: Any) -> None:
        real[2](path, *arguments, **options)
        inside = watch.below(os.fspath(path))
        if inside is not None:
            watch.note(MakeDirectory(inside))

    os.open, os.fsync, os.mkdir = opened, synchronised, made
    try:
        yield
    finally:
        os.open, os.fsync, os.mkdir = real

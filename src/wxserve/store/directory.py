"""The data directory: private to its user, used by one server at a time."""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from .errors import StoreRefusedError
from .opening import sync_directory

DATABASE_NAME: Final = "wxserve.sqlite3"
LOCK_NAME: Final = "lock"
BALLAST_NAME: Final = "ballast"


class DataDirectory:
    """An open, locked data directory. The lock ends with the process, however it ends.

    Raises:
        StoreRefusedError: it cannot be made or read, is not private to this user, or is in use by
            another server.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _create(path)
            self._check_private()
            self._lock = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreRefusedError(
                f"the data directory {path} cannot be used: {error.strerror}"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            if error.errno != errno.EWOULDBLOCK:
                raise StoreRefusedError(
                    f"the data directory {path} cannot be locked: {error.strerror}"
                ) from error
            raise StoreRefusedError(
                f"the data directory {path} is in use by another server"
            ) from None

    @property
    def database(self) -> Path:
        """The path of the database file."""
        return self.path / DATABASE_NAME

    @property
    def has_database(self) -> bool:
        """Whether there is a database that was begun at least."""
        return self.database.exists() and self.database.stat().st_size > 0

    def close(self) -> None:
        """Give the directory up."""
        os.close(self._lock)

    def _check_private(self) -> None:
        for path in (self.path, self.path / DATABASE_NAME):
            if not path.exists():
                continue
            status = path.stat()
            if status.st_uid != os.geteuid():
                raise StoreRefusedError(f"{path} belongs to another user")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise StoreRefusedError(
                    f"{path} can be read by others; make it private with: chmod go-rwx {path}"
                )


def _create(path: Path) -> None:
    """Create the directory if there is none, so that a power cut does not lose its name.

    Nor that of any directory above it that had to be made.
    """
    if path.is_dir():
        return
    made = [path, *(above for above in path.parents if not above.exists())]
    path.mkdir(mode=0o700, parents=True)
    for name in made:
        sync_directory(name.parent)


class Ballast:
    """A file that keeps space back, given up when the disk is full.

    Attributes:
        held: whether the space is there.
    """

    def __init__(self, directory: Path, size_bytes: int) -> None:
        self._path = directory / BALLAST_NAME
        self._size_bytes = size_bytes
        self.held = False
        with suppress(OSError):
            self.held = self._path.stat().st_size >= size_bytes > 0

    def take(self) -> bool:
        """Reserve the space; return whether there is no want of it.

        As much again must stay free besides: no swinging between full and not full.
        """
        if self.held or not self._size_bytes:
            return True
        try:
            self.held = self._has_room() and self._allocate()
        except OSError:
            self.release()
        return self.held

    def release(self) -> None:
        """Give the space to the database."""
        self.held = False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _allocate(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        finally:
            os.close(descriptor)
        return True

    def _has_room(self) -> bool:
        """Whether as much again would stay free."""
        status = os.statvfs(self._path.parent)
        return status.f_bavail * status.f_frsize >= 2 * self._size_bytes

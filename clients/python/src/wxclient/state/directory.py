"""The directory of a device: private, and open in one place at a time."""

import os
import sys
from pathlib import Path
from typing import Final

from wxclient.exceptions import StateInUse

FILE_NAME: Final = "device.sqlite3"
LOCK_NAME: Final = "lock"
FILE_MODE: Final = 0o600
"""The file holds the device's private key and the messages."""


class DirectoryLock:
    """Holds the directory; the operating system lets go when the process dies."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            _lock(self._handle)
        except OSError:
            os.close(self._handle)
            raise StateInUse(f"{directory} is open elsewhere") from None

    def release(self) -> None:
        """Let go."""
        os.close(self._handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists there only

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - exists elsewhere only

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def private_file(directory: Path) -> Path:
    """Return the path of the state file, made if it is not there, readable by its owner alone."""
    path = directory / FILE_NAME
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    path.chmod(FILE_MODE)
    return path


def sync_directory(directory: Path) -> None:
    """Make the directory's own entries durable; a no-op where directories cannot be opened."""
    if sys.platform == "win32":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

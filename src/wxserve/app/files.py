"""Writing small files so that they are there as a whole or not at all, even after a power cut."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that only this user can read, replacing an earlier one.

    Raises:
        OSError: it cannot be written; an earlier file is then as it was.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create_directory_atomically(path: Path, files: Mapping[str, bytes]) -> bool:
    """Create a directory with files that only this user can read.

    Returns:
        False if there was such a directory already; it is as it was.

    Raises:
        OSError: it cannot be written.
    """
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        for name, content in files.items():
            write_atomically(temporary / name, content)
        temporary.rename(path)  # fails on a directory that is not empty
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not path.exists():
            raise
        return False
    sync_directory(path.parent)
    return True


def sync_directory(path: Path) -> None:
    """Make a change of names in a directory durable.

    Raises:
        OSError: the disk refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Two ways to see and to fail what SQLite does: a shim below the C library, and a VFS of apsw's."""

import ctypes
import errno
import mmap
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from .disk import (
    Change,
    MakeDirectory,
    Mark,
    Open,
    Rename,
    Sync,
    Truncate,
    Unlink,
    Write,
)

SOURCE: Final = Path(__file__).with_name("shim.c")
ROOT_VARIABLE: Final = "WXSERVE_SHIM_ROOT"
CONTROL_VARIABLE: Final = "WXSERVE_SHIM_CONTROL"


class Kind(IntEnum):
    """What a program asks of the disk; the numbers are those of shim.c."""

    OPEN = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    UNLINK = 5
    RENAME = 6
    MAKE_DIRECTORY = 7
    MARK = 8
    READ = 9


KINDS: Final = 10
DURABLE: Final = frozenset({1, 2, 4})
"""Places of what must not be lost: the database, its log, its journal."""
_CONTROL: Final = struct.Struct(f"={6 + KINDS}q")
_HEAD: Final = struct.Struct("=iiqq")
_HOOK: Final = ctypes.CFUNCTYPE(None)


@runtime_checkable
class Faults(Protocol):
    """Makes the n-th call of a kind fail."""

    def arm(self, kind: Kind, after: int, error: int, *, lasting: bool) -> None:
        """Let ``after`` calls succeed and the next one fail, or all from there on."""
        ...

    def disarm(self) -> None:
        """Let everything succeed again."""
        ...

    @property
    def hits(self) -> int:
        """How many calls have failed since ``arm``."""
        ...

    @property
    def where(self) -> int:
        """Which file the last of them was about."""
        ...


class Recorder(Protocol):
    """Keeps what changes the files below the root, in order."""

    def call_before(self, hook: Callable[[], None]) -> None:
        """Call a function before each write, truncation and synchronisation, in its thread."""
        ...

    def start(self) -> None:
        """Forget everything and begin."""
        ...

    def mark(self, number: int) -> None:
        """Note that something else happened here."""
        ...

    def stop(self) -> list[Change]:
        """End, and return what was kept."""
        ...


def build_shim(directory: Path) -> Path:
    """Compile the shim with the system's compiler; return its path.

    Raises:
        OSError: there is no compiler.
        CalledProcessError: it does not compile.
    """
    target = directory / "shim.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(target), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    return target


class Control:
    """Implements ``Faults`` for a process with the shim, by the memory that it shares."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_CONTROL.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _CONTROL.size)

    @classmethod
    def of_this_process(cls) -> "Control":
        """Return that of the shim below this process."""
        return cls(Path(os.environ[CONTROL_VARIABLE]))

    def arm(self, kind: Kind, after: int, error: int, *, lasting: bool) -> None:
        """See ``Faults.arm``."""
        self.disarm()
        struct.pack_into("=5q", self._memory, 8, after, error, lasting, 0, 0)
        struct.pack_into("=q", self._memory, 0, 1 << kind)

    def disarm(self) -> None:
        """See ``Faults.disarm``."""
        struct.pack_into("=q", self._memory, 0, 0)

    @property
    def hits(self) -> int:
        """See ``Faults.hits``."""
        return self._numbers()[4]

    @property
    def where(self) -> int:
        """See ``Faults.where``."""
        return self._numbers()[5]

    def count(self, kind: Kind) -> int:
        """How many calls of a kind there were."""
        return self._numbers()[6 + kind]

    def _numbers(self) -> tuple[int, ...]:
        return _CONTROL.unpack_from(self._memory)


def place(path: str) -> int:
    """Return what kind of file a path is, as shim.c numbers them."""
    endings = (".sqlite3", "-wal", "-shm", "-journal")
    return next((n for n, ending in enumerate(endings, 1) if path.endswith(ending)), 5)


def shim_environment(shim: Path, root: Path, control: Path) -> dict[str, str]:
    """Return the environment of a process that is to run on the shim."""
    return os.environ | {
        "LD_PRELOAD": str(shim),
        ROOT_VARIABLE: str(root),
        CONTROL_VARIABLE: str(control),
    }


class ShimRecorder:
    """Implements ``Recorder`` in a process that was started on the shim."""

    def __init__(self) -> None:
        self._shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._shim.shim_data.restype = ctypes.c_void_p
        self._shim.shim_size.restype = ctypes.c_size_t
        self._hook: Any = None

    def call_before(self, hook: Callable[[], None]) -> None:
        """See ``Recorder.call_before``."""
        self._hook = _HOOK(hook)  # kept, for the shim does not
        self._shim.shim_before(self._hook)

    def start(self) -> None:
        """See ``Recorder.start``."""
        self._shim.shim_record(1)

    def mark(self, number: int) -> None:
        """See ``Recorder.mark``."""
        self._shim.shim_mark(ctypes.c_int64(number))

    def stop(self) -> list[Change]:
        """See ``Recorder.stop``."""
        self._shim.shim_record(0)
        size = self._shim.shim_size()
        return list(parse(ctypes.string_at(self._shim.shim_data(), size) if size else b""))


def parse(data: bytes) -> Iterator[Change]:
    """Yield the changes that the shim has noted.

    Raises:
        AssertionError: a kind that nobody notes.
    """
    place = 0
    while place < len(data):
        kind, handle, offset, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        payload = data[place : place + length]
        place += length
        match kind:
            case Kind.OPEN:
                yield Open(handle, payload.decode())
            case Kind.WRITE:
                yield Write(handle, offset, payload)
            case Kind.TRUNCATE:
                yield Truncate(handle, offset)
            case Kind.SYNC:
                yield Sync(handle)
            case Kind.UNLINK:
                yield Unlink(payload.decode())
            case Kind.RENAME:
                yield Rename(*payload.decode().split("\0"))
            case Kind.MAKE_DIRECTORY:
                yield MakeDirectory(payload.decode())
            case Kind.MARK:
                yield Mark(offset)
            case _:
                raise AssertionError(kind)


@contextmanager
def failing(
    faults: Faults, kind: Kind, after: int, error: int = errno.EIO, *, lasting: bool
) -> Iterator[None]:
    """Let the disk fail inside."""
    faults.arm(kind, after, error, lasting=lasting)
    try:
        yield
    finally:
        faults.disarm()

"""A disk whose power is cut: what was written, what was synchronised, what may be left of it.

It knows POSIX, not SQLite. Until a file is synchronised, each of its writes and truncations may be
lost, kept, torn at sectors, or come in another order. Until a directory is synchronised, each name
that was made, removed or changed in it may be as before. Nothing else may happen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import Final, NamedTuple

SECTORS: Final = (512, 4096)
"""Bytes that a disk writes whole."""
KEEPS: Final = (0.0, 0.1, 0.5, 0.9, 1.0)
"""How likely an unsynchronised change is to survive; one is drawn for each cut."""
TEARS: Final = 0.15
"""How likely a write that survives is torn."""
REORDERS: Final = 0.25
"""How likely the changes of a file come in another order."""
GARBAGE: Final = 0.1
"""How likely a sector beyond the old end, lost while the file grew, holds anything but zeros."""
FORGOTTEN: Final = "-shm"
"""Shared memory between connections; after a power cut it may hold anything, so it gets garbage."""


class Open(NamedTuple):
    """A file or directory was opened, and made if there was none."""

    handle: int
    path: str


class Write(NamedTuple):
    """Bytes were written."""

    handle: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A file was given a size."""

    handle: int
    size: int


class Sync(NamedTuple):
    """A file or a directory was synchronised, and that has returned."""

    handle: int


class Unlink(NamedTuple):
    """A name was removed."""

    path: str


class Rename(NamedTuple):
    """A name was changed."""

    old: str
    new: str


class MakeDirectory(NamedTuple):
    """A directory was made."""

    path: str


class Mark(NamedTuple):
    """Something else happened between two changes: the number of an event."""

    number: int


Change = Open | Write | Truncate | Sync | Unlink | Rename | MakeDirectory | Mark
Image = dict[str, bytes | None]
"""What is on a disk: per path its bytes, None for a directory."""


class Fate(NamedTuple):
    """How one cut treats what was not synchronised.

    Attributes:
        keep: how likely a change survives.
        sector: what is written whole.
        tear: how likely a survivor is torn.
        reorder: how likely the survivors come in another order.
    """

    random: Random
    keep: float
    sector: int
    tear: float = TEARS
    reorder: float = REORDERS

    def keeps(self) -> bool:
        """Whether one change survives."""
        return self.random.random() < self.keep

    @classmethod
    def draw(cls, random: Random) -> "Fate":
        """Draw one."""
        return cls(random, random.choice(KEEPS), random.choice(SECTORS))


EVERYTHING: Final = Fate(Random(0), 1.0, SECTORS[0], 0.0, 0.0)
"""What a disk shows whose power is never cut."""


class File:
    """Bytes on the disk, and changes on the way to it."""

    def __init__(self, data: bytes = b"") -> None:
        self.durable = bytearray(data)
        self.pending: list[Write | Truncate] = []

    def sync(self) -> None:
        """Bring everything to the disk."""
        for change in self.pending:
            apply(self.durable, change)
        self.pending.clear()

    def after(self, fate: Fate) -> bytes:
        """Return what is left after a cut."""
        data = bytearray(self.durable)
        survivors: list[Write | Truncate] = []
        for change in self.pending:
            if isinstance(change, Write):
                survivors += self._survivors(change, fate)
            elif fate.keeps():
                survivors.append(change)
        if fate.random.random() < fate.reorder:
            fate.random.shuffle(survivors)
        for change in survivors:
            apply(data, change)
        return bytes(data)

    def _survivors(self, write: Write, fate: Fate) -> list[Write]:
        """Return the parts of a write that survive, and the garbage that stands for the others."""
        kept = fate.keeps()
        if kept and fate.random.random() >= fate.tear:
            return [write]
        if not kept and (write.offset < len(self.durable) or fate.random.random() >= GARBAGE):
            return []
        parts: list[Write] = []
        for part in split(write, fate.sector):
            if kept and fate.random.random() < 0.5:
                parts.append(part)
            elif part.offset >= len(self.durable) and fate.random.random() < GARBAGE:
                parts.append(part._replace(data=fate.random.randbytes(len(part.data))))
        return parts


def split(write: Write, sector: int) -> Iterable[Write]:
    """Yield a write in parts that end where sectors do."""
    start = 0
    while start < len(write.data):
        stop = start + sector - (write.offset + start) % sector
        yield Write(write.handle, write.offset + start, write.data[start:stop])
        start = stop


def apply(data: bytearray, change: Write | Truncate) -> None:
    """Carry out a change on bytes."""
    end = change.size if isinstance(change, Truncate) else change.offset + len(change.data)
    if end > len(data):
        data.extend(bytes(end - len(data)))
    if isinstance(change, Truncate):
        del data[change.size :]
    else:
        data[change.offset : end] = change.data


@dataclass
class Directory:
    """Names on the disk, and changes on the way to it."""

    durable: dict[str, "Node"] = field(default_factory=dict)
    names: dict[str, "Node"] = field(default_factory=dict)
    pending: list[dict[str, "Node | None"]] = field(default_factory=list)

    def change(self, changes: dict[str, "Node | None"]) -> None:
        """Change names in one step."""
        self.pending.append(changes)
        rename(self.names, changes)

    def sync(self) -> None:
        """Bring all names to the disk."""
        self.durable = dict(self.names)
        self.pending.clear()

    def after(self, fate: Fate) -> dict[str, "Node"]:
        """Return the names that are left after a cut."""
        names = dict(self.durable)
        for changes in self.pending:
            if fate.keeps():
                rename(names, changes)
        return names


Node = File | Directory


def rename(names: dict[str, Node], changes: dict[str, Node | None]) -> None:
    """Carry out one step of changes on names."""
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Disk:
    """Everything below one directory, which itself is durable.

    Attributes:
        synchronises_directories: whether that does anything; switched off by sabotage.
    """

    def __init__(self, image: Image) -> None:
        self._root = Directory()
        self._handles: dict[int, Node | None] = {}
        self.synchronises_directories = True
        for path in sorted(image):
            data = image[path]
            self._parent(path).change({name_of(path): Directory() if data is None else File(data)})
            self._parent(path).sync()

    def _find(self, path: str) -> Node | None:
        node: Node | None = self._root
        for part in PurePosixPath(path).parts:
            node = node.names.get(part) if isinstance(node, Directory) else None
        return node

    def _parent(self, path: str) -> Directory:
        node = self._find(str(PurePosixPath(path).parent))
        assert isinstance(node, Directory), path
        return node

    def apply(self, change: Change) -> None:
        """Carry out what a program did."""
        match change:
            case Open():
                self._open(change)
            case Write() | Truncate():
                file = self._handles[change.handle]
                if isinstance(file, File):
                    file.pending.append(change)
            case Sync():
                node = self._handles[change.handle]
                if isinstance(node, File) or (node and self.synchronises_directories):
                    node.sync()
            case Unlink():
                self._parent(change.path).change({name_of(change.path): None})
            case Rename():
                self._rename(change)
            case MakeDirectory():
                self._parent(change.path).change({name_of(change.path): Directory()})
            case Mark():
                pass

    def _open(self, change: Open) -> None:
        node = None
        if not change.path.endswith(FORGOTTEN):
            node = self._find(change.path)
            if node is None:
                node = File()
                self._parent(change.path).change({name_of(change.path): node})
        self._handles[change.handle] = node

    def _rename(self, change: Rename) -> None:
        node = self._find(change.old)
        old, new = self._parent(change.old), self._parent(change.new)
        assert old is new, "between two directories nothing is renamed here"
        new.change({name_of(change.old): None, name_of(change.new): node})

    def cut(self, random: Random) -> Image:
        """Return what a power cut leaves; this disk itself goes on."""
        image = self._after(Fate.draw(random))
        if random.random() < 0.5:
            image |= {
                path.removesuffix("-wal") + FORGOTTEN: random.randbytes(32_768)
                for path in image
                if path.endswith("-wal")
            }
        return image

    def whole(self) -> Image:
        """Return everything as programs see it."""
        return self._after(EVERYTHING)

    def _after(self, fate: Fate) -> Image:
        image: Image = {}
        waiting: list[tuple[PurePosixPath, Directory]] = [(PurePosixPath(), self._root)]
        while waiting:
            path, directory = waiting.pop()
            for name, node in sorted(directory.after(fate).items()):
                if isinstance(node, Directory):
                    image[str(path / name)] = None
                    waiting.append((path / name, node))
                else:
                    image[str(path / name)] = node.after(fate)
        return image


def name_of(path: str) -> str:
    """Return the last part of a path."""
    return PurePosixPath(path).name


def write_image(image: Image, root: Path) -> None:
    """Put what is on a disk below an empty directory."""
    for path in sorted(image):
        data = image[path]
        if data is None:
            (root / path).mkdir(mode=0o700)
        else:
            (root / path).write_bytes(data)
            (root / path).chmod(0o600)


def read_image(root: Path) -> Image:
    """Return what is below a directory now."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }

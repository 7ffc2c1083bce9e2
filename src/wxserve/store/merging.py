"""Merging the tail: index rows and operations, in sorted slices of a bounded size."""

from typing import Final, NamedTuple

from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import ConversationId, DeviceId

from .memory import Memory
from .state import Device
from .transaction import Transaction

CHUNK_ROWS: Final = 64
"""Rows of one INSERT statement; fewer steps hand the interpreter lock over less often."""
OpRow = tuple[DeviceId, int, None, ConversationId, int, int, int]
EntryRow = tuple[ConversationId, int, int]


def inserts(table: str, columns: int, rows: int) -> tuple[str, ...]:
    """Return the statements that insert 0 … ``rows`` rows, replacing equal ones."""
    row = f"({', '.join('?' * columns)})"
    return tuple(
        f"INSERT OR REPLACE INTO {table} VALUES {', '.join([row] * count)}"  # noqa: S608
        for count in range(rows + 1)
    )


_OPS: Final = inserts("op", 7, CHUNK_ROWS)
_ENTRIES: Final = inserts("entry", 3, CHUNK_ROWS)
_DEVICE: Final = "UPDATE device SET op_last = ?, op_floor = max(op_floor, ?) WHERE device = ?"
_META: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"


class Progress(NamedTuple):
    """How far a merge has come.

    Attributes:
        devices: how many are written.
        conversations: how many are written whole.
        offset: entries written of the next conversation.
        rows: rows written in all.
        over: everything is written.
    """

    devices: int = 0
    conversations: int = 0
    offset: int = 0
    rows: int = 0
    over: bool = False


class Merge:
    """One merge: what was committed through a position, from the tail into the tables.

    Operations first: what is below its device's floor is never written, because its sender will
    not send it again; the floor is written with the operations that it lets be left out. Then the
    index, in the order in which it is stored. A slice that is written twice, after a crash in the
    middle, writes the same rows again; the log is the truth until ``through`` is recorded last.

    Made and advanced in the event loop; ``write`` runs in the writer's thread, and may run again.

    Attributes:
        through: the position through which everything is merged afterwards.
        rows: about how many rows there are to write.
        progress: how far it has come.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._after = memory.merged
        self.through = memory.position
        self._devices = memory.start_merge()
        self._conversations: list[ConversationId] = []
        self.rows = sum(len(run.positions) for run in memory.tail.merging.values())
        self.rows += len(self._devices)
        self.progress = Progress()

    def write(self, tx: Transaction, rows_max: int) -> Progress:
        """Write the next slice, of about ``rows_max`` rows; return how far that is."""
        before = self.progress
        devices, rows = before.devices, 0
        while devices < len(self._devices) and rows < rows_max:
            rows += self._write_device(tx, self._devices[devices])
            devices += 1
        entries, conversations, offset = self._next_entries(before, rows_max - rows)
        _insert(tx, _ENTRIES, entries)
        rows += len(entries)
        over = devices == len(self._devices) and conversations == len(self._memory.tail.merging)
        if over:
            tx.sql.execute(_META, ("merged", self.through))
            tx.sql.execute(_META, ("time", self._memory.time_ms))
        return Progress(devices, conversations, offset, before.rows + rows, over)

    def _write_device(self, tx: Transaction, device: Device) -> int:
        """Write the floor of a device and its new operations above it; return how many rows."""
        floor, ops = device.op_floor, device.ops
        tx.sql.execute(_DEVICE, (device.op_last, floor, device.id))
        if device.op_rows:
            tx.sql.execute("DELETE FROM op WHERE device = ? AND counter < ?", (device.id, floor))
        rows = [
            _op_row(device.id, counter, accepted)
            for counter, accepted in ops.items()
            if counter >= floor and self._after < accepted.position <= self.through
        ]
        if rows:
            device.op_rows = True
            rows.sort()
            _insert(tx, _OPS, rows)
        return len(rows) + 1

    def _next_entries(self, before: Progress, rows_max: int) -> tuple[list[EntryRow], int, int]:
        """Return the next rows of the index, and how far they are."""
        merging = self._memory.tail.merging
        if not self._conversations:
            self._conversations = sorted(merging)
        conversations, offset = before.conversations, before.offset
        entries: list[EntryRow] = []
        while len(entries) < rows_max and conversations < len(self._conversations):
            conversation = self._conversations[conversations]
            first, positions = merging[conversation]
            stop = min(len(positions), offset + rows_max - len(entries))
            entries += [
                (conversation, first + index, positions[index]) for index in range(offset, stop)
            ]
            offset = stop
            if stop == len(positions):
                conversations, offset = conversations + 1, 0
        return entries, conversations, offset


def _op_row(device: DeviceId, counter: int, accepted: Accepted) -> OpRow:
    _, conversation, seq, position, time_ms = accepted
    return device, counter, None, conversation, seq, position, time_ms


def _insert(
    tx: Transaction, statements: tuple[str, ...], rows: list[OpRow] | list[EntryRow]
) -> None:
    """Insert rows, many with each statement."""
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        tx.sql.execute(statements[len(chunk)], [value for row in chunk for value in row])

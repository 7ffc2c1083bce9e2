"""Cursors, operation floors and signs of life of devices: kept in memory and written lazily."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from wxserve.protocol.identifiers import ConversationId, DeviceId

from .memory import Memory
from .state import Device
from .transaction import Transaction

FLUSH_ROWS: Final = 16
"""Rows written in one unit, at 30 µs and a page each in a large store: others wait for that commit."""
FLUSH_UNITS_MAX: Final = 64
"""Units of one flush; where more is due they are larger, or it would never end."""
AWAKE_STEP_MS: Final = 3_600_000
"""How old the written time of a device's last sign of life may be while it is there."""
SEEN_STEP_MS: Final = 3_600_000
"""How old the written time of the last log-in may be; a storm of them must not be one of writes."""

_CHUNK_ROWS: Final = (64, 8, 1)
"""Rows of one statement; each hands the interpreter lock over, and a few sizes stay prepared."""
_UPSERT: Final = (
    "INSERT INTO cursor VALUES {rows} ON CONFLICT (device, conversation) "
    "DO UPDATE SET seq = max(seq, excluded.seq)"
)
_UPDATE: Final = (
    "UPDATE device SET {change} FROM (VALUES {rows}) AS told WHERE device = told.column2"
)


class Flush(NamedTuple):
    """What one unit of a flush writes, each list in the order of its table.

    Attributes:
        cursors: (device, conversation, seq).
        floors: (operation floor, device).
        seen: (wall clock of its last log-in, device).
        awake: (running time at which it was last heard of, device).
    """

    cursors: list[tuple[bytes, bytes, int]]
    floors: list[tuple[int, bytes]]
    seen: list[tuple[int, bytes]]
    awake: list[tuple[int, bytes]]


class Waiting:
    """What the tables do not know yet of devices. Cursors and floors only rise; times follow clocks.

    Attributes:
        raised: cursors.
        floors: see ``Flush``, like the next two.
        seen: see there.
        awake: see there.
    """

    __slots__ = ("awake", "floors", "raised", "seen")

    def __init__(self) -> None:
        self.raised: dict[DeviceId, dict[ConversationId, int]] = {}
        self.floors: dict[DeviceId, int] = {}
        self.seen: dict[DeviceId, int] = {}
        self.awake: dict[DeviceId, int] = {}

    def __bool__(self) -> bool:
        return bool(self.raised or self.floors or self.seen or self.awake)

    @property
    def rows(self) -> int:
        """How many rows it is."""
        return sum(map(len, self.raised.values())) + sum(map(len, self.marks))

    @property
    def marks(self) -> tuple[dict[DeviceId, int], ...]:
        """Everything but the cursors, in the order of ``Flush``."""
        return self.floors, self.seen, self.awake

    def raise_to(self, device: DeviceId, conversation: ConversationId, seq: int) -> None:
        """Raise a cursor."""
        own = self.raised.setdefault(device, {})
        if seq > own.get(conversation, 0):
            own[conversation] = seq

    def take(self, rows_max: int) -> "Waiting":
        """Take out about ``rows_max`` rows; the cursors of a device stay together."""
        taken = Waiting()
        while self.raised and rows_max > 0:
            device, own = self.raised.popitem()
            taken.raised[device] = own
            rows_max -= len(own)
        for source, target in zip(self.marks, taken.marks, strict=True):
            while source and rows_max > 0:
                device, value = source.popitem()
                target[device] = value
                rows_max -= 1
        return taken

    def take_back(self, other: "Waiting") -> None:
        """Let what was taken out wait again."""
        for device, own in other.raised.items():
            for conversation, seq in own.items():
                self.raise_to(device, conversation, seq)
        for source, target in zip(other.marks, self.marks, strict=True):
            for device, value in source.items():
                target[device] = max(value, target.get(device, value))


class Cursors:
    """What devices have acknowledged and is not written yet, and the like.

    Losing it costs a redelivery. A flush writes what waited when it began, in units of bounded
    size; what comes meanwhile waits for the next one.

    Attributes:
        waiting: for the next flush.
    """

    def __init__(self) -> None:
        self.waiting = Waiting()
        self._due = Waiting()
        self._writing = Waiting()
        self._again = False
        self._unit_rows = FLUSH_ROWS

    def unwritten(self, device: DeviceId) -> dict[ConversationId, int]:
        """Return the device's cursors that the tables do not know yet."""
        found: dict[ConversationId, int] = {}
        for generation in (self._writing, self._due, self.waiting):
            for conversation, seq in generation.raised.get(device, {}).items():
                found[conversation] = max(seq, found.get(conversation, 0))
        return found

    def begin_flush(self) -> bool:
        """Make due what waits; if a flush is under way, when it is done.

        Returns:
            Whether a flush has begun.
        """
        if self._due or self._writing:
            self._again = True
            return False
        self._again = False
        self._due, self.waiting = self.waiting, Waiting()
        self._unit_rows = max(FLUSH_ROWS, -(-self._due.rows // FLUSH_UNITS_MAX))
        return bool(self._due)

    def next_unit(self) -> Flush | None:
        """Return what the next unit of the flush writes; None if there is nothing left of it."""
        self._writing = writing = self._due.take(self._unit_rows)
        if not writing:
            return None
        cursors: list[tuple[bytes, bytes, int]] = sorted(
            (device, conversation, seq)
            for device, own in writing.raised.items()
            for conversation, seq in own.items()
        )
        return Flush(cursors, *(_by_device(marks) for marks in writing.marks))

    def end_unit(self, *, written: bool) -> bool:
        """Forget what was written, or let it all wait again.

        Returns:
            Whether another flush was wished meanwhile, and may begin.
        """
        if not written:
            self.waiting.take_back(self._due)
            self.waiting.take_back(self._writing)
            self._due = Waiting()
        self._writing = Waiting()
        return written and self._again and not self._due


def _by_device(marks: dict[DeviceId, int]) -> list[tuple[int, bytes]]:
    return [(value, bytes(device)) for device, value in sorted(marks.items())]


def note_awake(memory: Memory, cursors: Cursors, device: DeviceId) -> None:
    """Note that a device is there, unless that was written not long ago."""
    state, now_ms = memory.devices.get(device), memory.running.now_ms()
    if state is not None and now_ms - state.awake_ms > AWAKE_STEP_MS:
        state.awake_ms = cursors.waiting.awake[device] = now_ms


def note_seen(cursors: Cursors, state: Device, now_ms: int) -> None:
    """Note that a device logged in, unless that was written not long ago."""
    if not 0 <= now_ms - state.seen_ms <= SEEN_STEP_MS:
        state.seen_ms = cursors.waiting.seen[state.id] = now_ms


def write_cursors(tx: Transaction, flush: Flush) -> None:
    """Write what a unit of a flush is to write; all but the time of the log-in only ever rises."""
    _write(tx.sql, _UPSERT, flush.cursors)
    for change, marks in (
        ("op_floor = max(op_floor, told.column1)", flush.floors),
        ("seen_ms = told.column1", flush.seen),
        ("awake_ms = max(awake_ms, told.column1)", flush.awake),
    ):
        _write(tx.sql, _UPDATE.replace("{change}", change), marks)


def _write(sql: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement over rows, many at a time."""
    start = 0
    while start < len(rows):
        count = next(count for count in _CHUNK_ROWS if count <= len(rows) - start)
        chunk = rows[start : start + count]
        row = f"({', '.join('?' * len(chunk[0]))})"
        sql.execute(
            statement.replace("{rows}", ", ".join([row] * count)),
            [value for values in chunk for value in values],
        )
        start += count

"""Cursors and operation floors: kept in memory, written lazily, only ever raised."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from wxserve.protocol.identifiers import ConversationId, DeviceId

from .memory import Memory
from .transaction import Transaction

FLUSH_ROWS_MAX: Final = 256
"""Cursors written in one unit; at 30 µs each in a large store, a commit that others wait for."""
AWAKE_STEP_MS: Final = 3_600_000
"""How old the written time of a device's last sign of life may be while it is there."""

_UPSERT: Final = (
    "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT (device, conversation) "
    "DO UPDATE SET seq = max(seq, excluded.seq)"
)


class Flush(NamedTuple):
    """What one flush writes, each list in the order of its table.

    Attributes:
        cursors: (device, conversation, seq).
        floors: (operation floor, device).
        awake: devices to be noted as heard of now.
    """

    cursors: list[tuple[bytes, bytes, int]]
    floors: list[tuple[int, bytes]]
    awake: list[DeviceId]


class Cursors:
    """What devices have acknowledged and is not written yet.

    Losing it costs a redelivery. Two generations: the one being written, and what comes meanwhile.

    Attributes:
        floors: operation floors to be written.
        awake: devices heard of, to be noted.
    """

    def __init__(self) -> None:
        self._raised: dict[DeviceId, dict[ConversationId, int]] = {}
        self._writing: dict[DeviceId, dict[ConversationId, int]] = {}
        self._flush: Flush | None = None
        self.floors: dict[DeviceId, int] = {}
        self.awake: set[DeviceId] = set()

    def raise_to(self, device: DeviceId, conversation: ConversationId, seq: int) -> None:
        """Note that a device has acknowledged a conversation through ``seq``."""
        own = self._raised.setdefault(device, {})
        if seq > own.get(conversation, 0):
            own[conversation] = seq

    def unwritten(self, device: DeviceId) -> dict[ConversationId, int]:
        """Return the device's cursors that the tables do not know yet."""
        found = dict(self._writing.get(device, {}))
        for conversation, seq in self._raised.get(device, {}).items():
            found[conversation] = max(seq, found.get(conversation, 0))
        return found

    def next_devices(self) -> list[DeviceId]:
        """Return the devices whose cursors the next flush writes."""
        found, rows = [], 0
        for device, own in self._raised.items():
            if rows >= FLUSH_ROWS_MAX:
                break
            found.append(device)
            rows += len(own)
        return found

    @property
    def pending(self) -> bool:
        """Whether there is anything to write and nothing is being written."""
        return bool(self._raised or self.floors or self.awake) and self._flush is None

    def start_flush(self, devices: Iterable[DeviceId]) -> Flush:
        """Return what to write now: the cursors of ``next_devices``, and all else that waits."""
        for device in devices:
            self._writing[device] = self._raised.pop(device)
        cursors: list[tuple[bytes, bytes, int]] = sorted(
            (device, conversation, seq)
            for device, own in self._writing.items()
            for conversation, seq in own.items()
        )
        floors = [(floor, bytes(device)) for device, floor in sorted(self.floors.items())]
        self._flush = Flush(cursors, floors, sorted(self.awake))
        self.floors, self.awake = {}, set()
        return self._flush

    def end_flush(self, *, written: bool) -> None:
        """Forget what was written, or take it back if it was not."""
        lost, self._writing = self._writing, {}
        flush, self._flush = self._flush, None
        if written or flush is None:
            return
        for device, own in lost.items():
            for conversation, seq in own.items():
                self.raise_to(device, conversation, seq)
        for floor, name in flush.floors:
            self.floors[DeviceId(name)] = max(floor, self.floors.get(DeviceId(name), 0))
        self.awake.update(flush.awake)


def note_awake(memory: Memory, cursors: Cursors, device: DeviceId) -> None:
    """Note that a device is there, unless that was written not long ago."""
    state, now_ms = memory.devices.get(device), memory.running.now_ms()
    if state is not None and now_ms - state.awake_ms > AWAKE_STEP_MS:
        state.awake_ms = now_ms
        cursors.awake.add(device)


def write_cursors(tx: Transaction, flush: Flush) -> None:
    """Write cursors and floors; both only ever rise."""
    tx.sql.executemany(_UPSERT, flush.cursors)
    tx.sql.executemany(
        "UPDATE device SET op_floor = max(op_floor, ?) WHERE device = ?", flush.floors
    )
    write_awake(tx, flush.awake)


def write_awake(tx: Transaction, devices: Iterable[DeviceId]) -> None:
    """Note that devices were heard of now."""
    tx.sql.executemany(
        "UPDATE device SET awake_ms = max(awake_ms, ?) WHERE device = ?",
        [(tx.running_ms, device) for device in devices],
    )

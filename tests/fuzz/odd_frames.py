"""Frames that are legal and odd: every field at its limits, and every name of somebody else's things."""

import random
from typing import Any, Final

from wxserve.protocol.codec import BY_NUMBER, FrameType
from wxserve.protocol.envelope import Envelope, encode_envelope
from wxserve.protocol.fields import Bytes, FieldType, Flag, Many, Optional, Row, Text, UInt
from wxserve.protocol.identifiers import op_id
from wxserve.protocol.schema import Record, Schema
from wxserve.protocol.states import TRANSITIONS, Role, State
from wxserve.testing.device import TestDevice

KINDS: Final = [
    kind for kind in BY_NUMBER.values() if (State.OPEN, Role.CLIENT, kind.frame) in TRANSITIONS
]
EDGES: Final = (0, 1, 2, 3, 7, 255, 256, 1023, 1024, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**62)
COUNT_MAX: Final = 3
LIFELONG: Final = {"ops_done_below"}
"""What would leave the device unable to do anything again; it stays below the newest operation."""
SESSION: Final = {"bytes_more": 1000, "entries_more": 10, "seq_acked": 3}
"""What would end the session every time; mostly it stays below these."""
KNOWN: Final = 0.95
"""How often a name is of something that exists."""


class OddFrames:
    """Draws frames of one device.

    Attributes:
        pool: things that exist, by the name of a field that may mean them.
    """

    def __init__(self, draw: random.Random, device: TestDevice) -> None:
        self._draw = draw
        self._device = device
        self.pool: dict[str, list[bytes]] = {"conversation": [], "account": [], "device": []}

    def frame(self) -> Any:
        """Return one frame."""
        kind: FrameType = self._draw.choice(KINDS)
        return tuple.__new__(kind.frame, self._row(kind.schema))

    def _row(self, schema: Schema) -> tuple[Any, ...]:
        return tuple(self._value(name, kind) for name, kind in schema.fields)

    def _value(self, name: str, kind: FieldType) -> Any:
        draw = self._draw
        match kind:
            case Optional():
                return None if draw.random() < 0.5 else self._value(name, kind.item)
            case Row():
                return tuple(
                    self._value("conversation" if isinstance(item, Bytes) else "seq_acked", item)
                    for item in kind.items
                )
            case Record():
                return tuple.__new__(kind.row_class, self._row(Schema(kind.row_class)))
            case Many():
                count = draw.randint(kind.count_min, max(kind.count_min, COUNT_MAX))
                return tuple(self._value(name, kind.item) for _ in range(count))
            case Bytes():
                return self._bytes(name, kind)
            case UInt() if name in LIFELONG or (draw.random() < 0.9 and name in SESSION):
                return draw.randint(0, min(self._device.counter, SESSION.get(name, 1 << 62)))
            case _:
                return self._plain(kind)

    def _plain(self, kind: FieldType) -> Any:
        match kind:
            case UInt():
                edges = [edge for edge in EDGES if edge <= kind.value_max]
                return self._draw.choice([*edges, kind.value_max, kind.value_max // 2])
            case Text():
                long = "\U0001f600" * (kind.bytes_max // 4)
                return self._draw.choice(["", "a", "read", "\u0301" * 8, long])
            case Flag():
                return self._draw.random() < 0.5
            case _:
                raise AssertionError(kind)

    def _bytes(self, name: str, kind: Bytes) -> bytes:
        if name == "op":
            return self._op()
        if name == "envelope":
            return self._envelope()
        known = self.pool.get({"accounts": "account", "members": "account"}.get(name, name))
        if known and self._draw.random() < KNOWN:
            return self._draw.choice(known)
        size = self._draw.choice([kind.bytes_min, kind.bytes_min + 40, 300])
        return self._draw.randbytes(min(size, kind.bytes_max))

    def _op(self) -> bytes:
        """An operation of its own: the next one mostly, else an old, a far or a foreign one."""
        device, chance = self._device, self._draw.random()
        if chance < 0.75:
            return device.next_op()
        if chance < 0.85:
            return op_id(device.device, self._draw.randint(0, device.counter))
        if chance < 0.95:
            return op_id(device.device, self._draw.choice([*EDGES[4:], 2**63 - 1, 2**64 - 1]))
        return self._draw.randbytes(16)

    def _envelope(self) -> bytes:
        row = tuple.__new__(Envelope, self._row(Schema(Envelope)))._replace(version=1)
        if self._draw.random() < 0.8:
            row = row._replace(kind=1)
        return encode_envelope(row)

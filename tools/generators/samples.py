"""Sample values of every field type: typical, smallest, largest, and wrong ones.

All are made from the annotations of the frames, so a new frame gets its vectors by itself.
"""

from collections.abc import Iterator
from hashlib import sha256
from struct import pack as struct_pack
from typing import Any, Final

from wxserve.protocol.credentials import DEVICE_KEY, DeviceKey, encode_credential
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.fields import Bytes, FieldType, Flag, Many, Optional, Row, Text, UInt
from wxserve.protocol.identifiers import (
    AccountId,
    DeviceId,
    direct_conversation,
    op_id,
    sender_of,
)
from wxserve.protocol.limits import ENVELOPE_BYTES_MAX
from wxserve.protocol.packing import pack
from wxserve.protocol.schema import Record, Schema

ANNA: Final = AccountId(sha256(b"account anna").digest()[:16])
BERT: Final = AccountId(sha256(b"account bert").digest()[:16])
PHONE: Final = DeviceId(sha256(b"device phone").digest()[:8])
DIRECT: Final = direct_conversation(ANNA, BERT)
OP: Final = op_id(PHONE, 7)
TIME_MS: Final = 1_767_225_600_000
ENVELOPE: Final = encode_envelope(message(DIRECT, OP, b"hello"))
_TYPICAL: Final[dict[str, Any]] = {
    "versions": ((1, 0),),
    "agent": "example/1.0",
    "major": 1,
    "minor": 0,
    "account": ANNA,
    "accounts": (ANNA, BERT),
    "members": (ANNA, BERT),
    "device": PHONE,
    "conversation": DIRECT,
    "op": OP,
    "sender": sender_of(ANNA, PHONE),
    "envelope": ENVELOPE,
    "credential": encode_credential(DeviceKey(DEVICE_KEY, ANNA, PHONE)),
    "time_ms": TIME_MS,
    "created_ms": TIME_MS,
    "seen_ms": TIME_MS,
    "expires_ms": TIME_MS,
    "code": 4001,
    "kind": 1,
    "state": 1,
    "role": 1,
    "reason": 3,
    "key": "read",
    "name": "Änne",
    "detail": "no space left",
    "more": False,
    "temporary": True,
    "plugins": (("moments", 1, 0, 0x1000, 0x1010),),
    "intervals": ((1, 4), (9, 0)),
    "after": b"",
    "tag": b"",
    "cuts": (),
    "session": 1,
    "position": 900,
    "op_last": 6,
    "op_floor": 5,
    "ops_done_below": 5,
    "heartbeat_min_s": 15,
    "heartbeat_max_s": 60,
    "credit_bytes": 1 << 20,
    "credit_entries": 1024,
    "ops_in_flight_max": 1024,
    "envelope_bytes_max": ENVELOPE_BYTES_MAX,
    "retry_after_ms": 1000,
    "deadline_ms": 10_000,
    "seq": 12,
    "through": 12,
    "since": 850,
    "first": 9,
    "last": 12,
    "head": 12,
    "unread": 3,
    "limit": 100,
    "version": 3,
    "bytes_more": 65_536,
    "entries_more": 64,
    "cursors": ((DIRECT, 12),),
}


class Raw(bytes):
    """Bytes that stand in a body as they are."""

    __slots__ = ()


def lay(value: object) -> bytes:
    """Return the msgpack bytes of a value that may hold ``Raw`` ones."""
    if isinstance(value, Raw):
        return bytes(value)
    if not isinstance(value, tuple):
        return pack((value,))[1:]
    size = len(value)
    head = bytes([0x90 | size]) if size < 16 else b"\xdc" + size.to_bytes(2, "big")
    return head + b"".join(map(lay, value))


def typical(name: str, kind: FieldType) -> Any:  # noqa: ANN401 - a value of any field
    """Return an everyday value of a field; the same name gives the same value."""
    if isinstance(kind, Many) and isinstance(kind.item, Record):
        return (row(kind.item.row_class, typical),)
    if name in _TYPICAL and kind.check()(_TYPICAL[name]):
        return _TYPICAL[name]
    seed = sha256(name.encode()).digest()
    match kind:
        case UInt():
            return int.from_bytes(seed[:3], "big") % min(kind.value_max, 50_000)
        case Bytes():
            size = max(kind.bytes_min, min(5, kind.bytes_max))
            return (seed * 2)[:size]
        case Many():
            return (typical(name, kind.item),) * max(1, kind.count_min)
        case Row():
            return tuple(typical(f"{name}{i}", item) for i, item in enumerate(kind.items))
        case _:
            raise SystemExit(f"no typical value for field {name}")


def smallest(_name: str, kind: FieldType) -> Any:  # noqa: ANN401
    """Return the value of a field that takes the fewest bytes."""
    match kind:
        case UInt():
            return 0
        case Bytes():
            return bytes(kind.bytes_min)
        case Text():
            return ""
        case Flag():
            return False
        case Optional():
            return None
        case Many():
            return (smallest("", kind.item),) * kind.count_min
        case Row():
            return tuple(smallest("", item) for item in kind.items)
        case Record():
            return row(kind.row_class, smallest)
        case _:
            raise SystemExit(f"no smallest value for {kind.describe()}")


def largest(_name: str, kind: FieldType) -> Any:  # noqa: ANN401
    """Return the value of a field that takes the most bytes."""
    match kind:
        case UInt():
            return kind.value_max
        case Bytes():
            return b"\xff" * kind.bytes_max
        case Text():
            return "\U00010348" * (kind.bytes_max // 4)
        case Flag():
            return True
        case Optional():
            return largest("", kind.item)
        case Many():
            return (largest("", kind.item),) * kind.count_max
        case Row():
            return tuple(largest("", item) for item in kind.items)
        case Record():
            return row(kind.row_class, largest)
        case _:
            raise SystemExit(f"no largest value for {kind.describe()}")


def row(row_class: type[tuple[Any, ...]], sample: Any) -> Any:  # noqa: ANN401
    """Return a row of a class with a sample value in each field."""
    values = (sample(name, kind) for name, kind in Schema(row_class).fields)
    return tuple.__new__(row_class, values)


def wrong(kind: FieldType) -> Iterator[tuple[str, Any]]:
    """Give values that a field must refuse, each with what is wrong with it."""
    if isinstance(kind, Optional):
        yield from (one for one in wrong(kind.item) if one[0] != "nil")
        return
    yield "map", Raw(b"\x80")
    yield "empty extension", Raw(b"\xc7\x00\x05")
    yield "float", Raw(b"\xcb" + struct_pack(">d", 1.0))
    match kind:
        case UInt():
            yield from _wrong_integers(kind)
        case Bytes():
            yield "text", "a" * kind.bytes_min
            yield "nil", None
            yield "too long", b"\xff" * (kind.bytes_max + 1)
            if kind.bytes_min:
                yield "too short", b"\xff" * (kind.bytes_min - 1)
        case Text():
            yield "bytes", b"a"
            yield "too long", "a" * (kind.bytes_max + 1)
            yield "too long in UTF-8", "é" * (kind.bytes_max // 2 + 1)
            yield "NUL", "a\0"
            yield "not UTF-8", Raw(b"\xa2\xc3\x28")
            yield "surrogate", Raw(b"\xa3\xed\xa0\x80")
        case Flag():
            yield "number", 1
            yield "nil", None
        case _:
            yield from _wrong_arrays(kind)


def _wrong_integers(kind: UInt) -> Iterator[tuple[str, Any]]:
    yield "negative", -1
    yield "boolean", True
    yield "nil", None
    yield "text", "1"
    if kind.bits < 64:
        yield "too large", kind.value_max + 1


def _wrong_arrays(kind: FieldType) -> Iterator[tuple[str, Any]]:
    yield "nil", None
    yield "bytes", b""
    match kind:
        case Many():
            one = largest("", kind.item)
            yield "too many", (one,) * (kind.count_max + 1)
            if kind.count_min:
                yield "too few", (one,) * (kind.count_min - 1)
            for what, value in wrong(kind.item):
                yield f"an item: {what}", (value,) * max(1, kind.count_min)
        case Row() | Record():
            good = largest("", kind)
            yield "one field less", tuple(good[:-1])
            yield "one field more", (*good, 0)
            items = kind.items if isinstance(kind, Row) else [f.type for f in _fields(kind)]
            for index, item in enumerate(items):
                what, value = list(wrong(item))[-1]
                yield f"field {index}: {what}", (*good[:index], value, *good[index + 1 :])


def _fields(kind: Record) -> tuple[Any, ...]:
    return Schema(kind.row_class).fields

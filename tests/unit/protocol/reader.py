"""A second reader of the wire format that shares no code with the first: as a stranger writes it.

Reads frames and msgpack by the text of docs/protocol.md, for the test vectors only; slow and short.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""What JSON or msgpack may hold."""
VECTORS = Path(__file__).resolve().parents[3] / "docs/vectors"


def load(name: str) -> dict[str, Any]:
    """Return a file of test vectors."""
    document: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def expand(text: str) -> bytes:
    """Return the bytes of hex runs: "00ff ab*3" is 00 ff ab ab ab."""
    parts = (token.partition("*") for token in text.split())
    return b"".join(bytes.fromhex(digits) * int(count or 1) for digits, _, count in parts)


def restore(value: Value) -> Value:
    """Return a value of a vector as it comes from the wire: arrays as lists."""
    match value:
        case {"hex": str(text)} if len(value) == 1:
            return expand(text)
        case {"int": str(digits)} if len(value) == 1:
            return int(digits)
        case {"repeat": item, "count": int(count)}:
            return [restore(item)] * count
        case dict():
            return [restore(item) for item in value.values()]
        case list():
            return [restore(item) for item in value]
        case _:
            return value


def frames(data: bytes) -> Iterator[tuple[int, int, int, Any]]:
    """Give (type, stream, flags, fields) of each frame."""
    while data:
        size = int.from_bytes(data[:3], "big")
        flags, number, stream = struct.unpack(">BHH", data[3:8])
        body, data = data[8 : 8 + size], data[8 + size :]
        assert len(body) == size
        yield number, stream, flags, whole(body) if body else []


def whole(data: bytes) -> Value:
    """Return the one msgpack value in ``data``."""
    value, rest = _value(data)
    assert not rest
    return value


def _value(data: bytes) -> tuple[Value, bytes]:
    first, rest = data[0], data[1:]
    match first:
        case _ if first < 0x80:
            return first, rest
        case _ if 0x90 <= first < 0xA0:
            return _array(first & 0x0F, rest)
        case _ if 0xA0 <= first < 0xC0:
            return rest[: first & 0x1F].decode(), rest[first & 0x1F :]
        case 0xC0 | 0xC2 | 0xC3:
            return {0xC0: None, 0xC2: False, 0xC3: True}[first], rest
        case 0xC4 | 0xC5 | 0xC6:
            size, rest = _number(1 << (first - 0xC4), rest)
            return rest[:size], rest[size:]
        case 0xCC | 0xCD | 0xCE | 0xCF:
            return _number(1 << (first - 0xCC), rest)
        case 0xD0 | 0xD1 | 0xD2 | 0xD3:
            size = 1 << (first - 0xD0)
            return int.from_bytes(rest[:size], "big", signed=True), rest[size:]
        case 0xD9 | 0xDA | 0xDB:
            size, rest = _number(1 << (first - 0xD9), rest)
            return rest[:size].decode(), rest[size:]
        case 0xDC | 0xDD:
            size, rest = _number(2 << (first - 0xDC), rest)
            return _array(size, rest)
        case _:
            raise AssertionError(f"byte {first:#x} is not of the subset")


def _number(size: int, data: bytes) -> tuple[int, bytes]:
    assert len(data) >= size
    return int.from_bytes(data[:size], "big"), data[size:]


def _array(count: int, data: bytes) -> tuple[list[Any], bytes]:
    items = []
    for _ in range(count):
        item, data = _value(data)
        items.append(item)
    return items, data

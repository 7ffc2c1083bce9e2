"""Section 2.1: the presentation language of TLS with variable-size vectors.

A structure has ``encode()`` and a ``read`` that takes a ``Reader``; fields are read in the order of
the RFC.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from .errors import DecodingError

T = TypeVar("T")
LENGTH_MAX = (1 << 30) - 1
Read = Callable[["Reader"], T]


class Encodable(Protocol):
    """A structure that can be written."""

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        ...


class Reader:
    """Takes fields off the front of bytes; every method raises ``DecodingError`` at the end."""

    __slots__ = ("_data", "_end", "at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data)
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes, or raise DecodingError."""
        start = self.at
        end = start + size
        if end > self._end:
            raise DecodingError(f"{size} bytes at {start} go past the end")
        self.at = end
        return self._data[start:end]

    def u8(self) -> int:
        """Return a uint8, or raise DecodingError."""
        at = self.at
        if at >= self._end:
            raise DecodingError(f"a byte at {at} goes past the end")
        self.at = at + 1
        return self._data[at]

    def u16(self) -> int:
        """Return a uint16."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Return a uint32."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """Return a uint64."""
        return int.from_bytes(self.take(8), "big")

    def length(self) -> int:
        """Return the length before a vector (section 2.1.2), or raise DecodingError."""
        first = self.u8()
        kind = first >> 6
        if kind == 0:
            return first
        if kind == 3:
            raise DecodingError("the length of a vector starts with an invalid prefix")
        size = 2 if kind == 1 else 4
        value = ((first & 0x3F) << (8 * (size - 1))) | int.from_bytes(self.take(size - 1), "big")
        if value < (64 if size == 2 else 1 << 14):
            raise DecodingError(f"the length {value} is not in its shortest form")
        return value

    def opaque(self) -> bytes:
        """Return an ``opaque<V>``."""
        data, at = self._data, self.at
        if at + 1 < self._end:  # the usual cases, written out: decoding is mostly this
            first = data[at]
            is_short = first < 64
            start = at + 1 if is_short else at + 2
            size = first if is_short else (first & 0x3F) << 8 | data[at + 1]
            end = start + size
            if end <= self._end and (is_short or (first < 128 and size >= 64)):
                self.at = end
                return data[start:end]
        return self.take(self.length())

    def vector(self, read: Read[T]) -> tuple[T, ...]:
        """Return a ``T<V>``, or raise DecodingError if the elements do not fill it exactly."""
        size = self.length()
        end = self.at + size
        outer = self._end
        if end > outer:
            raise DecodingError(f"a vector of {size} bytes at {self.at} goes past the end")
        self._end = end
        items = []
        while self.at < end:
            items.append(read(self))
        self._end = outer
        return tuple(items)

    def optional(self, read: Read[T]) -> T | None:
        """Return an ``optional<T>``, or raise DecodingError if its presence is neither 0 nor 1."""
        present = self.u8()
        if present > 1:
            raise DecodingError(f"the presence of an optional value is {present}")
        return read(self) if present else None

    def since(self, start: int) -> bytes:
        """Return what was read since the place ``start``."""
        return self._data[start : self.at]

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return self._end - self.at

    def finish(self) -> None:
        """Raise DecodingError if anything is left."""
        if self.at != self._end:
            raise DecodingError(f"{self._end - self.at} bytes are left over")


def decode(data: bytes, read: Read[T]) -> T:
    """Return the one structure that the bytes encode, or raise ``DecodingError``."""
    reader = Reader(data)
    value = read(reader)
    reader.finish()
    return value


def u8(value: int) -> bytes:
    """Encode a uint8."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Encode a uint16."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Encode a uint32."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Encode a uint64."""
    return value.to_bytes(8, "big")


def length(value: int) -> bytes:
    """Encode the length of a vector (section 2.1.2), or raise ValueError above 2³⁰ - 1."""
    if value < 64:
        return value.to_bytes(1, "big")
    if value < 1 << 14:
        return (value | 0x4000).to_bytes(2, "big")
    if value > LENGTH_MAX:
        raise ValueError(f"a vector of {value} bytes is too long")
    return (value | 0x8000_0000).to_bytes(4, "big")


LENGTHS = tuple([length(size) for size in range(1024)])
"""Of what is usual, written once: a message has a dozen."""


def opaque(data: bytes) -> bytes:
    """Encode an ``opaque<V>``."""
    size = len(data)
    return (LENGTHS[size] if size < 1024 else length(size)) + data


def vector(items: Iterable[Encodable]) -> bytes:
    """Encode a ``T<V>``."""
    return opaque(b"".join([item.encode() for item in items]))


def numbers(values: Iterable[int], encode: Callable[[int], bytes]) -> bytes:
    """Encode a vector of integers, each by ``encode``."""
    return opaque(b"".join([encode(value) for value in values]))


def optional(item: Encodable | None) -> bytes:
    """Encode an ``optional<T>``."""
    return b"\0" if item is None else b"\1" + item.encode()

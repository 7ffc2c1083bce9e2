"""Field types of frames: each names a msgpack type, its range, and how a value is checked.

A frame class annotates its fields with the aliases at the end (``U16``, ``Bin16`` …); ``Schema``
turns the annotations of a class into one check of a whole row. Checks are strict: a bool is no
integer, a string is no byte string, and nothing is converted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import call
from typing import Annotated, Protocol

Check = Callable[[object], bool]
"""Says whether a decoded value is one of the field's."""


class FieldType(Protocol):
    """What every type of a field can tell about itself."""

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""

    def check(self) -> Check:
        """Return the check of a value of any type."""

    def describe(self) -> str:
        """Return the type as the documentation writes it."""

    def array_max(self) -> int:
        """Return the length of the longest array in it, 0 if it holds none."""


@dataclass(frozen=True, slots=True)
class UInt:
    """An unsigned integer of at most ``bits`` bits."""

    bits: int

    @property
    def value_max(self) -> int:
        """Return the largest value."""
        return (1 << self.bits) - 1

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""
        return (int,)

    def check(self) -> Check:
        """Return the check of a value of any type."""
        high = self.value_max
        return lambda value: type(value) is int and 0 <= value <= high

    def describe(self) -> str:
        """Return the type as the documentation writes it."""
        return f"u{self.bits}"

    def array_max(self) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True)
class Bytes:
    """A byte string of ``bytes_min`` to ``bytes_max`` bytes."""

    bytes_min: int
    bytes_max: int

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""
        return (bytes,)

    def check(self) -> Check:
        """Return the check of a value of any type."""
        low, high = self.bytes_min, self.bytes_max
        return lambda value: type(value) is bytes and low <= len(value) <= high

    def describe(self) -> str:
        """Return the type as the documentation writes it."""
        if self.bytes_min == self.bytes_max:
            return f"bin {self.bytes_min}"
        return f"bin {self.bytes_min}…{self.bytes_max}"

    def array_max(self) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True)
class Text:
    """A UTF-8 string of at most ``bytes_max`` encoded bytes, without NUL."""

    bytes_max: int

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""
        return (str,)

    def check(self) -> Check:
        """Return the check of a value of any type."""
        high = self.bytes_max

        def check(value: object) -> bool:
            return type(value) is str and len(value.encode()) <= high and "\0" not in value

        return check

    def describe(self) -> str:
        """Return the type as the documentation writes it."""
        return f"str 0…{self.bytes_max}"

    def array_max(self) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean."""

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""
        return (bool,)

    def check(self) -> Check:
        """Return the check of a value of any type."""
        return lambda value: value is True or value is False

    def describe(self) -> str:
        """Return the type as the documentation writes it."""
        return "bool"

    def array_max(self) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True)
class Optional:
    """Nil, or a value of ``item``."""

    item: FieldType

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""
        return (type(None), *self.item.kinds())

    def check(self) -> Check:
        """Return the check of a value of any type."""
        inner = self.item.check()
        return lambda value: value is None or inner(value)

    def describe(self) -> str:
        """Return the type as the documentation writes it."""
        return f"{self.item.describe()} or nil"

    def array_max(self) -> int:
        """Return the length of the longest array in it, 0 if it holds none."""
        return self.item.array_max()


@dataclass(frozen=True, slots=True)
class Row:
    """An array of exactly the given types."""

    items: tuple[FieldType, ...]

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""
        return (tuple,)

    def check(self) -> Check:
        """Return the check of a value of any type."""
        checks = tuple(item.check() for item in self.items)
        size = len(checks)

        def check(value: object) -> bool:
            return type(value) is tuple and len(value) == size and all(map(call, checks, value))

        return check

    def describe(self) -> str:
        """Return the type as the documentation writes it."""
        return "[" + ", ".join(item.describe() for item in self.items) + "]"

    def array_max(self) -> int:
        """Return the length of the longest array in it."""
        return max(len(self.items), *(item.array_max() for item in self.items))


@dataclass(frozen=True, slots=True)
class Many:
    """An array of ``count_min`` to ``count_max`` values of ``item``."""

    item: FieldType
    count_min: int
    count_max: int

    def kinds(self) -> tuple[type, ...]:
        """Return the Python types that its values decode to."""
        return (tuple,)

    def check(self) -> Check:
        """Return the check of a value of any type."""
        inner, low, high = self.item.check(), self.count_min, self.count_max

        def check(value: object) -> bool:
            if type(value) is not tuple or not low <= len(value) <= high:
                return False
            return not value or all(map(inner, value))

        return check

    def describe(self) -> str:
        """Return the type as the documentation writes it."""
        return f"array {self.count_min}…{self.count_max} of {self.item.describe()}"

    def array_max(self) -> int:
        """Return the length of the longest array in it."""
        return max(self.count_max, self.item.array_max())


U8 = Annotated[int, UInt(8)]
U16 = Annotated[int, UInt(16)]
U32 = Annotated[int, UInt(32)]
U63 = Annotated[int, UInt(63)]
"""Counts, positions, times: what databases and languages hold in a signed 64-bit integer."""
U64 = Annotated[int, UInt(64)]
Bool = Annotated[bool, Flag()]
Bin16 = Annotated[bytes, Bytes(16, 16)]
Bin32 = Annotated[bytes, Bytes(32, 32)]
Bin64 = Annotated[bytes, Bytes(64, 64)]

"""Rows read and written in one pass, by the compiled module where it could be built.

It knows what is right in every respect and says None to all else, which is then done in Python; see
``_rows.c``. Where there is no compiled module it is None to everything, so nobody has to ask.
"""

from typing import Any, Final, TypeVar

from .fields import Bytes, FieldType, Flag, Many, Optional, Row, Text, UInt
from .schema import Record, Schema

__all__ = [
    "COMPILED",
    "Layout",
    "PlainShape",
    "PlainTable",
    "Shape",
    "Table",
    "frame",
    "make",
    "shape_of",
]

R = TypeVar("R", bound=tuple[Any, ...])
Layout = tuple[int, int, int, type[tuple[Any, ...]], tuple["Layout", ...]]
"""(kind, least, most, class of the row, inner fields), as ``field_init`` in ``_rows.c`` takes it."""
_UINT, _BYTES, _TEXT, _FLAG, _OPTIONAL, _MANY, _ROW = range(7)


class PlainShape:
    """Stands for ``Shape`` where there is no compiled module."""

    def __init__(self, layout: Layout, /) -> None:
        del layout

    def read(self, data: bytes | bytearray, /) -> Any:  # noqa: ANN401 - of the row's class
        """Return None."""
        del data
        return None


class PlainTable:
    """Stands for ``Table`` where there is no compiled module."""

    def __init__(
        self, received: type[tuple[Any, ...]], frames: dict[int, tuple[Any, int, bool | None]], /
    ) -> None:
        del received, frames

    def take(self, buffer: bytes | bytearray, offset: int, /) -> Any:  # noqa: ANN401 - see ``_rows.pyi``
        """Return None."""
        del buffer, offset
        return None


def _plain_frame(
    row: tuple[Any, ...], number: int, stream: int, flags: int, body_bytes_max: int, /
) -> bytes | None:
    del row, number, stream, flags, body_bytes_max
    return None


def _plain_make(row_class: type[R], /, *values: object) -> R:
    return tuple.__new__(row_class, values)


try:
    from ._rows import Shape, Table, frame, make
except ImportError:
    Shape, Table = PlainShape, PlainTable  # type: ignore[assignment,misc]
    frame, make = _plain_frame, _plain_make

COMPILED: Final = frame is not _plain_frame
"""Whether there is a compiled module, and it is in use."""


def shape_of(schema: Schema) -> Shape:
    """Return what reads the rows of a schema at once."""
    return Shape(_row(schema))


def _row(schema: Schema) -> Layout:
    return _ROW, 0, 0, schema.row_class, tuple(_layout(kind) for _, kind in schema.fields)


def _layout(kind: FieldType) -> Layout:
    match kind:
        case UInt():
            return _UINT, 0, kind.value_max, tuple, ()
        case Bytes():
            return _BYTES, kind.bytes_min, kind.bytes_max, tuple, ()
        case Text():
            return _TEXT, 0, kind.bytes_max, tuple, ()
        case Flag():
            return _FLAG, 0, 0, tuple, ()
        case Optional():
            return _OPTIONAL, 0, 0, tuple, (_layout(kind.item),)
        case Many():
            return _MANY, kind.count_min, kind.count_max, tuple, (_layout(kind.item),)
        case Row():
            return _ROW, 0, 0, tuple, tuple(_layout(item) for item in kind.items)
        case Record():
            return _row(Schema(kind.row_class))
        case _:
            raise TypeError(kind)

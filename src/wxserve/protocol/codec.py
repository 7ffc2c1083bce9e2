"""Frames to bytes and back; strict, and the same for both roles."""

from struct import Struct
from typing import Any, Final

from .errors import ErrorCode
from .exceptions import LocalProtocolError, RemoteProtocolError
from .fields import Many
from .frames import TYPES, Frame
from .packing import nests_deeper, pack, unpack
from .rows import frame as compiled_frame
from .rows import shape_of
from .schema import EXTRA_DEPTH_MAX, EXTRA_FIELDS_MAX, Record, Schema

HEADER: Final = Struct(">IHH")
"""body length (24 bits) and flags (8 bits), type, stream."""
HEADER_BYTES: Final = HEADER.size


class FrameType:
    """What the codec knows about one frame class.

    Attributes:
        frame: the class.
        number: its type on the wire.
        body_bytes_max: the largest body it may have.
        schema: its fields.
        records: which fields are arrays of rows that have a class of their own, and which class.
        shape: reads a right body at once.
        array_max: the longest array its body may hold, the body itself included.
    """

    __slots__ = ("array_max", "body_bytes_max", "frame", "number", "records", "schema", "shape")

    def __init__(self, frame: type[Frame], number: int, body_bytes_max: int) -> None:
        self.frame = frame
        self.number = number
        self.body_bytes_max = body_bytes_max
        self.schema = Schema(frame)
        self.shape = shape_of(self.schema)
        self.records = tuple(
            (index, kind.item.row_class)
            for index, (_, kind) in enumerate(self.schema.fields)
            if isinstance(kind, Many) and isinstance(kind.item, Record)
        )
        self.array_max = max(self.schema.size + EXTRA_FIELDS_MAX, self.schema.array_max)


BY_NUMBER: Final[dict[int, FrameType]] = {
    number: FrameType(frame, number, limit) for frame, (number, limit) in TYPES.items()
}


def encode(frame: Frame, stream: int = 0, flags: int = 0) -> bytes:
    """Return the wire bytes of a frame.

    Args:
        frame: any core frame; its values are trusted to fit their fields.
        stream: 0 for pushes, the request's stream for answers (0 … 65535).
        flags: header flags (0 … 255).

    Raises:
        LocalProtocolError: the body is larger than its type allows.
    """
    number, body_bytes_max = TYPES[type(frame)]
    data = compiled_frame(frame, number, stream, flags, body_bytes_max)
    if data is not None:
        return data
    body = pack(frame) if frame else b""
    size = len(body)
    if size > body_bytes_max:
        raise LocalProtocolError(ErrorCode.FRAME_TOO_LARGE, type(frame).__name__)
    return HEADER.pack(size << 8 | flags, number, stream) + body


def decode_body(kind: FrameType, body: bytes | bytearray, *, tolerant: bool) -> Frame:
    """Return the frame of type ``kind`` with this body.

    Args:
        kind: from ``BY_NUMBER``.
        body: exactly the body.
        tolerant: ignore extra trailing fields (the peer speaks a higher minor version).

    Raises:
        RemoteProtocolError: MALFORMED_FRAME, naming the frame and the field.
    """
    frame: Frame | None = kind.shape.read(body)
    return _look(kind, body, tolerant=tolerant) if frame is None else frame


def _look(kind: FrameType, body: bytes | bytearray, *, tolerant: bool) -> Frame:
    """Do the same in Python.

    Raises:
        RemoteProtocolError: MALFORMED_FRAME, naming the frame and the field.
    """
    row = unpack(body, kind.array_max) if body else ()
    schema = kind.schema
    if tolerant and len(row) > schema.size:
        if nests_deeper(row[schema.size :], EXTRA_DEPTH_MAX):
            raise RemoteProtocolError(
                ErrorCode.MALFORMED_FRAME, f"{kind.frame.__name__}: extra fields"
            )
        row = row[: schema.size]
    if not schema.accepts(row):
        raise RemoteProtocolError(
            ErrorCode.MALFORMED_FRAME, f"{kind.frame.__name__}: {schema.fault(row)}"
        )
    if kind.records:
        row = _with_records(kind, row)
    return tuple.__new__(kind.frame, row)


def _with_records(kind: FrameType, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give the rows inside a row their classes."""
    fields = list(row)
    for index, row_class in kind.records:
        fields[index] = tuple(tuple.__new__(row_class, one) for one in row[index])
    return tuple(fields)


def with_stream(data: bytes, stream: int) -> bytes:
    """Return encoded frame bytes with another stream number, the body untouched."""
    return data[: HEADER_BYTES - 2] + stream.to_bytes(2, "big") + data[HEADER_BYTES:]

"""Strict msgpack: arrays, byte strings, text, integers, booleans and nil; nothing else.

No maps, no extension types, no floats, and no nesting beyond what a frame declares: the decoder
refuses the first two and caps every length, the field checks refuse the rest.
Source: docs/protocol.md, "Bodies".
"""

from typing import Any, Final

from msgpack import Packer, unpackb

from .errors import ErrorCode
from .exceptions import RemoteProtocolError

ARRAY_MAX: Final = 1024
"""Longest array in any body; each nesting level of a hostile body costs at most 8 KiB."""
_BUFFER_BYTES: Final = 512
"""First buffer of a packer: most bodies fit, larger ones make it grow."""


def pack(row: tuple[object, ...]) -> bytes:
    """Return the msgpack array of a row of plain values.

    A packer of its own for each call: a kept one would save 0.1 us and may not be used by two
    threads at once.
    """
    data: bytes = Packer(buf_size=_BUFFER_BYTES).pack(row)
    return data


def unpack(data: bytes | bytearray, array_max: int = ARRAY_MAX) -> tuple[Any, ...]:
    """Return the row that is written in one msgpack array with nothing after it.

    Only what the decoder itself can tell is refused here; the caller checks each value's type.
    Memory: at most about 80 times the input and 8 MiB, and only while it is being read.

    Raises:
        RemoteProtocolError: MALFORMED_FRAME for anything else.
    """
    try:
        row = unpackb(data, use_list=False, max_array_len=array_max, max_map_len=0, max_ext_len=0)
    except Exception as error:  # the decoder raises six unrelated kinds; all mean the same here
        raise RemoteProtocolError(ErrorCode.MALFORMED_FRAME, "not a msgpack array") from error
    if type(row) is not tuple:
        raise RemoteProtocolError(ErrorCode.MALFORMED_FRAME, "not a msgpack array")
    return row


def nests_deeper(row: tuple[Any, ...], depth_max: int) -> bool:
    """Return whether there are arrays in arrays of a row, deeper than so many levels."""
    level = [item for item in row if type(item) is tuple]
    for _ in range(depth_max):
        level = [item for inner in level for item in inner if type(item) is tuple]
    return bool(level)

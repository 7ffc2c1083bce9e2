"""What is inside a message: a small array with a version and a kind.

``[1, 1, text]`` is a text, ``[1, 2, title]`` names the group it stands in; both are UTF-8. A kind may
get more fields at its end later, and there may be more kinds: what is not known is kept and shown
as such. The body of a group's first entry is a title, too. Source: clients/python/README.md.
"""

from typing import Final, NamedTuple

from wxclient._protocol.exceptions import RemoteProtocolError
from wxclient._protocol.packing import pack, unpack

VERSION: Final = 1
TEXT: Final = 1
TITLE: Final = 2


class Text(NamedTuple):
    """Something a person wrote."""

    text: str


class Title(NamedTuple):
    """The name of the group from now on."""

    title: str


class Unknown(NamedTuple):
    """Something of a later version, or of another program.

    Attributes:
        version: of the array; 0 if it is none.
        kind: in the array; 0 if it is none.
    """

    version: int
    kind: int


Body = Text | Title | Unknown


def write_text(text: str) -> bytes:
    """Return the body of a text; what UTF-8 cannot hold is replaced."""
    return pack((VERSION, TEXT, _utf8(text)))


def write_title(title: str) -> bytes:
    """Return the body that names a group."""
    return pack((VERSION, TITLE, _utf8(title)))


def read_body(data: bytes) -> Body:
    """Return what a body says; never fails."""
    try:
        row = unpack(data)
    except RemoteProtocolError:
        return Unknown(0, 0)
    match row:
        case (1, 1, str(text), *_) if type(row[0]) is type(row[1]) is int:
            return Text(text)
        case (1, 2, str(title), *_) if type(row[0]) is type(row[1]) is int:
            return Title(title)
        case (int(version), int(kind), *_) if version >= 0 and kind >= 0:
            return Unknown(int(version), int(kind))
        case _:
            return Unknown(0, 0)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()

"""Section 6: MLSMessage, the envelope of everything that is sent or published."""

from collections.abc import Callable

from .codec import Reader, decode, u16
from .errors import DecodingError, UnsupportedError
from .framing import WireFormat
from .key_package import KeyPackage
from .private_message import PrivateMessage
from .public_message import PublicMessage
from .suites import MLS10
from .welcome import GroupInfo, Welcome

Message = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage
FORMATS: dict[type, WireFormat] = {
    PublicMessage: WireFormat.PUBLIC_MESSAGE,
    PrivateMessage: WireFormat.PRIVATE_MESSAGE,
    Welcome: WireFormat.WELCOME,
    GroupInfo: WireFormat.GROUP_INFO,
    KeyPackage: WireFormat.KEY_PACKAGE,
}
HEADS = {kind: u16(MLS10) + u16(wire_format) for kind, wire_format in FORMATS.items()}
READERS: dict[int, Callable[[Reader], Message]] = {
    WireFormat.PUBLIC_MESSAGE: PublicMessage.read,
    WireFormat.PRIVATE_MESSAGE: PrivateMessage.read,
    WireFormat.WELCOME: Welcome.read,
    WireFormat.GROUP_INFO: GroupInfo.read,
    WireFormat.KEY_PACKAGE: KeyPackage.read,
}


def encode_message(message: Message) -> bytes:
    """Return an MLSMessage."""
    return HEADS[type(message)] + message.encode()


def decode_message(data: bytes) -> Message:
    """Return what an MLSMessage holds, or raise ``DecodingError`` or ``UnsupportedError``."""
    return decode(data, _read)


def _read(reader: Reader) -> Message:
    head = reader.u32()
    version, number = head >> 16, head & 0xFFFF
    if version != MLS10:
        raise UnsupportedError(f"protocol version {version} is not supported")
    read = READERS.get(number)
    if read is None:
        raise DecodingError(f"wire format {number} is not known")
    return read(reader)


def expect_key_package(data: bytes) -> KeyPackage:
    """Return the key package of an MLSMessage, or raise DecodingError."""
    message = decode_message(data)
    if not isinstance(message, KeyPackage):
        raise DecodingError("not a key package")
    return message


def expect_welcome(data: bytes) -> Welcome:
    """Return the Welcome of an MLSMessage, or raise DecodingError."""
    message = decode_message(data)
    if not isinstance(message, Welcome):
        raise DecodingError("not a Welcome")
    return message


def expect_group_info(data: bytes) -> GroupInfo:
    """Return the GroupInfo of an MLSMessage, or raise DecodingError."""
    message = decode_message(data)
    if not isinstance(message, GroupInfo):
        raise DecodingError("not a GroupInfo")
    return message

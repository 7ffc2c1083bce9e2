"""What an application asks to send, checked as the server will check it.

The server hangs up on a frame that breaks the rules of the wire. Such a frame must not reach the
outbox: it would be sent again after every reconnect, for ever, and hold up everything behind it.
"""

from typing import Final

from wxclient._protocol.codec import BY_NUMBER, HEADER_BYTES, decode_body, encode
from wxclient._protocol.envelope import Envelope, decode_envelope, encode_envelope
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import ProtocolError, Refusal
from wxclient._protocol.frames import TYPES, Frame, Send
from wxclient.exceptions import InvalidArgument

IDENTIFIER_BYTES: Final = 16
NAME_BYTES_MAX: Final = 64


def check_frame(frame: Frame) -> int:
    """Return how many bytes the body of a frame has on the wire.

    Raises:
        InvalidArgument: the server would not take it; says which field is wrong.
    """
    kind = BY_NUMBER[TYPES[type(frame)][0]]
    try:
        body = encode(frame)[HEADER_BYTES:]
        decode_body(kind, body, tolerant=False)
    except ProtocolError as error:
        raise InvalidArgument(_about(frame, error)) from None
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument(f"{type(frame).__name__}: {error}") from None
    return len(body)


def _about(frame: Frame, error: ProtocolError) -> str:
    """Return what is wrong, in words for whoever called."""
    if error.code == ErrorCode.FRAME_TOO_LARGE:
        return f"{type(frame).__name__}: too large"
    if error.detail.startswith(type(frame).__name__):
        return error.detail
    return f"{type(frame).__name__}: a list is too long"  # all that our own encoder can do wrong


def send_frame(envelope: Envelope) -> Send:
    """Return the request that carries an envelope.

    Raises:
        InvalidArgument: the server would not take it; says which field is wrong.
    """
    try:
        data = encode_envelope(envelope)
        decode_envelope(data)
    except (ProtocolError, Refusal) as error:
        raise InvalidArgument(f"message: {error.detail}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument(f"message: {error}") from None
    return Send(data)


def check_identifier(value: object, name: str) -> None:
    """Refuse what is no id of an account or a conversation.

    Raises:
        InvalidArgument: it is not 16 bytes.
    """
    if not isinstance(value, bytes) or len(value) != IDENTIFIER_BYTES:
        raise InvalidArgument(f"{name}: {IDENTIFIER_BYTES} bytes, not {value!r:.60}")


def check_name(value: str, name: str) -> None:
    """Refuse what is no name of an account or a device.

    Raises:
        InvalidArgument: too long, or not text.
    """
    try:
        fits = len(value.encode()) <= NAME_BYTES_MAX and "\0" not in value
    except (AttributeError, UnicodeEncodeError):
        fits = False
    if not fits:
        raise InvalidArgument(f"{name}: at most {NAME_BYTES_MAX} bytes of UTF-8 without NUL")

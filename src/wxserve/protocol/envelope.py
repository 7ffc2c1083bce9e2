"""The envelope: what a client sends and every recipient reads, byte for byte."""

from enum import IntEnum
from typing import Annotated, Final, NamedTuple

from .errors import ErrorCode
from .exceptions import LocalProtocolError, Refusal, RemoteProtocolError
from .fields import U8, U16, U32, U64, Bytes, Many
from .frames import ENVELOPE_BYTES_MAX, Conversation, Op
from .packing import pack, unpack
from .rows import shape_of
from .schema import Schema

ENVELOPE_VERSION: Final = 1
BLOBS_MAX: Final = 32
"""Blob hashes in one envelope; an album of nine pictures with previews needs eighteen."""


class Kind(IntEnum):
    """What an entry is. Clients write 1 to 15, the server 16 and above."""

    MESSAGE = 1
    PROPOSAL = 2
    COMMIT = 3
    WELCOME = 4
    CREATED = 16
    MEMBERSHIP = 17
    REDACTED = 18
    CLOSED = 19
    NOTICE = 20


class ConversationKind(IntEnum):
    """What a conversation is: who reads it, and whether the server can."""

    DIRECT = 1
    GROUP = 2
    SELF = 3
    DEVICE = 4
    SERVICE = 5
    CHANNEL = 6
    NOTICE = 7


class Envelope(NamedTuple):
    """What a sender says about an entry, and its body.

    Attributes:
        version: 1.
        kind: 1 message; 2 … 15 reserved; 16 … 20 written by the server only.
        conversation: where to.
        generation: of the encryption group, 0 without encryption.
        epoch: of the encryption group, 0 without encryption.
        suite: cipher suite of the encryption group, 0 without encryption.
        op: names the operation; zeros where the server speaks by itself.
        ttl_s: seconds after its commit at which the server deletes it, 0 for never.
        priority: 0 low, 1 normal, 2 high; for the notification of sleeping devices.
        blobs: SHA-256 of each attachment.
        commitment: binds the content, so that a report of it can be verified; empty for none.
        body: opaque to the server.
    """

    version: U8
    kind: U8
    conversation: Conversation
    generation: U32
    epoch: U64
    suite: U16
    op: Op
    ttl_s: U32
    priority: U8
    blobs: Annotated[tuple[bytes, ...], Many(Bytes(32, 32), 0, BLOBS_MAX)]
    commitment: Annotated[bytes, Bytes(0, 32)]
    body: Annotated[bytes, Bytes(0, ENVELOPE_BYTES_MAX)]


_SCHEMA: Final = Schema(Envelope)
_read: Final = shape_of(_SCHEMA).read


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the bytes of an envelope.

    Raises:
        LocalProtocolError: FRAME_TOO_LARGE, it would not fit into SEND.
    """
    data = pack(envelope)
    if len(data) > ENVELOPE_BYTES_MAX:
        raise LocalProtocolError(ErrorCode.FRAME_TOO_LARGE, f"envelope of {len(data)} bytes")
    return data


def message(conversation: Conversation, op: Op, body: bytes, *, ttl_s: int = 0) -> Envelope:
    """Return the envelope of an ordinary message with an opaque body."""
    return Envelope(
        ENVELOPE_VERSION, Kind.MESSAGE, conversation, 0, 0, 0, op, ttl_s, 1, (), b"", body
    )


def decode_envelope(data: bytes) -> Envelope:
    """Return the envelope in exactly these bytes.

    Raises:
        Refusal: ENVELOPE_INVALID, with what is wrong.
    """
    envelope: Envelope | None = _read(data)
    if envelope is None:
        envelope = _look(data)
    if envelope[0] != ENVELOPE_VERSION:
        raise Refusal(ErrorCode.ENVELOPE_INVALID, "unknown version")
    return envelope


def _look(data: bytes) -> Envelope:
    """Read an envelope in Python.

    Raises:
        Refusal: ENVELOPE_INVALID, with what is wrong.
    """
    try:
        row = unpack(data, BLOBS_MAX)
    except RemoteProtocolError as error:
        raise Refusal(ErrorCode.ENVELOPE_INVALID, error.detail) from error
    if not _SCHEMA.accepts(row):
        raise Refusal(ErrorCode.ENVELOPE_INVALID, _SCHEMA.fault(row))
    return tuple.__new__(Envelope, row)

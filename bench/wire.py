"""The protocol's bytes for setting a run up, written from the specification and not shared with it.

The load itself is made by the C program in ``generator/``; this is for the few frames before it.
"""

from base64 import urlsafe_b64decode
from hashlib import sha256
from struct import Struct
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgpack

HELLO: Final = 0x01
CHALLENGE: Final = 0x02
AUTH: Final = 0x03
WELCOME: Final = 0x04
ERROR: Final = 0x12
SEND: Final = 0x20
ACCEPTED: Final = 0x21
DELIVER: Final = 0x22
SKIP: Final = 0x23
ACK: Final = 0x24
CREDIT: Final = 0x25
SYNC: Final = 0x26
CHANGES: Final = 0x27
SYNCED: Final = 0x29
CREATE: Final = 0x40
ACCEPT: Final = 0x42

CURRENT: Final = 0x01
DIRECT: Final = 1
GROUP: Final = 2
HEADER: Final = Struct(">IHH")
SIGNATURE_LABEL: Final = b"wxserve auth v1\0"
SCHEMES: Final = {"wxserve": True, "wxserve+plain": False}


class Frame(NamedTuple):
    """One frame with its body read."""

    type: int
    stream: int
    flags: int
    fields: list[Any]
    body: bytes


class Invite(NamedTuple):
    """What an invite URI says."""

    host: str
    port: int
    code: bytes
    pin: bytes
    """SHA-256 of the server's public key; empty for plain TCP."""


def encode(kind: int, fields: list[Any], stream: int = 0, flags: int = 0) -> bytes:
    """Return the bytes of a frame."""
    body = msgpack.packb(fields) if fields else b""
    return HEADER.pack(len(body) << 8 | flags, kind, stream) + body


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames that are whole now."""
        self._data += data
        frames = []
        while len(self._data) >= HEADER.size:
            word, kind, stream = HEADER.unpack_from(self._data)
            end = HEADER.size + (word >> 8)
            if len(self._data) < end:
                break
            body = bytes(self._data[HEADER.size : end])
            fields = msgpack.unpackb(body) if body else []
            frames.append(Frame(kind, stream, word & 0xFF, fields, body))
            del self._data[:end]
        return frames


def hello_body(nonce: bytes) -> bytes:
    """Return the body of HELLO, as the generator writes it too."""
    data: bytes = msgpack.packb([[[1, 0]], nonce, "wxserve bench"])
    return data


def to_sign(hello: bytes, challenge: bytes, pin: bytes, credential: bytes) -> bytes:
    """Return what a device signs: the transcript of the handshake and the channel binding.

    Args:
        hello: the body of HELLO.
        challenge: the body of CHALLENGE.
        pin: of the server's key, empty for plain TCP.
        credential: as AUTH carries it.
    """
    binding = bytes([bool(pin)]) + (pin or bytes(32))
    digests = sha256(hello).digest() + sha256(challenge).digest()
    return SIGNATURE_LABEL + digests + binding + sha256(credential).digest()


def device_credential(account: bytes, device: bytes) -> bytes:
    """Return the credential of a known device."""
    data: bytes = msgpack.packb([1, account, device])
    return data


def enrolment_credential(code: bytes, public_key: bytes, name: str) -> bytes:
    """Return the credential of a new device with an invite code."""
    data: bytes = msgpack.packb([2, "invite", code, public_key, name, name])
    return data


def direct_conversation(one: bytes, other: bytes) -> bytes:
    """Return the id of the direct conversation of two accounts."""
    return sha256(b"wxserve direct v1" + b"".join(sorted((one, other)))).digest()[:16]


def group_conversation(op: bytes) -> bytes:
    """Return the id of the group that an operation creates."""
    return sha256(b"wxserve group v1" + op).digest()[:16]


def parse_invite(uri: str) -> Invite:
    """Read an invite URI.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(uri.strip())
    if parts.scheme not in SCHEMES or not parts.hostname or not parts.port:
        raise ValueError(f"not an invite: {uri[:60]}")
    pins = [_decode(pin) for pin in parse_qs(parts.query).get("pin", [])]
    if SCHEMES[parts.scheme] != bool(pins):
        raise ValueError("an invite has pins exactly if it is for TLS")
    return Invite(
        parts.hostname, parts.port, _decode(parts.path.removeprefix("/")), pins[0] if pins else b""
    )


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))

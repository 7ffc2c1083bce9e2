"""What a device signs to prove itself, so that nothing of the handshake can be replaced.

Covered: every offered version (no downgrade), both nonces (no replay), the certificate of the
server (no relay to another one), and the credential. Source: docs/protocol.md, "Handshake".
"""

from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple

LABEL: Final = b"wxserve auth v1\0"


class BindingType(IntEnum):
    """What ties the handshake to the encrypted channel below it."""

    NONE = 0
    SPKI_SHA256 = 1


class Binding(NamedTuple):
    """The channel binding: its type and 32 bytes."""

    type: BindingType
    value: bytes


NO_BINDING: Final = Binding(BindingType.NONE, bytes(32))
"""Plain TCP on loopback."""


def spki_binding(spki: bytes) -> Binding:
    """Return the binding to the server certificate's SubjectPublicKeyInfo (DER)."""
    return Binding(BindingType.SPKI_SHA256, sha256(spki).digest())


class Transcript:
    """Collects the digests of HELLO and CHALLENGE as they pass."""

    __slots__ = ("_challenge", "_hello")

    def __init__(self) -> None:
        self._hello = b""
        self._challenge = b""

    def hello(self, body: bytes | bytearray) -> None:
        """Take the body of HELLO as it was sent."""
        self._hello = sha256(body).digest()

    def challenge(self, body: bytes | bytearray) -> None:
        """Take the body of CHALLENGE as it was sent."""
        self._challenge = sha256(body).digest()

    def to_sign(self, binding: Binding, credential: bytes) -> bytes:
        """Return the bytes that the device key signs: 145, whatever the parts are.

        Args:
            binding: the channel below, as this end sees it.
            credential: the bytes that AUTH carries.
        """
        assert self._challenge, "signing before CHALLENGE"
        channel = bytes([binding.type]) + binding.value
        return LABEL + self._hello + self._challenge + channel + sha256(credential).digest()

"""Section 5.3: credentials."""

from typing import NamedTuple

from .codec import Reader, opaque, u16
from .errors import DecodingError

BASIC = 1
X509 = 2


class Certificate(NamedTuple):
    """One certificate of a chain, in DER."""

    data: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.data)

    @classmethod
    def read(cls, reader: Reader) -> "Certificate":
        """Read the structure."""
        return cls(reader.opaque())


class Credential(NamedTuple):
    """Who a client says it is: an identity, or a chain of certificates."""

    type: int
    identity: bytes = b""
    """Of a basic credential; opaque to the engine."""
    certificates: tuple[Certificate, ...] = ()

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        if self.type == BASIC:
            return u16(BASIC) + opaque(self.identity)
        chain = b"".join([certificate.encode() for certificate in self.certificates])
        return u16(self.type) + opaque(chain)

    @classmethod
    def read(cls, reader: Reader) -> "Credential":
        """Read the structure, or raise DecodingError: unknown types have no known shape."""
        kind = reader.u16()
        if kind == BASIC:
            return cls(BASIC, reader.opaque())
        if kind == X509:
            return cls(X509, b"", reader.vector(Certificate.read))
        raise DecodingError(f"credential type {kind} is not known")


def basic(identity: bytes) -> Credential:
    """Return a basic credential."""
    return Credential(BASIC, identity)

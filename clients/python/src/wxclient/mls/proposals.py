"""Section 12.1: proposals."""

from dataclasses import dataclass
from typing import ClassVar

from .codec import Reader, opaque, u16, u32, vector
from .errors import UnsupportedError
from .extensions import Extensions, read_extensions
from .key_package import KeyPackage
from .leaf_node import LeafNode
from .psk import PskId


@dataclass(frozen=True, slots=True)
class Add:
    """Add a client (section 12.1.1)."""

    type: ClassVar[int] = 1
    needs_path: ClassVar[bool] = False
    key_package: KeyPackage

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return self.key_package.encode()

    @classmethod
    def read(cls, reader: Reader) -> "Add":
        """Read the structure."""
        return cls(KeyPackage.read(reader))


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the sender's leaf (section 12.1.2)."""

    type: ClassVar[int] = 2
    needs_path: ClassVar[bool] = True
    leaf: LeafNode

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return self.leaf.encode()

    @classmethod
    def read(cls, reader: Reader) -> "Update":
        """Read the structure."""
        return cls(LeafNode.read(reader))


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a member (section 12.1.3)."""

    type: ClassVar[int] = 3
    needs_path: ClassVar[bool] = True
    removed: int

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return u32(self.removed)

    @classmethod
    def read(cls, reader: Reader) -> "Remove":
        """Read the structure."""
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class PreSharedKey:
    """Mix in a pre-shared key (section 12.1.4)."""

    type: ClassVar[int] = 4
    needs_path: ClassVar[bool] = False
    psk: PskId

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return self.psk.encode()

    @classmethod
    def read(cls, reader: Reader) -> "PreSharedKey":
        """Read the structure."""
        return cls(PskId.read(reader))


@dataclass(frozen=True, slots=True)
class ReInit:
    """Close the group in favour of a new one (section 12.1.5)."""

    type: ClassVar[int] = 5
    needs_path: ClassVar[bool] = False
    group_id: bytes
    version: int
    cipher_suite: int
    extensions: Extensions

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        head = opaque(self.group_id) + u16(self.version) + u16(self.cipher_suite)
        return head + vector(self.extensions)

    @classmethod
    def read(cls, reader: Reader) -> "ReInit":
        """Read the structure."""
        return cls(reader.opaque(), reader.u16(), reader.u16(), read_extensions(reader))


@dataclass(frozen=True, slots=True)
class ExternalInit:
    """Bring an external joiner's init secret (section 12.1.6)."""

    type: ClassVar[int] = 6
    needs_path: ClassVar[bool] = True
    kem_output: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.kem_output)

    @classmethod
    def read(cls, reader: Reader) -> "ExternalInit":
        """Read the structure."""
        return cls(reader.opaque())


@dataclass(frozen=True, slots=True)
class ContextExtensions:
    """Replace the extensions of the group context (section 12.1.7)."""

    type: ClassVar[int] = 7
    needs_path: ClassVar[bool] = True
    extensions: Extensions

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return vector(self.extensions)

    @classmethod
    def read(cls, reader: Reader) -> "ContextExtensions":
        """Read the structure."""
        return cls(read_extensions(reader))


Proposal = Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | ContextExtensions
KINDS = {
    kind.type: kind
    for kind in (Add, Update, Remove, PreSharedKey, ReInit, ExternalInit, ContextExtensions)
}
FROM_OUTSIDE = (Add, Remove, PreSharedKey, ReInit, ContextExtensions)
"""What an external sender may propose (table 8 of section 17.4)."""


def encode_proposal(proposal: Proposal) -> bytes:
    """Return a ``Proposal``: its type and its body."""
    return u16(proposal.type) + proposal.encode()


def read_proposal(reader: Reader) -> Proposal:
    """Read a ``Proposal``, or raise UnsupportedError: other types have no known shape."""
    number = reader.u16()
    kind = KINDS.get(number)
    if kind is None:
        raise UnsupportedError(f"proposal type {number} is not supported")
    proposal: Proposal = kind.read(reader)
    return proposal

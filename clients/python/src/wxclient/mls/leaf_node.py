"""Section 7.2: leaf nodes."""

from enum import IntEnum
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .codec import Reader, opaque, u8, u32, vector
from .credentials import Credential
from .errors import DecodingError
from .extensions import (
    DEFAULT_CAPABILITIES,
    Capabilities,
    Extensions,
    Lifetime,
    read_extensions,
)
from .kem import KeyPair
from .suites import CipherSuite


class Source(IntEnum):
    """What a leaf node was made for."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


class Position(NamedTuple):
    """Where a leaf of an update or commit stands; part of what it signs."""

    group_id: bytes
    leaf: int


class LeafNode(NamedTuple):
    """A member's public keys, credential and capabilities, signed by itself."""

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: Source
    lifetime: Lifetime | None
    """Only from a key package."""
    parent_hash: bytes
    """Only from a commit."""
    extensions: Extensions
    signature: bytes = b""
    encoded: bytes = b""
    """What was read, or what is written: kept, since trees hash it again and again."""

    @classmethod
    def read(cls, reader: Reader) -> "LeafNode":
        """Read the structure, or raise DecodingError."""
        start = reader.at
        encryption_key, signature_key = reader.opaque(), reader.opaque()
        credential = Credential.read(reader)
        capabilities = Capabilities.read(reader)
        kind = reader.u8()
        if not 1 <= kind <= 3:
            raise DecodingError(f"leaf node source {kind} is not known")
        source = Source(kind)
        lifetime = Lifetime.read(reader) if source is Source.KEY_PACKAGE else None
        parent_hash = reader.opaque() if source is Source.COMMIT else b""
        extensions = read_extensions(reader)
        signature = reader.opaque()
        return cls(
            encryption_key,
            signature_key,
            credential,
            capabilities,
            source,
            lifetime,
            parent_hash,
            extensions,
            signature,
            reader.since(start),
        )

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return self.encoded or self._content() + opaque(self.signature)

    def _content(self) -> bytes:
        origin = b""
        if self.lifetime is not None:
            origin = self.lifetime.encode()
        elif self.source is Source.COMMIT:
            origin = opaque(self.parent_hash)
        return b"".join([
            opaque(self.encryption_key),
            opaque(self.signature_key),
            self.credential.encode(),
            self.capabilities.encode(),
            u8(self.source),
            origin,
            vector(self.extensions),
        ])

    def to_be_signed(self, position: Position | None) -> bytes:
        """Return LeafNodeTBS (section 7.2)."""
        known = self.encoded
        content = known[: -len(opaque(self.signature))] if known else self._content()
        if self.source is Source.KEY_PACKAGE or position is None:
            return content
        return content + opaque(position.group_id) + u32(position.leaf)

    def signed(
        self, suite: CipherSuite, key: Ed25519PrivateKey, position: Position | None = None
    ) -> "LeafNode":
        """Return this leaf with a signature for its place."""
        bare = self._replace(signature=b"", encoded=b"")
        signature = suite.sign(key, b"LeafNodeTBS", bare.to_be_signed(position))
        whole = bare._replace(signature=signature)
        return whole._replace(encoded=whole.encode())


class Identity(NamedTuple):
    """A client: its signature key and what its leaves say about it."""

    signature_key: KeyPair
    credential: Credential
    capabilities: Capabilities = DEFAULT_CAPABILITIES
    extensions: Extensions = ()

    def leaf(
        self, encryption_key: bytes, source: Source, lifetime: Lifetime | None = None
    ) -> LeafNode:
        """Return an unsigned leaf of this client."""
        return LeafNode(
            encryption_key,
            self.signature_key.public,
            self.credential,
            self.capabilities,
            source,
            lifetime,
            b"",
            self.extensions,
        )

    @property
    def signer(self) -> Ed25519PrivateKey:
        """The private signature key."""
        return Ed25519PrivateKey.from_private_bytes(self.signature_key.private)

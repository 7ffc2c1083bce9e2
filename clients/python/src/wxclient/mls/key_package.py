"""Section 10: key packages, by which clients are added while they are away."""

from typing import NamedTuple

from .codec import Reader, decode, opaque, u16, vector
from .errors import RuleBroken, UnsupportedError
from .extensions import ANY_TIME, Extensions, Lifetime, read_extensions
from .kem import KeyPair
from .leaf_node import Identity, LeafNode, Source
from .leaf_rules import LeafRules
from .rules import Rule
from .suites import MLS10, CipherSuite, Random


class KeyPackage(NamedTuple):
    """The public half: what is published."""

    version: int
    cipher_suite: int
    init_key: bytes
    leaf: LeafNode
    extensions: Extensions
    signature: bytes = b""

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return self.to_be_signed() + opaque(self.signature)

    @classmethod
    def read(cls, reader: Reader) -> "KeyPackage":
        """Read the structure, or raise UnsupportedError for another version."""
        version = reader.u16()
        if version != MLS10:
            raise UnsupportedError(f"protocol version {version} is not supported")
        return cls(
            version,
            reader.u16(),
            reader.opaque(),
            LeafNode.read(reader),
            read_extensions(reader),
            reader.opaque(),
        )

    def to_be_signed(self) -> bytes:
        """Return KeyPackageTBS."""
        head = u16(self.version) + u16(self.cipher_suite) + opaque(self.init_key)
        return head + self.leaf.encode() + vector(self.extensions)

    def reference(self, suite: CipherSuite) -> bytes:
        """Return the KeyPackageRef (section 5.2)."""
        return suite.ref_hash(b"MLS 1.0 KeyPackage Reference", self.encode())


class PrivateKeyPackage(NamedTuple):
    """A key package with its private keys: kept until the Welcome, then forgotten."""

    public: KeyPackage
    init_key: bytes
    encryption_key: bytes
    identity: Identity


def new_key_package(
    suite: CipherSuite,
    identity: Identity,
    random: Random,
    lifetime: Lifetime = ANY_TIME,
) -> PrivateKeyPackage:
    """Return a new key package of a client."""
    init = suite.derive_key_pair(random(suite.hash_size))
    leaf_keys = suite.derive_key_pair(random(suite.hash_size))
    signer = identity.signer
    leaf = identity.leaf(leaf_keys.public, Source.KEY_PACKAGE, lifetime).signed(suite, signer)
    bare = KeyPackage(MLS10, suite.code, init.public, leaf, ())
    signature = suite.sign(signer, b"KeyPackageTBS", bare.to_be_signed())
    public = bare._replace(signature=signature)
    return PrivateKeyPackage(public, init.private, leaf_keys.private, identity)


def check_key_package(package: KeyPackage, rules: LeafRules) -> None:
    """Apply section 10.1: raise RuleBroken at the first rule that the package breaks."""
    if package.version != MLS10 or package.cipher_suite != rules.suite.code:
        raise RuleBroken(Rule.KEY_PACKAGE_SUITE, f"cipher suite {package.cipher_suite:#06x}")
    if package.leaf.source is not Source.KEY_PACKAGE:
        raise RuleBroken(Rule.LEAF_SOURCE, "a key package's leaf")
    if package.init_key == package.leaf.encryption_key:
        raise RuleBroken(Rule.KEY_PACKAGE_INIT_KEY)
    tbs = package.to_be_signed()
    key = package.leaf.signature_key
    if not rules.suite.verify(key, b"KeyPackageTBS", tbs, package.signature):
        raise RuleBroken(Rule.KEY_PACKAGE_SIGNATURE)
    rules.check(package.leaf, None)


def encode_private(package: PrivateKeyPackage) -> bytes:
    """Return a private key package as bytes, for the store."""
    identity = package.identity
    return b"".join([
        opaque(package.public.encode()),
        opaque(package.init_key),
        opaque(package.encryption_key),
        opaque(identity.signature_key.private),
    ])


def decode_private(data: bytes) -> PrivateKeyPackage:
    """Return what ``encode_private`` wrote, or raise ``DecodingError``."""

    def read(reader: Reader) -> PrivateKeyPackage:
        public = decode(reader.opaque(), KeyPackage.read)
        init_key, encryption_key, signature_key = (reader.opaque() for _ in range(3))
        leaf = public.leaf
        identity = Identity(
            KeyPair(signature_key, leaf.signature_key),
            leaf.credential,
            leaf.capabilities,
            leaf.extensions,
        )
        return PrivateKeyPackage(public, init_key, encryption_key, identity)

    return decode(data, read)

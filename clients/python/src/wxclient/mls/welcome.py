"""Sections 12.4.3 and 12.4.3.1: GroupInfo and Welcome as they are written and sealed."""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .codec import Reader, decode, opaque, optional, u16, u32, vector
from .extensions import Extensions, read_extensions
from .key_package import KeyPackage
from .key_schedule import GroupContext
from .psk import PskId
from .suites import CipherSuite, HpkeCiphertext


class GroupInfo(NamedTuple):
    """An epoch as those outside may see it, signed by a member."""

    context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes = b""

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return self.to_be_signed() + opaque(self.signature)

    @classmethod
    def read(cls, reader: Reader) -> "GroupInfo":
        """Read the structure."""
        return cls(
            GroupContext.read(reader),
            read_extensions(reader),
            reader.opaque(),
            reader.u32(),
            reader.opaque(),
        )

    def to_be_signed(self) -> bytes:
        """Return GroupInfoTBS."""
        tag = opaque(self.confirmation_tag)
        return self.context.encode() + vector(self.extensions) + tag + u32(self.signer)

    def signed(self, suite: CipherSuite, key: Ed25519PrivateKey) -> "GroupInfo":
        """Return this with a signature."""
        return self._replace(signature=suite.sign(key, b"GroupInfoTBS", self.to_be_signed()))

    def is_signed_by(self, suite: CipherSuite, key: bytes) -> bool:
        """Whether the signature is that of a key."""
        return suite.verify(key, b"GroupInfoTBS", self.to_be_signed(), self.signature)


class PathSecret(NamedTuple):
    """The secret of the lowest node above both committer and joiner."""

    path_secret: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.path_secret)

    @classmethod
    def read(cls, reader: Reader) -> "PathSecret":
        """Read the structure."""
        return cls(reader.opaque())


class GroupSecrets(NamedTuple):
    """What each joiner is given."""

    joiner_secret: bytes
    path_secret: PathSecret | None
    psks: tuple[PskId, ...]

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.joiner_secret) + optional(self.path_secret) + vector(self.psks)

    @classmethod
    def read(cls, reader: Reader) -> "GroupSecrets":
        """Read the structure."""
        return cls(reader.opaque(), reader.optional(PathSecret.read), reader.vector(PskId.read))


class EncryptedGroupSecrets(NamedTuple):
    """A joiner's secrets, sealed to the init key of its key package."""

    new_member: bytes
    secrets: HpkeCiphertext

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.new_member) + self.secrets.encode()

    @classmethod
    def read(cls, reader: Reader) -> "EncryptedGroupSecrets":
        """Read the structure."""
        return cls(reader.opaque(), HpkeCiphertext.read(reader))


class Welcome(NamedTuple):
    """A GroupInfo for those that a commit added, and each one's secrets."""

    cipher_suite: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return u16(self.cipher_suite) + vector(self.secrets) + opaque(self.encrypted_group_info)

    @classmethod
    def read(cls, reader: Reader) -> "Welcome":
        """Read the structure."""
        return cls(reader.u16(), reader.vector(EncryptedGroupSecrets.read), reader.opaque())


def seal_group_info(suite: CipherSuite, welcome_secret: bytes, info: GroupInfo) -> bytes:
    """Return encrypted_group_info."""
    key = suite.expand_with_label(welcome_secret, b"key", b"", suite.key_size)
    nonce = suite.expand_with_label(welcome_secret, b"nonce", b"", suite.nonce_size)
    return suite.seal(key, nonce, b"", info.encode())


def open_group_info(suite: CipherSuite, welcome_secret: bytes, sealed: bytes) -> GroupInfo:
    """Return the GroupInfo, or raise ``CryptoError`` or ``DecodingError``."""
    key = suite.expand_with_label(welcome_secret, b"key", b"", suite.key_size)
    nonce = suite.expand_with_label(welcome_secret, b"nonce", b"", suite.nonce_size)
    return decode(suite.open(key, nonce, b"", sealed), GroupInfo.read)


def seal_group_secrets(
    suite: CipherSuite, package: KeyPackage, sealed_info: bytes, secrets: GroupSecrets
) -> EncryptedGroupSecrets:
    """Return a joiner's entry of the Welcome."""
    plain = secrets.encode()
    sealed = suite.encrypt_with_label(package.init_key, b"Welcome", sealed_info, plain)
    return EncryptedGroupSecrets(package.reference(suite), sealed)


def open_group_secrets(
    suite: CipherSuite, init_key: bytes, sealed_info: bytes, entry: EncryptedGroupSecrets
) -> GroupSecrets:
    """Return a joiner's secrets, or raise ``CryptoError`` or ``DecodingError``."""
    plain = suite.decrypt_with_label(init_key, b"Welcome", sealed_info, entry.secrets)
    return decode(plain, GroupSecrets.read)

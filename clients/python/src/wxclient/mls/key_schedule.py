"""Section 8: the key schedule, and the group context that it binds."""

from typing import NamedTuple

from .codec import Reader, opaque, u16, u64, vector
from .errors import UnsupportedError
from .extensions import Extensions, read_extensions
from .kem import KeyPair
from .suites import MLS10, CipherSuite, Random

EXTERNAL_INIT_LABEL = b"MLS 1.0 external init secret"


class GroupContext(NamedTuple):
    """What all members of an epoch agree on (section 8.1)."""

    version: int
    cipher_suite: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: Extensions

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return b"".join([
            u16(self.version),
            u16(self.cipher_suite),
            opaque(self.group_id),
            u64(self.epoch),
            opaque(self.tree_hash),
            opaque(self.confirmed_transcript_hash),
            vector(self.extensions),
        ])

    @classmethod
    def read(cls, reader: Reader) -> "GroupContext":
        """Read the structure, or raise UnsupportedError for another version."""
        version = reader.u16()
        if version != MLS10:
            raise UnsupportedError(f"protocol version {version} is not supported")
        return cls(
            version,
            reader.u16(),
            reader.opaque(),
            reader.u64(),
            reader.opaque(),
            reader.opaque(),
            read_extensions(reader),
        )


class EpochSecrets(NamedTuple):
    """What is derived from an epoch's secret (table 4); ``encryption`` goes into the secret tree."""

    sender_data: bytes
    encryption: bytes
    exporter: bytes
    external: bytes
    confirmation: bytes
    membership: bytes
    resumption: bytes
    authenticator: bytes
    init: bytes

    def encode(self) -> bytes:
        """Return the secrets for a snapshot."""
        return b"".join([opaque(secret) for secret in self])

    @classmethod
    def read(cls, reader: Reader) -> "EpochSecrets":
        """Read what ``encode`` wrote."""
        return cls(*[reader.opaque() for _ in range(9)])


LABELS = (
    b"sender data",
    b"encryption",
    b"exporter",
    b"external",
    b"confirm",
    b"membership",
    b"resumption",
    b"authentication",
    b"init",
)


def joiner_secret(suite: CipherSuite, init: bytes, commit_secret: bytes, context: bytes) -> bytes:
    """Return joiner_secret from the last epoch's init secret and the commit's secret."""
    extracted = suite.extract(init, commit_secret)
    return suite.expand_with_label(extracted, b"joiner", context, suite.hash_size)


def welcome_secret(suite: CipherSuite, joiner: bytes, psk_secret: bytes) -> bytes:
    """Return welcome_secret, which seals the GroupInfo of a Welcome."""
    return suite.derive_secret(suite.extract(joiner, psk_secret), b"welcome")


def epoch_secret(suite: CipherSuite, joiner: bytes, psk_secret: bytes, context: bytes) -> bytes:
    """Return epoch_secret."""
    member = suite.extract(joiner, psk_secret)
    return suite.expand_with_label(member, b"epoch", context, suite.hash_size)


def epoch_secrets(suite: CipherSuite, secret: bytes) -> EpochSecrets:
    """Return everything that is derived from an epoch's secret."""
    return EpochSecrets(*[suite.derive_secret(secret, label) for label in LABELS])


def export(suite: CipherSuite, exporter: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """Return MLS-Exporter(label, context, size) (section 8.5)."""
    secret = suite.derive_secret(exporter, label)
    return suite.expand_with_label(secret, b"exported", suite.hash(context), size)


def external_keys(suite: CipherSuite, external_secret: bytes) -> KeyPair:
    """Return the key pair to which an external joiner seals (section 8.3)."""
    return suite.derive_key_pair(external_secret)


def new_external_init(suite: CipherSuite, public: bytes, random: Random) -> tuple[bytes, bytes]:
    """Return the KEM output and init secret of one who joins externally (section 8.3)."""
    return suite.kem.export_to(public, EXTERNAL_INIT_LABEL, suite.hash_size, random)


def external_init(suite: CipherSuite, external_secret: bytes, kem_output: bytes) -> bytes:
    """Return the init secret that an external joiner sealed, or raise ``CryptoError``."""
    private = external_keys(suite, external_secret).private
    return suite.kem.export_from(private, kem_output, EXTERNAL_INIT_LABEL, suite.hash_size)

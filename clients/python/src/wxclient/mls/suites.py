"""Sections 5.1, 5.2 and 8: cipher suites and the labelled operations over their primitives.

Every primitive comes from ``cryptography``. The suites are the rows of one table at the end.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from .codec import Reader, opaque, u16, u32
from .errors import CryptoError, UnsupportedError
from .kem import KEY_ERRORS, AnyKem, KeyPair, X25519Kem, XWingKem

MLS10 = 1
PREFIX = b"MLS 1.0 "
Random = Callable[[int], bytes]
"""Returns so many unpredictable bytes."""


class HpkeCiphertext(NamedTuple):
    """What EncryptWithLabel gives (section 5.1.3)."""

    kem_output: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.kem_output) + opaque(self.ciphertext)

    @classmethod
    def read(cls, reader: Reader) -> "HpkeCiphertext":
        """Read the structure."""
        return cls(reader.opaque(), reader.opaque())


@lru_cache(maxsize=4096)
def _public_signature_key(key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(key)


@lru_cache(maxsize=256)
def _label(label: bytes) -> bytes:
    return opaque(PREFIX + label)


@lru_cache(maxsize=256)
def _label_head(label: bytes, size: int) -> bytes:
    """Return the start of a KDFLabel: labels are few, and each message needs five."""
    return u16(size) + opaque(PREFIX + label)


class Expander:
    """ExpandWithLabel under one secret that was made ready, for outputs up to one hash long.

    KDF.Expand is then one block: HMAC(secret, info || 1) (RFC 5869, section 2.3).
    """

    __slots__ = ("_mac",)

    def __init__(self, digest: hashes.HashAlgorithm, secret: bytes) -> None:
        self._mac = HMAC(secret, digest)

    def expand(self, label: bytes, encoded_context: bytes, size: int) -> bytes:
        """Return ExpandWithLabel(secret, label, context, size), the context as ``opaque<V>``."""
        mac = self._mac.copy()
        mac.update(_label_head(label, size) + encoded_context + b"\1")
        return mac.finalize()[:size]


class CipherSuite:
    """One row of the table of section 17.1."""

    nonce_size = 12

    def __init__(
        self, code: int, name: str, digest: hashes.HashAlgorithm, key_size: int, kem: AnyKem
    ) -> None:
        self.code = code
        self.name = name
        self.digest = digest
        self.hash_size = digest.digest_size
        self.key_size = key_size
        self.kem = kem

    # Section 5.1: hash, MAC, AEAD.

    def hash(self, data: bytes) -> bytes:
        """Return Hash(data)."""
        return hashes.Hash.hash(self.digest, data)

    def mac(self, key: bytes, data: bytes) -> bytes:
        """Return MAC(key, data), which is HMAC."""
        mac = HMAC(key, self.digest)
        mac.update(data)
        return mac.finalize()

    def mac_fits(self, key: bytes, data: bytes, tag: bytes) -> bool:
        """Whether the tag is MAC(key, data), in constant time."""
        return bytes_eq(self.mac(key, data), tag)

    def seal(self, key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
        """Return AEAD.Seal of the plaintext."""
        return AESGCM(key).encrypt(nonce, plaintext, aad)

    def open(self, key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        """Return AEAD.Open of the ciphertext, or raise CryptoError."""
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise CryptoError("the ciphertext does not open") from None

    # Section 5.1.2: signatures.

    def new_signature_key(self, random: Random) -> KeyPair:
        """Return a new signature key pair."""
        private = random(32)
        return KeyPair(private, self.signature_public(private))

    def signature_public(self, private: bytes) -> bytes:
        """Return the public key of a private signature key, or raise CryptoError."""
        try:
            return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        except KEY_ERRORS:
            raise CryptoError("not a private signature key") from None

    def sign(self, private: Ed25519PrivateKey, label: bytes, content: bytes) -> bytes:
        """Return SignWithLabel(private, label, content)."""
        return private.sign(_label(label) + opaque(content))

    def verify(self, public: bytes, label: bytes, content: bytes, signature: bytes) -> bool:
        """Return VerifyWithLabel: False too if the public key is not one."""
        try:
            key = _public_signature_key(public)
            key.verify(signature, _label(label) + opaque(content))
        except (InvalidSignature, *KEY_ERRORS):
            return False
        return True

    # Section 5.1.3: public-key encryption.

    def derive_key_pair(self, secret: bytes) -> KeyPair:
        """Return KEM.DeriveKeyPair(secret)."""
        return self.kem.derive_key_pair(secret)

    def encrypt_with_label(
        self, public: bytes, label: bytes, context: bytes, plaintext: bytes
    ) -> HpkeCiphertext:
        """Return EncryptWithLabel, or raise CryptoError if the public key is not one."""
        sealed = self.kem.seal(public, _label(label) + opaque(context), plaintext)
        size = self.kem.output_size
        return HpkeCiphertext(sealed[:size], sealed[size:])

    def decrypt_with_label(
        self, private: bytes, label: bytes, context: bytes, sealed: HpkeCiphertext
    ) -> bytes:
        """Return DecryptWithLabel, or raise CryptoError."""
        if len(sealed.kem_output) != self.kem.output_size:
            raise CryptoError("the KEM output has the wrong size")
        info = _label(label) + opaque(context)
        return self.kem.open(private, info, sealed.kem_output + sealed.ciphertext)

    # Section 5.2: hash-based identifiers.

    def ref_hash(self, label: bytes, value: bytes) -> bytes:
        """Return RefHash(label, value)."""
        return self.hash(opaque(label) + opaque(value))

    # Section 8: labelled derivation.

    def extract(self, salt: bytes, key: bytes) -> bytes:
        """Return KDF.Extract(salt, key)."""
        return HKDF.extract(self.digest, salt, key)

    def expand_with_label(self, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
        """Return ExpandWithLabel(secret, label, context, size)."""
        info = _label_head(label, size) + opaque(context)
        return HKDFExpand(self.digest, size, info).derive(secret)

    def expander(self, secret: bytes) -> Expander:
        """Return ExpandWithLabel under one secret, where several outputs are needed."""
        return Expander(self.digest, secret)

    def derive_secret(self, secret: bytes, label: bytes) -> bytes:
        """Return DeriveSecret(secret, label)."""
        return self.expand_with_label(secret, label, b"", self.hash_size)

    def derive_tree_secret(self, secret: bytes, label: bytes, generation: int, size: int) -> bytes:
        """Return DeriveTreeSecret(secret, label, generation, size) (section 9.1)."""
        return self.expand_with_label(secret, label, u32(generation), size)

    @property
    def zero(self) -> bytes:
        """The all-zero string of the length of a hash."""
        return bytes(self.hash_size)


X25519_AES128GCM_SHA256_ED25519 = 0x0001
XWING_AES256GCM_SHA512_ED25519 = 0x0053
"""The code point of the MLS post-quantum suites' draft; it stands nowhere else."""

SUITES = {
    suite.code: suite
    for suite in (
        CipherSuite(
            X25519_AES128GCM_SHA256_ED25519,
            "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
            hashes.SHA256(),
            16,
            X25519Kem(),
        ),
        CipherSuite(
            XWING_AES256GCM_SHA512_ED25519,
            "MLS_256_XWING_AES256GCM_SHA512_Ed25519",
            hashes.SHA512(),
            32,
            XWingKem(),
        ),
    )
}


def suite_of(code: int) -> CipherSuite:
    """Return the cipher suite with a code point, or raise ``UnsupportedError``."""
    suite = SUITES.get(code)
    if suite is None:
        raise UnsupportedError(f"cipher suite {code:#06x} is not supported")
    return suite

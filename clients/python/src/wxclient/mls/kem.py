"""Section 5.1 and RFC 9180: the key encapsulation of a suite, and HPKE over it.

Sealing and opening are the library's. It has neither DeriveKeyPair nor the export interface, which
nodes and external commits need; those are written out here over the library's primitives.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from .codec import u16
from .errors import CryptoError, UnsupportedError

KEY_ERRORS = (ValueError, TypeError)
"""What the library raises for bytes that are not a key."""
VERSION = b"HPKE-v1"
Private = TypeVar("Private")
Public = TypeVar("Public")


class KeyPair(NamedTuple):
    """A private key and its public key, both as bytes."""

    private: bytes
    public: bytes


class Hkdf(NamedTuple):
    """LabeledExtract and LabeledExpand of RFC 9180, section 4, under one suite id."""

    digest: hashes.HashAlgorithm
    suite_id: bytes

    def extract(self, salt: bytes, label: bytes, key: bytes) -> bytes:
        """Return LabeledExtract(salt, label, key)."""
        return HKDF.extract(self.digest, salt, VERSION + self.suite_id + label + key)

    def expand(self, secret: bytes, label: bytes, info: bytes, size: int) -> bytes:
        """Return LabeledExpand(secret, label, info, size)."""
        labelled = u16(size) + VERSION + self.suite_id + label + info
        return HKDFExpand(self.digest, size, labelled).derive(secret)


class Kem(ABC, Generic[Private, Public]):
    """A KEM with the KDF and AEAD of its suite: everything MLS asks of HPKE."""

    output_size: int
    suite: hpke.Suite
    schedule: Hkdf

    @abstractmethod
    def derive_key_pair(self, secret: bytes) -> KeyPair:
        """Return DeriveKeyPair(secret)."""

    @abstractmethod
    def public(self, private: bytes) -> bytes:
        """Return the public key of a private one; raises ValueError if it is none."""

    @abstractmethod
    def _load_private(self, private: bytes) -> Private: ...

    @abstractmethod
    def _load_public(self, public: bytes) -> Public: ...

    @abstractmethod
    def _encap(self, public: Public, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
        """Return the shared secret and the KEM output."""

    @abstractmethod
    def _decap(self, output: bytes, private: Private) -> bytes: ...

    @abstractmethod
    def _seal(self, plaintext: bytes, public: Public, info: bytes) -> bytes: ...

    @abstractmethod
    def _open(self, ciphertext: bytes, private: Private, info: bytes) -> bytes: ...

    def seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """Return the KEM output and the ciphertext of SealBase.

        Raises:
            CryptoError: the public key is not one.
            UnsupportedError: the library lacks this KEM.
        """
        try:
            return self._seal(plaintext, self._load_public(public), info)
        except KEY_ERRORS:
            raise CryptoError("not a public key") from None
        except UnsupportedAlgorithm as error:
            raise UnsupportedError(str(error)) from None

    def open(self, private: bytes, info: bytes, sealed: bytes) -> bytes:
        """Return the plaintext of OpenBase.

        Raises:
            CryptoError: it does not open.
            UnsupportedError: the library lacks this KEM.
        """
        try:
            return self._open(sealed, self._load_private(private), info)
        except (InvalidTag, *KEY_ERRORS):
            raise CryptoError("the HPKE ciphertext does not open") from None
        except UnsupportedAlgorithm as error:
            raise UnsupportedError(str(error)) from None

    def export_to(
        self, public: bytes, label: bytes, size: int, random: Callable[[int], bytes]
    ) -> tuple[bytes, bytes]:
        """Return the KEM output and the export of SetupBaseS (empty info), or raise CryptoError."""
        try:
            shared, output = self._encap(self._load_public(public), random)
        except KEY_ERRORS:
            raise CryptoError("not a public key") from None
        return output, self._export(shared, label, size)

    def export_from(self, private: bytes, output: bytes, label: bytes, size: int) -> bytes:
        """Return the export of SetupBaseR (empty info), or raise CryptoError."""
        if len(output) != self.output_size:
            raise CryptoError("the KEM output has the wrong size")
        try:
            shared = self._decap(output, self._load_private(private))
        except KEY_ERRORS:
            raise CryptoError("not a KEM output") from None
        return self._export(shared, label, size)

    def _export(self, shared: bytes, label: bytes, size: int) -> bytes:
        """RFC 9180, sections 5.1 and 5.3: the base mode's key schedule, its exporter alone."""
        context = b"\0" + self.schedule.extract(b"", b"psk_id_hash", b"")
        context += self.schedule.extract(b"", b"info_hash", b"")
        secret = self.schedule.extract(shared, b"secret", b"")
        exporter = self.schedule.expand(secret, b"exp", context, self.schedule.digest.digest_size)
        return self.schedule.expand(exporter, b"sec", label, size)


class X25519Kem(Kem[X25519PrivateKey, X25519PublicKey]):
    """DHKEM(X25519, HKDF-SHA256) with HKDF-SHA256 and AES-128-GCM."""

    output_size = 32
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
    schedule = Hkdf(hashes.SHA256(), b"HPKE" + u16(0x0020) + u16(0x0001) + u16(0x0001))
    _kem = Hkdf(hashes.SHA256(), b"KEM" + u16(0x0020))

    def derive_key_pair(self, secret: bytes) -> KeyPair:
        """Return DeriveKeyPair(secret) (RFC 9180, section 7.1.3)."""
        prk = self._kem.extract(b"", b"dkp_prk", secret)
        private = self._kem.expand(prk, b"sk", b"", 32)
        return KeyPair(private, self.public(private))

    def public(self, private: bytes) -> bytes:
        """Return the public key of a private one; raises ValueError if it is none."""
        return self._load_private(private).public_key().public_bytes_raw()

    def _load_private(self, private: bytes) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(private)

    def _load_public(self, public: bytes) -> X25519PublicKey:
        return X25519PublicKey.from_public_bytes(public)

    def _encap(
        self, public: X25519PublicKey, random: Callable[[int], bytes]
    ) -> tuple[bytes, bytes]:
        ephemeral = self._load_private(self.derive_key_pair(random(32)).private)
        output = ephemeral.public_key().public_bytes_raw()
        return self._shared(ephemeral.exchange(public), output, public), output

    def _decap(self, output: bytes, private: X25519PrivateKey) -> bytes:
        exchanged = private.exchange(self._load_public(output))
        return self._shared(exchanged, output, private.public_key())

    def _shared(self, exchanged: bytes, output: bytes, public: X25519PublicKey) -> bytes:
        prk = self._kem.extract(b"", b"eae_prk", exchanged)
        return self._kem.expand(prk, b"shared_secret", output + public.public_bytes_raw(), 32)

    def _seal(self, plaintext: bytes, public: X25519PublicKey, info: bytes) -> bytes:
        return self.suite.encrypt(plaintext, public, info)

    def _open(self, ciphertext: bytes, private: X25519PrivateKey, info: bytes) -> bytes:
        return self.suite.decrypt(ciphertext, private, info)


class XWingPrivate(NamedTuple):
    """The two private keys behind one seed."""

    mlkem: mlkem.MLKEM768PrivateKey
    x25519: X25519PrivateKey


class XWingPublic(NamedTuple):
    """The two public keys."""

    mlkem: mlkem.MLKEM768PublicKey
    x25519: X25519PublicKey


class XWingKem(Kem[XWingPrivate, XWingPublic]):
    """X-Wing (ML-KEM-768 with X25519) with HKDF-SHA512 and AES-256-GCM.

    Source: draft-connolly-cfrg-xwing-kem. A private key is its 32-byte seed.
    """

    mlkem_public_size = 1184
    mlkem_output_size = 1088
    output_size = mlkem_output_size + 32
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA512, hpke.AEAD.AES_256_GCM)
    schedule = Hkdf(hashes.SHA512(), b"HPKE" + u16(0x647A) + u16(0x0003) + u16(0x0002))
    label = bytes.fromhex("5c2e2f2f5e5c")  # the drawing of an X-wing: \\.//^\\

    def derive_key_pair(self, secret: bytes) -> KeyPair:
        """Return DeriveKeyPair(secret): the seed is SHAKE-256 of the secret."""
        seed = _shake256(secret, 32)
        return KeyPair(seed, self.public(seed))

    def public(self, private: bytes) -> bytes:
        """Return the public key of a seed."""
        lattice, curve = self._load_private(private)
        return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    def _load_private(self, private: bytes) -> XWingPrivate:
        expanded = _shake256(private, 96)
        return XWingPrivate(
            mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
            X25519PrivateKey.from_private_bytes(expanded[64:]),
        )

    def _load_public(self, public: bytes) -> XWingPublic:
        size = self.mlkem_public_size
        return XWingPublic(
            mlkem.MLKEM768PublicKey.from_public_bytes(public[:size]),
            X25519PublicKey.from_public_bytes(public[size:]),
        )

    def _encap(self, public: XWingPublic, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
        inner, lattice = public.mlkem.encapsulate()
        ephemeral = X25519PrivateKey.from_private_bytes(random(32))
        curve = ephemeral.public_key().public_bytes_raw()
        exchanged = ephemeral.exchange(public.x25519)
        return self._combine(inner, exchanged, curve, public.x25519), lattice + curve

    def _decap(self, output: bytes, private: XWingPrivate) -> bytes:
        size = self.mlkem_output_size
        inner = private.mlkem.decapsulate(output[:size])
        exchanged = private.x25519.exchange(X25519PublicKey.from_public_bytes(output[size:]))
        return self._combine(inner, exchanged, output[size:], private.x25519.public_key())

    def _combine(
        self, inner: bytes, exchanged: bytes, curve: bytes, public: X25519PublicKey
    ) -> bytes:
        parts = inner + exchanged + curve + public.public_bytes_raw() + self.label
        return hashes.Hash.hash(hashes.SHA3_256(), parts)

    def _seal(self, plaintext: bytes, public: XWingPublic, info: bytes) -> bytes:
        return self.suite.encrypt(plaintext, hpke.MLKEM768X25519PublicKey(*public), info)

    def _open(self, ciphertext: bytes, private: XWingPrivate, info: bytes) -> bytes:
        return self.suite.decrypt(ciphertext, hpke.MLKEM768X25519PrivateKey(*private), info)


AnyKem = X25519Kem | XWingKem


def _shake256(data: bytes, size: int) -> bytes:
    return hashes.Hash.hash(hashes.SHAKE256(size), data)

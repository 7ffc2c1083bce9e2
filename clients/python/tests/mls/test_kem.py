"""HPKE's parts that are written out here agree with the library's whole."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wxclient import mls
from wxclient.mls.kem import AnyKem

from .scene import BOTH, DICE


def opened_by_hand(kem: AnyKem, private: bytes, info: bytes, sealed: bytes) -> bytes:
    """Open what the library sealed with our own decapsulation and key schedule (RFC 9180, 5.1)."""
    output, ciphertext = sealed[: kem.output_size], sealed[kem.output_size :]
    shared = kem._decap(output, kem._load_private(private))  # type: ignore[arg-type]
    hkdf = kem.schedule
    context = b"\0" + hkdf.extract(b"", b"psk_id_hash", b"") + hkdf.extract(b"", b"info_hash", info)
    secret = hkdf.extract(shared, b"secret", b"")
    size = 16 if kem.output_size == 32 else 32
    key = hkdf.expand(secret, b"key", context, size)
    nonce = hkdf.expand(secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


@BOTH
def test_own_decapsulation_opens_what_the_library_sealed(suite: mls.CipherSuite) -> None:
    keys = suite.derive_key_pair(DICE(suite.hash_size))
    sealed = suite.kem.seal(keys.public, b"info", b"plaintext")
    assert opened_by_hand(suite.kem, keys.private, b"info", sealed) == b"plaintext"


@BOTH
def test_both_ends_of_an_export_agree(suite: mls.CipherSuite) -> None:
    keys = suite.derive_key_pair(DICE(suite.hash_size))
    output, secret = suite.kem.export_to(keys.public, b"label", 32, DICE)
    assert suite.kem.export_from(keys.private, output, b"label", 32) == secret
    other = suite.derive_key_pair(DICE(suite.hash_size))
    assert suite.kem.export_from(other.private, output, b"label", 32) != secret


@BOTH
def test_what_is_no_key_or_ciphertext_is_refused(suite: mls.CipherSuite) -> None:
    keys = suite.derive_key_pair(DICE(suite.hash_size))
    sealed = suite.kem.seal(keys.public, b"info", b"plaintext")
    for call in (
        lambda: suite.kem.seal(b"short", b"info", b"plaintext"),
        lambda: suite.kem.open(keys.private, b"other info", sealed),
        lambda: suite.kem.open(keys.private, b"info", sealed[:-1]),
        lambda: suite.kem.export_to(b"short", b"label", 32, DICE),
        lambda: suite.kem.export_from(keys.private, b"short", b"label", 32),
    ):
        with pytest.raises(mls.CryptoError):
            call()

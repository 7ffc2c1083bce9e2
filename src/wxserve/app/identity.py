"""The server's keys: a P-256 key, and a certificate that it signs itself."""

from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from wxserve.protocol.transcript import spki_binding

_VALID_FROM: Final = datetime(2020, 1, 1)  # noqa: DTZ001 - x509 takes naive UTC
_VALID: Final = timedelta(days=365 * 100)
"""Clients trust the key that their invite pinned, not the dates; expiry could only lock out."""


def new_key() -> bytes:
    """Return a new P-256 private key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certify(key_pem: bytes) -> bytes:
    """Return a certificate for a key, signed by itself, PEM.

    Raises:
        ValueError: this is no P-256 key.
    """
    key = load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")  # noqa: TRY004 - of a file, not of a caller
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wxserve")])
    certificate = (
        x509
        .CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_FROM + _VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("wxserve")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


def self_signed() -> tuple[bytes, bytes]:
    """Return a new key and its certificate, both PEM."""
    key = new_key()
    return key, certify(key)


def pin_of(key_pem: bytes) -> bytes:
    """Return the hash of a key's public half, as clients pin it.

    Args:
        key_pem: a private key.

    Returns:
        32 bytes.

    Raises:
        ValueError: this is no private key.
    """
    public = load_pem_private_key(key_pem, password=None).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return spki_binding(spki).value

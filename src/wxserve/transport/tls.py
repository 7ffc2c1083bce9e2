"""TLS 1.3 without a socket: an identity for the server, and one channel per connection."""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wxserve.protocol.transcript import Binding, spki_binding

_RECORD_BYTES: Final = 16 * 1024
"""The most plaintext that one TLS record carries, RFC 8446 section 5.1."""
_HANDSHAKE: Final = 22
"""The type of a record that is part of a handshake, RFC 8446 section 5.1."""
_HEADER_BYTES: Final = 5
_SLICE_BYTES: Final = 4 * 1024
"""What passes through OpenSSL's memory buffers at once. They keep their largest size as long as the
connection lives: after one chunk of 512 KiB 519 KiB were kept with no limit, 26 with 16 KiB, 10
with this, for a fifth more time per byte."""


_GREETING_BYTES: Final = 4 * 1024
"""What is kept of a first record before a channel is made for it; a hybrid one has 2 KiB."""


class TlsIdentity(NamedTuple):
    """What the server shows to its peers.

    Attributes:
        context: makes the channels.
        binding: the hash of the certificate's public key, which clients pin and logins sign.
    """

    context: ssl.SSLContext
    binding: Binding


def load_identity(certificate: Path, key: Path) -> TlsIdentity:
    """Read a certificate chain and its key, both PEM.

    Returns:
        The identity; it speaks TLS 1.3 only.

    Raises:
        OSError: a file cannot be read, or (SSLError) the two do not belong together.
        ValueError: the certificate cannot be parsed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # No tickets: resuming saves a sixth of a handshake (783 against 652 us) and would tie the
    # secrecy of every connection to a ticket key that lives as long as the process.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return TlsIdentity(context, spki_binding(spki))


def has_greeting(data: bytes) -> bool:
    """Whether bytes hold a whole first record, or are none that is worth waiting for."""
    if data[0] != _HANDSHAKE:
        return True  # the channel will say what is wrong
    record_bytes = _HEADER_BYTES + int.from_bytes(data[3:_HEADER_BYTES], "big")
    return len(data) >= _HEADER_BYTES and len(data) >= min(record_bytes, _GREETING_BYTES)


class TlsChannel:
    """The server's end of one TLS connection: ciphertext on one side, plaintext on the other."""

    __slots__ = ("_incoming", "_object", "_outgoing")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def shake(self, data: memoryview) -> bool:
        """Go on with the handshake; ``drain`` has the answer, also when it failed.

        Args:
            data: ciphertext of the peer.

        Returns:
            Whether the handshake is complete; then ``decrypt`` may have something.

        Raises:
            ssl.SSLError: the peer speaks no TLS 1.3, or not as it should.
        """
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def decrypt(self, data: memoryview) -> tuple[bytes, bool]:
        """Return the plaintext that ciphertext of the peer completes, and whether it is the last.

        Raises:
            ssl.SSLError: the ciphertext was damaged.
        """
        chunks: list[bytes] = []
        ended = False
        while not ended:
            self._incoming.write(data[:_SLICE_BYTES])
            data = data[_SLICE_BYTES:]
            ended = self._read_all(chunks)
            if not data:
                break
        return chunks[0] if len(chunks) == 1 else b"".join(chunks), ended

    def _read_all(self, chunks: list[bytes]) -> bool:
        """Add the plaintext that is complete; return whether the peer ended the channel."""
        try:
            while chunk := self._object.read(_RECORD_BYTES):
                chunks.append(chunk)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True
        return True  # some versions report the end as an empty read

    def encrypt(self, data: bytes) -> bytes:
        """Return the ciphertext of a plaintext of any size, after what waited to be drained.

        Raises:
            ssl.SSLError: the channel is broken.
        """
        view = memoryview(data)
        chunks: list[bytes] = []
        while view:
            view = view[self._object.write(view[:_SLICE_BYTES]) :]
            chunks.append(self._outgoing.read())
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def drain(self) -> bytes:
        """Return ciphertext for the peer that is no answer to ``encrypt``, once."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def close(self) -> bytes:
        """Return the end of the channel (close_notify), if it was ever open."""
        # WantRead: our end is written and the peer's is not awaited. Any other error: there is no
        # channel to end.
        with suppress(ssl.SSLError, ValueError):
            self._object.unwrap()
        return self.drain()

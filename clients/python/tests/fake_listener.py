"""A ``FakeServer`` behind a real socket on loopback, plain or TLS."""

import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from wxclient import Options, ShellLimits
from wxclient._protocol.invites import InviteUri, format_invite
from wxclient.limits import CoreLimits
from wxclient.shell.signals import Signal

from .fake_link import FakeLink
from .fake_server import CODE, FakeServer

QUICK = Options(
    core=CoreLimits(reconnect_min_s=0.01, reconnect_max_s=0.02, retry_min_s=0.01, ack_delay_s=0.01),
    shell=ShellLimits(handover_retry_min_s=0.01),
)
"""Short waits, so that nothing is slow; no test depends on how long they are."""
_GONE = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class FakeListener:
    """Accepts connections and carries their bytes."""

    def __init__(self, server: FakeServer, *, pins: tuple[bytes, ...] = ()) -> None:
        self.server = server
        self.pins = pins
        self.port = 0
        self.accepted = 0
        self.accepting = True
        self.bytes_received = 0
        self._signals: dict[FakeLink, Signal] = {}
        self._scopes: dict[FakeLink, anyio.CancelScope] = {}

    def invite(self, code: bytes = CODE, pins: tuple[bytes, ...] | None = None) -> str:
        """Return an invite to this listener."""
        pins = self.pins if pins is None else pins
        return format_invite(InviteUri("127.0.0.1", self.port, code, pins, bool(pins)))

    def push(self) -> None:
        """Write what the links have."""
        self.server.push()
        for signal in self._signals.values():
            signal.set()

    def cut(self) -> None:
        """Cut every connection."""
        for link, scope in tuple(self._scopes.items()):
            link.cut()
            scope.cancel()

    async def handle(self, stream: ByteStream) -> None:
        """Carry the bytes of one connection."""
        self.accepted += 1
        if not self.accepting:
            await anyio.aclose_forcefully(stream)
            return
        link, signal = FakeLink(self.server), Signal()
        self._signals[link] = signal
        try:
            async with anyio.create_task_group() as tasks:
                self._scopes[link] = tasks.cancel_scope
                tasks.start_soon(self._write, stream, link, signal)
                await self._read(stream, link)
                tasks.cancel_scope.cancel()
        finally:
            link.lost()
            del self._signals[link], self._scopes[link]
            await anyio.aclose_forcefully(stream)

    async def _read(self, stream: ByteStream, link: FakeLink) -> None:
        try:
            while True:
                data = await stream.receive()
                self.bytes_received += len(data)
                link.receive(data)
                for signal in self._signals.values():
                    signal.set()
        except _GONE:
            pass

    async def _write(self, stream: ByteStream, link: FakeLink, signal: Signal) -> None:
        try:
            while True:
                while data := link.take():
                    await stream.send(data)
                if link.closing:
                    self._scopes[link].cancel()
                await signal.wait()
        except _GONE:
            pass


@asynccontextmanager
async def listening(
    server: FakeServer, context: ssl.SSLContext | None = None, *, pins: tuple[bytes, ...] = ()
) -> AsyncIterator[FakeListener]:
    """Serve on a free port of loopback."""
    fake = FakeListener(server, pins=pins)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    fake.port = listener.extra(SocketAttribute.local_port)
    serving = (
        listener if context is None else TLSListener(listener, context, standard_compatible=False)
    )
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serving.serve, fake.handle)  # noqa: ASYNC113 - it listens already
            yield fake
            tasks.cancel_scope.cancel()
    finally:
        await anyio.aclose_forcefully(serving)


def identity(directory: Path) -> tuple[ssl.SSLContext, bytes]:
    """Return a server's TLS context with a fresh key, and the key's SubjectPublicKeyInfo."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake")])
    now = datetime.now(UTC)
    certificate = (
        x509
        .CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, None)
    )
    path = directory / f"{urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())[:6]).decode()}"
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(path)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return context, spki


def pin(spki: bytes) -> bytes:
    """Return the pin of a key."""
    return sha256(spki).digest()

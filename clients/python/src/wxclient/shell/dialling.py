"""Opening the connection: TCP, TLS 1.3, and the pin, which is checked before anything is sent."""

import ssl
from hashlib import sha256
from ipaddress import ip_address

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from wxclient._protocol.transcript import NO_BINDING, spki_binding
from wxclient.address import Address, Dialled
from wxclient.exceptions import NotLoopback, PinMismatch


async def dial(address: Address) -> Dialled:
    """Open a connection.

    Cancellation: the socket is closed.

    Raises:
        OSError: the network's reasons.
        ssl.SSLError: no TLS 1.3 there.
        PinMismatch: the server's key is not pinned.
        NotLoopback: plain TCP to another machine.
    """
    stream = await anyio.connect_tcp(address.host, address.port)
    try:
        if address.tls:
            return await _secure(stream, address)
        _check_loopback(stream, address.host)
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise
    return Dialled(stream, NO_BINDING)


def _check_loopback(stream: ByteStream, host: str) -> None:
    """Refuse plain TCP by what the name turned out to mean, not by the name."""
    remote = stream.extra(SocketAttribute.remote_address)
    if not ip_address(str(remote[0]).partition("%")[0]).is_loopback:
        raise NotLoopback(f"{host} is not this machine")


async def _secure(stream: ByteStream, address: Address) -> Dialled:
    """Wrap a stream; a server that cannot show the pinned key's certificate ends here."""
    tls = await TLSStream.wrap(
        stream,
        hostname=address.host,
        ssl_context=_context(),
        server_side=False,
        standard_compatible=False,
    )
    shown = tls.extra(TLSAttribute.peer_certificate_binary)
    certificate = load_der_x509_certificate(shown or b"")
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = sha256(spki).digest()
    if found not in address.pins:
        raise PinMismatch(found)
    return Dialled(tls, spki_binding(spki))


def _context() -> ssl.SSLContext:
    """Return a context that trusts no authority: the pin decides, whatever the certificate says.

    TLS still proves that the server holds the key of the certificate it shows.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

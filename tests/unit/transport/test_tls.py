"""One TLS channel without a socket."""

import ssl
from contextlib import suppress
from pathlib import Path

from wxserve.transport.tls import TlsChannel, TlsIdentity

from .fakes import make_identity


def connected(identity: TlsIdentity) -> tuple[TlsChannel, ssl.MemoryBIO, ssl.SSLObject]:
    """Return a channel after its handshake, what its client reads from, and the client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = context.wrap_bio(incoming, outgoing)
    channel = TlsChannel(identity.context)
    done = False
    while not done:
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        done = channel.shake(memoryview(outgoing.read()))
        incoming.write(channel.drain())
    return channel, incoming, client


def read(client: ssl.SSLObject, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += client.read(1 << 16)
    return data


def test_encrypted_chunk_of_any_size_is_what_the_client_reads() -> None:
    channel, incoming, client = connected(make_identity())
    for size in (1, 4095, 4096, 4097, 300_000):
        data = bytes(index % 251 for index in range(size))
        incoming.write(channel.encrypt(data))
        assert read(client, size) == data
    assert channel.encrypt(b"") == channel.drain() == b""
    incoming.write(channel.close())
    assert client.read(10) == b""


def test_no_session_ticket_is_sent() -> None:
    channel, incoming, client = connected(make_identity())
    incoming.write(channel.encrypt(b"x"))
    assert client.read(1) == b"x"
    assert client.session is not None
    assert not client.session.has_ticket


def test_large_chunk_does_not_stay_in_the_buffers_of_openssl() -> None:
    """They keep their largest size: 20 MiB here, if the chunk went through them at once."""

    def resident_kib() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    identity = make_identity()
    channels = [connected(identity)[0] for _ in range(40)]
    data = bytes(512 * 1024)
    channels[0].encrypt(data)
    before = resident_kib()
    for channel in channels:
        channel.encrypt(data)
    assert resident_kib() - before < 40 * 64

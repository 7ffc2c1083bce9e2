"""How long a stranger can hold a socket: the real rooms over real sockets, on virtual time."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.unit.transport.fakes import make_identity
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.testing.memory import memory_server
from wxserve.transport.limits import TransportLimits
from wxserve.transport.listener import bind_tcp
from wxserve.transport.server import TcpServer
from wxserve.transport.tls import TlsIdentity

pytestmark = pytest.mark.wire
KEPT_S = 15.0
"""What P24 promises."""
STEP_S = 1 / 32
HELLO = encode(f.Hello(((1, 0),), bytes(32), "stranger"))
NONSENSE = bytes.fromhex("ffffff00 0001 0000")
AT_S = [0.0, 0.9, 7.9, 9.5, 9.9]
"""When a stranger does what it does, after it connected."""


@pytest.fixture(scope="module")
def identity() -> TlsIdentity:
    return make_identity()


class Stranger:
    """A peer that never hangs up, over TLS or plain TCP."""

    def __init__(self, port: int, *, tls: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        # Virtual time does not wait for the kernel to gather small writes.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, do_handshake_on_connect=False)

    async def shake(self) -> None:
        assert isinstance(self.socket, ssl.SSLSocket)
        while not self.socket.version():
            with suppress(ssl.SSLWantReadError):
                self.socket.do_handshake()
            await trio.sleep(STEP_S)

    def say(self, data: bytes) -> None:
        with suppress(OSError):
            self.socket.send(data)


@asynccontextmanager
async def serving(
    directory: Path, identity: TlsIdentity | None
) -> AsyncIterator[tuple[TcpServer, int]]:
    (sock,) = bind_tcp("127.0.0.1", 0, 16)
    port = sock.getsockname()[1]
    async with memory_server(directory) as server, trio.open_nursery() as nursery:
        tcp = TcpServer([sock], server.router, identity, TransportLimits())
        nursery.start_soon(tcp.run)
        yield tcp, port
        nursery.cancel_scope.cancel()


async def kept_s(tcp: TcpServer, began: float) -> float:
    """Return how long the server keeps the connection."""
    while tcp.statistics().streams:
        await trio.sleep(STEP_S)
    return trio.current_time() - began


@pytest.mark.parametrize("offset_s", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("at_s", AT_S)
@pytest.mark.parametrize("said", [b"", HELLO, NONSENSE], ids=["nothing", "hello", "nonsense"])
async def test_stranger_that_finishes_tls_late_is_gone_in_time(
    tmp_path: Path,
    autojump_clock: MockClock,
    identity: TlsIdentity,
    said: bytes,
    at_s: float,
    offset_s: float,
) -> None:
    async with serving(tmp_path, identity) as (tcp, port):
        await trio.sleep(offset_s)
        began = trio.current_time()
        stranger = Stranger(port, tls=True)
        with stranger.socket:
            await trio.sleep(at_s)
            await stranger.shake()
            stranger.say(said)
            assert await kept_s(tcp, began) < KEPT_S


@pytest.mark.parametrize("at_s", AT_S)
async def test_stranger_that_speaks_no_tls_is_gone_in_time(
    tmp_path: Path, autojump_clock: MockClock, identity: TlsIdentity, at_s: float
) -> None:
    async with serving(tmp_path, identity) as (tcp, port):
        began = trio.current_time()
        stranger = Stranger(port, tls=False)
        with stranger.socket:
            await trio.sleep(at_s)
            stranger.say(b"GET / HTTP/1.1\r\n\r\n")
            assert await kept_s(tcp, began) < KEPT_S


@pytest.mark.parametrize("at_s", AT_S)
@pytest.mark.parametrize("said", [b"", HELLO, NONSENSE], ids=["nothing", "hello", "nonsense"])
async def test_stranger_over_plain_tcp_is_gone_in_time(
    tmp_path: Path, autojump_clock: MockClock, said: bytes, at_s: float
) -> None:
    async with serving(tmp_path, None) as (tcp, port):
        began = trio.current_time()
        stranger = Stranger(port, tls=False)
        with stranger.socket:
            await trio.sleep(at_s)
            stranger.say(said)
            assert await kept_s(tcp, began) < KEPT_S

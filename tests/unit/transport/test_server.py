"""The transport's tasks under trio, with peers that are trio's own streams."""

import socket
import ssl

import pytest
import trio
from trio.testing import MockClock

from wxserve.app.descriptors import RESERVED, raise_descriptor_limit
from wxserve.transport.limits import TransportLimits
from wxserve.transport.listener import bind_tcp
from wxserve.transport.server import TcpServer, serve_tcp
from wxserve.transport.tls import TlsIdentity

from .fakes import FakeLink, FakeRouter, make_identity

pytestmark = pytest.mark.wire


def server(router: FakeRouter, tls: TlsIdentity | None = None) -> tuple[TcpServer, int]:
    sockets = bind_tcp("127.0.0.1", 0, 4096)
    limits = TransportLimits(accepts_burst=5000)
    return TcpServer(sockets, router, tls, limits), sockets[0].getsockname()[1]


async def receive_exactly(stream: trio.abc.ReceiveStream, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = await stream.receive_some()
        assert chunk
        data += chunk
    return data


async def test_thousand_connections_are_echoed_and_forgotten() -> None:
    count = min(1000, (raise_descriptor_limit() - RESERVED) // 2)
    router = FakeRouter(echo=True)
    made, port = server(router)

    async def peer(number: int) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            message = b"%08d" % number * 100
            await stream.send_all(message)
            assert await receive_exactly(stream, len(message)) == message
            await everybody.wait()

    everybody = trio.Event()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            async with trio.open_nursery() as peers:
                for number in range(count):
                    peers.start_soon(peer, number)
                await router.wait_links(count)
                everybody.set()
            await made.wait_closed()
            assert made.statistics().accepted == count
            nursery.cancel_scope.cancel()


def say(peers: list[socket.socket], message: bytes) -> None:
    """Send at once, so that the server finds all of it in one step."""
    for peer in peers:
        assert peer.send(message) == len(message)


async def hear(peers: list[socket.socket], message: bytes) -> None:
    for peer in peers:
        await trio.lowlevel.wait_readable(peer)
        assert peer.recv(100) == message


async def stay_unheard(links: list[FakeLink]) -> None:
    """Give the server turns in which nobody is served."""
    before = [len(link.receives) for link in links]
    for _ in range(20):
        await trio.lowlevel.checkpoint()
    assert [len(link.receives) for link in links] == before


@pytest.mark.parametrize("count", [3, 4])
async def test_crowd_is_let_gather_and_few_are_not(count: int, mock_clock: MockClock) -> None:
    router = FakeRouter(echo=True)
    sockets = bind_tcp("127.0.0.1", 0, 16)
    made = TcpServer(sockets, router, None, TransportLimits(gather_from=4, gather_s=1.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        peers = [socket.create_connection(sockets[0].getsockname()) for _ in range(count)]
        await router.wait_links(count)
        say(peers, b"as strangers")
        await hear(peers, b"as strangers")
        say(peers, b"together")
        await hear(peers, b"together")
        say(peers, b"and again")
        if count == 4:
            await stay_unheard(router.links)
            mock_clock.jump(0.9)
            router.links[0].send(b"meanwhile")
            await hear(peers[:1], b"meanwhile")
            await stay_unheard(router.links)
            mock_clock.jump(0.2)
        await hear(peers, b"and again")
        for peer in peers:
            peer.close()
        nursery.cancel_scope.cancel()


async def test_link_that_becomes_dirty_without_traffic_is_written() -> None:
    router = FakeRouter()
    made, port = server(router)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await router.wait_links(1)
                router.link.send(b"from nowhere")
                assert await receive_exactly(stream, 12) == b"from nowhere"
                nursery.cancel_scope.cancel()


async def test_tls_stream_of_trio_is_served_and_ended_cleanly() -> None:
    router = FakeRouter(echo=True)
    made, port = server(router, make_identity())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=context)
            await stream.send_all(b"x" * 50_000)
            assert await receive_exactly(stream, 50_000) == b"x" * 50_000
            router.link.close()
            assert await stream.receive_some() == b""  # an end without close_notify would raise
            await trio.aclose_forcefully(stream)
            await made.wait_closed()
            nursery.cancel_scope.cancel()


async def test_cancelled_server_closes_listeners_and_connections() -> None:
    router = FakeRouter()
    sockets = bind_tcp("127.0.0.1", 0, 16)
    port = sockets[0].getsockname()[1]
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_tcp, sockets, router, None, TransportLimits())
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await router.wait_links(1)
            nursery.cancel_scope.cancel()
        assert router.link.is_lost
        assert await stream.receive_some() == b""
        await stream.aclose()
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", port)


async def test_wait_closed_without_connections_returns() -> None:
    made, _ = server(FakeRouter())
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            made.stop_accepting()
            await made.wait_closed()
            nursery.cancel_scope.cancel()

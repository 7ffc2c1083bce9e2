"""The pump over plain TCP, driven by hand on real loopback sockets."""

import logging
import socket

import pytest

from wxserve.protocol.connection import Connection
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.frames import Error
from wxserve.protocol.states import Role
from wxserve.protocol.transcript import NO_BINDING
from wxserve.transport.limits import TransportLimits
from wxserve.transport.stream import Phase, Stream

from .fakes import FakeRouter, Stage, stage

pytestmark = pytest.mark.wire


def only_stream(made: Stage) -> Stream:
    (stream,) = made.pump.streams
    return stream


def fill(made: Stage, peer_bytes: int = 4096) -> tuple[socket.socket, Stream, bytes]:
    """Connect a peer that does not read, and give its link more than the socket takes."""
    peer = made.connect(receive_buffer=peer_bytes)
    made.until(lambda: made.router.links)
    stream = only_stream(made)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    data = bytes(index % 251 for index in range(300_000))
    made.router.link.send(data)
    made.until(lambda: stream.unsent)
    return peer, stream, data


def test_link_gets_address_and_no_binding() -> None:
    with stage() as made:
        made.joined()
        assert (made.router.link.address, made.router.link.binding) == ("127.0.0.1", NO_BINDING)


def test_bytes_split_and_coalesced_arrive_in_order() -> None:
    with stage(FakeRouter(echo=True)) as made:
        peer, link = made.joined()
        data = bytes(range(256)) * 8
        for byte in data[:50]:
            peer.send(bytes([byte]))
            made.pump.step()
        peer.send(data[50:])
        assert made.read(peer, len(data)) == data
        assert link.received == data


def test_reading_takes_at_most_recv_bytes_in_a_step() -> None:
    with stage(limits=TransportLimits(recv_bytes=1000)) as made:
        peer, link = made.joined()
        peer.send(bytes(5500))
        made.until(lambda: len(link.received) == 5500)
        assert max(link.receives) == 1000


def test_everything_that_gathered_in_a_step_is_taken_once() -> None:
    with stage() as made:
        peer, link = made.joined()
        for part in (b"one", b"two", b"three"):
            link.send(part)
        made.pump.flush()
        assert link.takes == [11]
        assert made.read(peer, 11) == b"onetwothree"


def test_link_that_keeps_bytes_back_is_asked_again_without_being_dirty() -> None:
    with stage() as made:
        peer, link = made.joined()
        link.take_bytes_max = 100
        link.send(bytes(1000))
        assert made.read(peer, 1000) == bytes(1000)
        assert link.takes == [100] * 10
        made.until(lambda: not only_stream(made).interest & 4)


def test_reader_that_stops_costs_one_chunk_and_gets_every_byte_in_the_end() -> None:
    with stage() as made:
        peer, stream, data = fill(made)
        link = made.router.link
        for _ in range(20):
            link.send(b"more")
            made.pump.step()
        assert link.takes == [len(data)]
        assert link.outgoing == b"more" * 20
        assert made.read(peer, len(data) + 80) == data + b"more" * 20
        assert link.takes == [len(data), 80]
        made.pump.step()
        assert stream.unsent == b""


def test_paused_link_is_not_read_until_it_is_dirty_again() -> None:
    with stage() as made:
        peer, link = made.joined()
        peer.send(b"a")
        made.until(lambda: link.received == b"a")
        link.paused = True
        made.router.dirty.add(link)
        made.pump.flush()
        peer.send(b"b")
        for _ in range(20):
            made.pump.step()
        assert link.received == b"a"
        link.resume()
        made.until(lambda: link.received == b"ab")


def test_peer_that_ends_while_paused_is_heard_to_the_end() -> None:
    with stage() as made:
        peer, link = made.joined()
        link.paused = True
        made.router.dirty.add(link)
        made.pump.flush()
        peer.send(b"last words")
        peer.close()
        for _ in range(20):
            made.pump.step()
        assert not link.is_lost
        link.resume()
        made.until(lambda: link.is_lost)
        assert link.received == b"last words"
        assert len(made.pump.streams) == 0


def test_peer_that_resets_while_paused_is_lost_at_once() -> None:
    with stage() as made:
        peer, link = made.joined()
        link.paused = True
        made.router.dirty.add(link)
        made.pump.flush()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        peer.close()
        made.until(lambda: link.is_lost)
        assert len(made.pump.streams) == 0


def test_peer_that_closes_is_lost_and_forgotten() -> None:
    with stage() as made:
        peer, link = made.joined()
        peer.close()
        made.until(lambda: link.is_lost)
        assert len(made.pump.streams) == 0
        link.send(b"too late")
        made.pump.flush()
        assert link.takes == []


def test_closing_link_delivers_its_last_bytes_although_the_peer_was_sending() -> None:
    with stage() as made:
        peer, link = made.joined()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        peer.send(bytes(200_000))  # unread at the server when it closes: closing at once resets
        link.outgoing = b"goodbye"
        link.close()
        made.pump.flush()
        assert link.is_lost
        assert made.read_to_end(peer) == b"goodbye"
        assert link.received == b""
        peer.close()
        made.until(lambda: len(made.pump.streams) == 0)


def test_peer_that_stays_after_the_end_is_reset_at_the_deadline() -> None:
    limits = TransportLimits(linger_s=2)
    with stage(limits=limits) as made:
        peer, link = made.joined()
        link.close()
        made.pump.flush()
        assert only_stream(made).phase is Phase.LINGERING
        made.pump.sweep(made.clock.now + 1.9)
        assert len(made.pump.streams) == 1
        made.pump.sweep(made.clock.now + 2)
        assert len(made.pump.streams) == 0
        assert made.pump.statistics().timed_out == 1
        with pytest.raises(BrokenPipeError):
            peer.send(b"x")


def test_closing_link_whose_peer_does_not_read_is_reset_at_the_deadline() -> None:
    with stage(limits=TransportLimits(close_deadline_s=5)) as made:
        fill(made)
        link = made.router.link
        link.close()
        made.pump.flush()
        made.pump.sweep(made.clock.now + 4.9)
        assert len(made.pump.streams) == 1
        made.pump.sweep(made.clock.now + 5)
        assert link.is_lost
        assert len(made.pump.streams) == 0


def test_closing_stranger_that_does_not_read_is_reset_sooner_than_a_device() -> None:
    router = FakeRouter()
    router.authenticates = False
    with stage(router, limits=TransportLimits(close_deadline_s=5, linger_s=2)) as made:
        fill(made)
        made.router.link.close()
        made.pump.flush()
        made.pump.sweep(made.clock.now + 2)
        assert len(made.pump.streams) == 0


def test_closing_stranger_that_reads_at_the_last_moment_gets_no_further_time() -> None:
    router = FakeRouter()
    router.authenticates = False
    with stage(router, limits=TransportLimits(close_deadline_s=5, linger_s=2)) as made:
        peer, _, data = fill(made)
        made.router.link.close()
        made.pump.flush()
        made.clock.now += 1.9
        assert made.read_to_end(peer) == data
        assert only_stream(made).phase is Phase.LINGERING
        made.pump.sweep(made.clock.now + 0.1)
        assert len(made.pump.streams) == 0


def test_closing_link_whose_peer_reads_late_gets_everything() -> None:
    with stage() as made:
        peer, _, data = fill(made)
        made.router.link.outgoing += b"the end"
        made.router.link.close()
        assert made.read_to_end(peer) == data + b"the end"


def test_no_deadline_runs_for_open_connections() -> None:
    with stage() as made:
        _, link = made.joined()
        made.pump.sweep(made.clock.now + 1e9)
        assert not link.is_lost


def parse_error(data: bytes) -> Error:
    connection = Connection(Role.CLIENT)
    connection.receive_data(data)
    received = connection.next_event()
    assert received is not None
    assert isinstance(received.frame, Error)
    return received.frame


def test_connection_above_the_total_is_told_and_closed() -> None:
    with stage(limits=TransportLimits(connections_max=2)) as made:
        made.joined()
        made.joined()
        peer = made.connect()
        peer.send(b"hello" * 100)
        error = parse_error(made.read_to_end(peer))
        assert (error.code, error.temporary) == (ErrorCode.TOO_MANY_CONNECTIONS, True)
        assert len(made.router.links) == 2
        assert made.pump.statistics().refused == 1


def test_connections_far_above_the_total_are_reset() -> None:
    with stage(limits=TransportLimits(connections_max=1, refusals_max=1)) as made:
        made.joined()
        told, reset = made.connect(), made.connect()
        assert made.is_reset(reset)
        assert parse_error(made.read_to_end(told)).code == ErrorCode.TOO_MANY_CONNECTIONS


def test_connection_that_the_router_refuses_gets_its_reason() -> None:
    router = FakeRouter()
    router.links_max = 0
    with stage(router) as made:
        error = parse_error(made.read_to_end(made.connect()))
        assert (error.code, error.retry_after_ms) == (ErrorCode.TOO_MANY_CONNECTIONS, 1000)


def test_connections_above_the_rate_of_their_address_are_reset() -> None:
    with stage(limits=TransportLimits(accepts_per_s=1, accepts_burst=1)) as made:
        made.joined()
        assert made.is_reset(made.connect())
        made.connect(source="127.0.0.2")
        made.until(lambda: len(made.router.links) == 2)


def test_defect_met_by_one_connection_ends_that_one_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with stage() as made, caplog.at_level(logging.ERROR):
        _, well = made.joined()
        peer, ill = made.joined()
        made.router.defect = KeyError("oops")
        peer.send(b"trigger")
        made.until(lambda: ill.is_lost)
        assert not well.is_lost
        assert [record.message for record in caplog.records] == ["connection.defect"]


def test_stopped_entrance_refuses_new_and_keeps_old_connections() -> None:
    with stage(FakeRouter(echo=True)) as made:
        peer, _ = made.joined()
        made.pump.entrance.stop()
        with pytest.raises(ConnectionRefusedError):
            made.connect()
        peer.send(b"still here")
        assert made.read(peer, 10) == b"still here"


def test_sockets_do_not_wait_to_coalesce_small_frames() -> None:
    with stage() as made:
        made.joined()
        sock = only_stream(made).socket
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0

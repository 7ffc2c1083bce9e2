"""The pump over TLS, driven by hand on real loopback sockets, with hostile peers among them."""

import socket
import ssl
from itertools import pairwise

import pytest

from wxserve.protocol.transcript import BindingType
from wxserve.transport.limits import TransportLimits
from wxserve.transport.stream import Phase
from wxserve.transport.tls import TlsIdentity

from .fakes import FakeRouter, Stage, TlsPeer, make_identity, stage

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def identity() -> TlsIdentity:
    return make_identity()


def greeted(made: Stage, peer: TlsPeer) -> None:
    peer.shake()
    peer.send(b"hi")
    made.until(lambda: made.router.links and made.router.links[-1].received == b"hi")


def client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def test_link_is_opened_after_the_handshake_with_the_binding_of_the_key(
    identity: TlsIdentity,
) -> None:
    with stage(tls=identity) as made:
        peer = TlsPeer(made)
        made.until(lambda: made.pump.streams.handshakes == 1)
        assert made.router.links == []
        greeted(made, peer)
        assert made.router.link.binding == identity.binding
        assert made.router.link.binding.type is BindingType.SPKI_SHA256
        assert made.router.link.address == "127.0.0.1"
        assert made.pump.streams.handshakes == 0
        assert peer.tls.version() == "TLSv1.3"


def test_plaintext_larger_than_a_record_arrives_whole_in_both_directions(
    identity: TlsIdentity,
) -> None:
    data = bytes(index % 253 for index in range(200_000))
    with stage(FakeRouter(echo=True), tls=identity) as made:
        peer = TlsPeer(made)
        peer.shake()
        peer.send(data)
        assert peer.read(len(data)) == data


def test_reader_that_stops_gets_every_byte_once_in_the_end(identity: TlsIdentity) -> None:
    """New plaintext must not be joined to ciphertext that waits, nor encrypted twice."""
    data = bytes(index % 253 for index in range(120_000))
    with stage(tls=identity) as made:
        peer = TlsPeer(made)
        peer.tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greeted(made, peer)
        link = made.router.link
        (stream,) = made.pump.streams
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        link.send(data)
        made.until(lambda: stream.unsent)
        for number in range(50):
            link.send(b"%03d" % number)
            made.pump.step()
        assert len(link.takes) == 1
        tail = b"".join(b"%03d" % number for number in range(50))
        assert peer.read(len(data) + len(tail)) == data + tail
        assert len(link.takes) == 2


def test_data_sent_with_the_last_handshake_message_is_not_lost(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        tls = context.wrap_bio(incoming, outgoing)
        peer = made.connect()
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        peer.send(outgoing.read())
        while outgoing.pending == 0:
            incoming.write(made.read(peer, 1))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                continue
        tls.write(b"HELLO")
        peer.send(outgoing.read())
        made.until(lambda: made.router.links and made.router.link.received == b"HELLO")


def test_end_of_tls_ends_the_connection(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        peer = TlsPeer(made)
        greeted(made, peer)
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.unwrap()
        made.until(lambda: made.router.link.is_lost)
        assert len(made.pump.streams) == 0


def test_closing_link_sends_last_bytes_and_the_end_of_tls(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        peer = TlsPeer(made)
        greeted(made, peer)
        peer.tls.send(bytes(100_000))  # on its way while the server closes
        made.router.link.outgoing = b"ERROR"
        made.router.link.close()
        made.pump.flush()
        assert peer.read_to_end() == b"ERROR"


def test_connection_that_the_router_refuses_gets_its_reason_encrypted(
    identity: TlsIdentity,
) -> None:
    router = FakeRouter()
    router.links_max = 0
    with stage(router, tls=identity) as made:
        peer = TlsPeer(made)
        peer.shake()
        assert len(peer.read_to_end()) > 8


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(64),
        b"\xff" * 70_000,
        b"\x16\x03\x01\xff\xff" + bytes(100),
        b"\x17\x03\x03\x00\x20" + bytes(32),
    ],
    ids=["http", "zeros", "ones", "oversized record", "data before handshake"],
)
def test_garbage_instead_of_a_handshake_ends_the_connection(
    identity: TlsIdentity, garbage: bytes
) -> None:
    with stage(tls=identity) as made:
        peer = made.connect()
        peer.setblocking(False)
        peer.send(garbage)
        made.until(lambda: made.pump.statistics().accepted == 1)
        peer.close()
        made.until(lambda: len(made.pump.streams) == 0)
        assert made.router.links == []
        assert made.pump.streams.book.remembered == 1  # its rate, no handshake


def test_garbage_after_the_handshake_loses_the_link(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        peer = TlsPeer(made)
        greeted(made, peer)
        raw = socket.socket(fileno=peer.tls.detach())
        made.peers.append(raw)
        raw.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        made.until(lambda: made.router.link.is_lost)


def test_client_of_tls_1_2_is_refused_with_an_alert(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        peer = TlsPeer(made, maximum=ssl.TLSVersion.TLSv1_2)
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            peer.shake()
        assert made.router.links == []


@pytest.mark.parametrize("sent", [0, 1, 5, 100])
def test_unfinished_handshake_is_reset_at_the_deadline(identity: TlsIdentity, sent: int) -> None:
    with stage(tls=identity, limits=TransportLimits(tls_handshake_deadline_s=10)) as made:
        peer = made.connect()
        peer.send(client_hello()[:sent])
        made.until(lambda: made.pump.streams.handshakes == 1)
        for _ in range(5):
            made.pump.step()
        made.pump.sweep(made.clock.now + 9.9)
        assert made.pump.streams.handshakes == 1
        made.pump.sweep(made.clock.now + 10)
        assert made.is_reset(peer)
        assert made.pump.statistics()[:2] == (0, 0)
        assert made.pump.statistics().timed_out == 1


def test_handshake_fed_slowly_does_not_move_its_deadline(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        peer = made.connect()
        made.until(lambda: made.pump.streams.handshakes == 1)
        started = made.clock.now
        for byte in client_hello()[:50]:
            peer.send(bytes([byte]))
            made.clock.now += 0.1
            made.pump.step()
        made.pump.sweep(started + 10)
        assert made.is_reset(peer)


def test_time_to_log_in_counts_from_the_moment_the_socket_came(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        peer = TlsPeer(made)
        made.until(lambda: made.pump.streams.handshakes == 1)
        accepted_s = made.clock.now
        made.clock.now += 9
        greeted(made, peer)
        assert made.router.link.accepted_s == accepted_s


def test_silent_peer_costs_no_tls_channel(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        made.connect()
        made.until(lambda: made.pump.streams.handshakes == 1)
        (stream,) = made.pump.streams
        assert (stream.phase, stream.tls) == (Phase.HANDSHAKE, None)


def begin(made: Stage) -> socket.socket:
    """Connect a peer that says its first record and no more."""
    peer = made.connect()
    peer.send(client_hello())
    made.read(peer, 5)
    return peer


def test_slow_peer_costs_no_tls_channel_before_its_first_record_is_whole(
    identity: TlsIdentity,
) -> None:
    with stage(tls=identity, limits=TransportLimits(strangers_per_step_max=1)) as made:
        peer = made.connect()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.until(lambda: made.pump.streams.handshakes == 1)
        (stream,) = made.pump.streams
        hello = client_hello()
        for index in range(len(hello) - 1):
            peer.send(hello[index : index + 1])
            made.pump.step()
            assert stream.tls is None
        peer.send(hello[-1:])
        made.until(lambda: stream.tls is not None)
        assert stream.greeting == b""
        assert made.read(peer, 5)[0] == 22  # it was taken whole: the server greets back


def test_begun_handshakes_above_their_limit_push_out_the_oldest(identity: TlsIdentity) -> None:
    with stage(tls=identity, limits=TransportLimits(handshakes_begun_max=2)) as made:
        made.connect()
        made.until(lambda: made.pump.streams.handshakes == 1)
        oldest, _ = begin(made), begin(made)
        made.clock.now += 3
        begin(made)
        assert made.is_reset(oldest)
        assert made.pump.streams.handshakes == 3  # one of them silent, which costs nothing
        assert made.pump.statistics().refused == 1


def test_begun_handshakes_above_their_limit_are_kept_while_they_are_young(
    identity: TlsIdentity,
) -> None:
    with stage(tls=identity, limits=TransportLimits(handshakes_begun_max=2)) as made:
        for _ in range(5):
            begin(made)
            made.clock.now += 0.5
        assert made.pump.streams.handshakes == 5
        assert made.pump.statistics().refused == 0


def test_begun_handshake_whose_last_words_wait_is_finished_and_not_pushed_out(
    identity: TlsIdentity,
) -> None:
    with stage(tls=identity, limits=TransportLimits(handshakes_begun_max=1)) as made:
        first = TlsPeer(made)
        with pytest.raises(ssl.SSLWantReadError):
            first.tls.do_handshake()
        made.until(lambda: made.pump.streams.excess(made.clock.now + 3) is not None)
        second = made.connect()
        made.until(lambda: made.pump.streams.handshakes == 2)
        made.clock.now += 3
        second.send(client_hello())  # the server hears it before the end of the first handshake
        first.tls.do_handshake()
        first.tls.send(b"hi")
        made.until(lambda: made.router.links and made.router.link.received == b"hi")
        made.read(second, 5)
        assert made.pump.statistics().refused == 0


def test_handshake_that_failed_keeps_no_tls_channel(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        peer = made.connect()
        made.until(lambda: made.pump.streams.handshakes == 1)
        (stream,) = made.pump.streams
        peer.send(b"GET / HTTP/1.1\r\n\r\n")
        made.until(lambda: stream.phase is Phase.LINGERING)
        assert stream.tls is None


def test_finished_handshake_has_no_deadline(identity: TlsIdentity) -> None:
    with stage(tls=identity) as made:
        greeted(made, TlsPeer(made))
        made.pump.sweep(made.clock.now + 1e9)
        assert not made.router.link.is_lost


def test_handshakes_above_the_limit_of_an_address_are_reset(identity: TlsIdentity) -> None:
    limits = TransportLimits(handshakes_per_address_max=2)
    with stage(tls=identity, limits=limits) as made:
        made.connect()
        made.connect()
        made.until(lambda: made.pump.streams.handshakes == 2)
        assert made.is_reset(made.connect())
        made.connect(source="127.0.0.2")
        made.until(lambda: made.pump.streams.handshakes == 3)


def test_handshakes_above_the_total_push_out_the_oldest(identity: TlsIdentity) -> None:
    with stage(tls=identity, limits=TransportLimits(handshakes_max=3)) as made:
        silent = [made.connect() for _ in range(3)]
        made.until(lambda: made.pump.streams.handshakes == 3)
        greeted(made, TlsPeer(made))
        assert made.is_reset(silent[0])
        assert made.pump.streams.handshakes == 2


def test_connections_above_the_total_push_out_a_handshake_but_no_open_one(
    identity: TlsIdentity,
) -> None:
    with stage(tls=identity, limits=TransportLimits(connections_max=2)) as made:
        silent = made.connect()
        made.until(lambda: made.pump.streams.handshakes == 1)
        greeted(made, TlsPeer(made))
        greeted(made, TlsPeer(made))
        assert made.is_reset(silent)
        assert made.is_reset(made.connect())
        assert [link.is_lost for link in made.router.links] == [False, False]


def test_storm_of_handshakes_leaves_room_in_each_step(identity: TlsIdentity) -> None:
    with stage(tls=identity, limits=TransportLimits(strangers_per_step_max=2)) as made:
        hello = client_hello()
        for _ in range(9):
            made.connect().send(hello)
        made.until(lambda: made.pump.streams.handshakes == 9, steps=50)

        def shaken() -> int:
            return sum(stream.tls is not None for stream in made.pump.streams)

        counts = [shaken()]
        while counts[-1] < 9:
            made.pump.step()
            counts.append(shaken())
        assert max(b - a for a, b in pairwise(counts)) <= 2

"""Hostile peers against the real process: one typed refusal each, and nothing changes."""

import socket
import struct
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.wire.raw_client import RawClient, RawDevice
from tests.wire.server_process import ServerProcess
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.credentials import DEVICE_KEY, DeviceKey, encode_credential
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId

pytestmark = pytest.mark.wire


class Pair:
    """Two healthy devices whose conversation must go on whatever a test does."""

    def __init__(self, server: ServerProcess) -> None:
        one, two = server.invites(2)
        self.alice = RawDevice(server.host, server.port)
        self.bob = RawDevice(server.host, server.port)
        self.alice_session = self.alice.enrol(one.code)
        self.bob_session = self.bob.enrol(two.code)
        self.used_code = one.code
        self.conversation: ConversationId = self.alice.create_direct(
            self.alice_session, self.bob.account
        )
        self.renew_bob()
        self.seq = 1

    def renew_alice(self) -> None:
        """Log Alice in again."""
        self.alice_session.close()
        self.alice_session = self.alice.log_in()

    def renew_bob(self) -> None:
        """Log Bob in again, and follow."""
        self.bob_session.close()
        self.bob_session = self.bob.log_in()
        self.bob_session.send(f.Sync(0, 100), 1)
        self.bob_session.wait_for(f.Synced)

    def check(self) -> None:
        """A message goes through, and it is the next one."""
        self.seq += 1
        accepted = self.alice.message(self.alice_session, self.conversation, b"still here")
        assert accepted.seq == self.seq
        deliver = self.bob_session.wait_for(f.Deliver)
        while deliver.conversation != self.conversation or deliver.seq < self.seq:
            deliver = self.bob_session.wait_for(f.Deliver)
        assert deliver.seq == self.seq


@pytest.fixture(scope="module")
def pair(server: ServerProcess) -> Iterator[Pair]:
    """The healthy pair of a module."""
    healthy = Pair(server)
    yield healthy
    healthy.alice_session.close()
    healthy.bob_session.close()


def header(length: int, number: int, stream: int = 0, flags: int = 0) -> bytes:
    """Return a frame header."""
    return struct.pack(">IHH", length << 8 | flags, number, stream)


HELLO, AUTH, SEND, PING, ACCEPTED = 0x0001, 0x0003, 0x0020, 0x0010, 0x0021
NESTED = b"\x91" * 900 + b"\xc0"

BEFORE_LOGIN = {
    "http": (b"GET / HTTP/1.1\r\nHost: example\r\n\r\n", ErrorCode.UNKNOWN_FRAME),
    "zeros": (bytes(64), ErrorCode.UNKNOWN_FRAME),
    "announces 16 MiB": (header(0xFFFFFF, HELLO), ErrorCode.FRAME_TOO_LARGE),
    "announces 5 KiB": (header(5 * 1024, HELLO), ErrorCode.FRAME_TOO_LARGE),
    "deep nesting": (header(len(NESTED), HELLO) + NESTED, ErrorCode.MALFORMED_FRAME),
    "map": (header(1, HELLO) + b"\x80", ErrorCode.MALFORMED_FRAME),
    "length bomb": (header(5, HELLO) + b"\xdd\xff\xff\xff\xff", ErrorCode.MALFORMED_FRAME),
    "empty hello": (header(0, HELLO), ErrorCode.MALFORMED_FRAME),
    "hello on a stream": (
        encode(f.Hello(((1, 0),), bytes(32), "x"), 7),
        ErrorCode.UNEXPECTED_FRAME,
    ),
    "send first": (header(10, SEND, 1), ErrorCode.UNEXPECTED_FRAME),
    "ping first": (header(0, PING), ErrorCode.UNEXPECTED_FRAME),
    "auth first": (header(10, AUTH), ErrorCode.UNEXPECTED_FRAME),
    "unknown version": (
        encode(f.Hello(((9, 0),), bytes(32), "x")),
        ErrorCode.VERSION_UNSUPPORTED,
    ),
}


@pytest.mark.parametrize("name", BEFORE_LOGIN)
def test_stranger_breaks_a_rule_gets_one_typed_error(
    server: ServerProcess, pair: Pair, name: str
) -> None:
    data, code = BEFORE_LOGIN[name]
    stranger = RawClient(server.host, server.port, tls=True)
    stranger.send_bytes(data)
    assert stranger.final_error().code == code
    stranger.close()
    pair.check()


OPEN_SESSION = {
    "unknown type": (header(0, 0x0777), ErrorCode.UNKNOWN_FRAME),
    "server's frame": (
        encode(f.Accepted(bytes(16), bytes(16), 1, 1, 1), 1),  # type: ignore[arg-type]
        ErrorCode.UNEXPECTED_FRAME,
    ),
    "hello again": (encode(f.Hello(((1, 0),), bytes(32), "x")), ErrorCode.UNEXPECTED_FRAME),
    "send on stream 0": (encode(f.Send(b"x")), ErrorCode.UNEXPECTED_FRAME),
    "control frame of 65 KiB": (header(65 * 1024, 0x0024), ErrorCode.FRAME_TOO_LARGE),
    "entry of 300 KiB": (header(300 * 1024, SEND, 1), ErrorCode.FRAME_TOO_LARGE),
    "array of maps": (header(3, SEND, 1) + b"\x92\x80\x80", ErrorCode.MALFORMED_FRAME),
    "credit overflow": (
        encode(f.Credit(0xFFFFFFFF, 0xFFFFFFFF)),
        ErrorCode.CREDIT_OVERFLOW,
    ),
}


@pytest.mark.parametrize("name", OPEN_SESSION)
def test_member_breaks_a_rule_gets_one_typed_error(pair: Pair, name: str) -> None:
    data, code = OPEN_SESSION[name]
    session = pair.alice.log_in()
    session.send_bytes(data)
    assert session.final_error().code == code
    session.close()
    pair.renew_alice()
    pair.check()


def test_acknowledgement_beyond_what_was_sent_ends_the_connection(pair: Pair) -> None:
    pair.check()
    session = pair.bob.log_in()
    session.send(f.Sync(0, 10), 1)
    session.wait_for(f.Synced)
    session.send(f.Ack(((pair.conversation, 1_000_000),), 0))
    assert session.final_error().code == ErrorCode.ACK_BEYOND_SENT
    pair.renew_bob()
    pair.check()


class TestHandshake:
    """Proofs that do not hold."""

    def refused(self, client: RawClient, code: ErrorCode, pair: Pair) -> None:
        assert client.final_error().code == code
        client.close()
        pair.check()

    def test_wrong_key_is_refused(self, pair: Pair) -> None:
        client = pair.alice.connect()
        client.authenticate(pair.alice.credential, Ed25519PrivateKey.generate())
        self.refused(client, ErrorCode.AUTH_FAILED, pair)

    def test_unknown_device_gets_the_same_answer(self, pair: Pair) -> None:
        client = pair.alice.connect()
        stranger = DeviceKey(DEVICE_KEY, AccountId(bytes(16)), DeviceId(bytes(8)))
        client.authenticate(stranger, pair.alice.key)
        self.refused(client, ErrorCode.AUTH_FAILED, pair)

    def test_other_account_is_refused(self, pair: Pair) -> None:
        client = pair.alice.connect()
        mixed = DeviceKey(DEVICE_KEY, pair.bob.account, pair.alice.device)
        client.authenticate(mixed, pair.alice.key)
        self.refused(client, ErrorCode.AUTH_FAILED, pair)

    def test_replayed_handshake_is_refused(self, server: ServerProcess, pair: Pair) -> None:
        earlier = pair.bob.log_in()
        recorded = list(earlier.sent)
        earlier.close()
        replay = RawClient(server.host, server.port, tls=True)
        replay.send(f.Hello(((1, 0),), bytes(32), "raw"))
        replay.wait_for(f.Challenge)
        replay.send_bytes(recorded[1])
        assert replay.final_error().code == ErrorCode.AUTH_FAILED
        replay.close()
        pair.renew_bob()
        pair.check()

    def test_downgraded_version_list_is_refused(self, server: ServerProcess, pair: Pair) -> None:
        client = RawClient(server.host, server.port, tls=True)
        client.send(f.Hello(((1, 0),), bytes(32), "raw"))
        client.wait_for(f.Challenge)
        # What the client signs is what it had sent before somebody in between shortened it.
        offered = encode(f.Hello(((2, 0), (1, 0)), bytes(32), "raw"))
        client.connection.transcript.hello(offered[8:])
        client.authenticate(pair.alice.credential, pair.alice.key)
        self.refused(client, ErrorCode.AUTH_FAILED, pair)

    def test_proof_for_another_channel_is_refused(self, pair: Pair) -> None:
        client = pair.alice.connect()
        client.binding = client.binding._replace(value=bytes(32))
        client.authenticate(pair.alice.credential, pair.alice.key)
        self.refused(client, ErrorCode.AUTH_FAILED, pair)

    def test_used_invite_with_another_key_is_refused(
        self, server: ServerProcess, pair: Pair
    ) -> None:
        thief = RawDevice(server.host, server.port)
        client = thief.connect()
        client.authenticate(thief.enrolment(pair.used_code), thief.key)
        self.refused(client, ErrorCode.INVITE_USED, pair)

    def test_forged_invite_is_refused(self, server: ServerProcess, pair: Pair) -> None:
        forged = bytearray(server.invites(1)[0].code)
        forged[20] ^= 1
        thief = RawDevice(server.host, server.port)
        client = thief.connect()
        client.authenticate(thief.enrolment(bytes(forged)), thief.key)
        self.refused(client, ErrorCode.INVITE_INVALID, pair)

    def test_enrolment_again_with_the_same_key_is_the_same_device(
        self, server: ServerProcess, pair: Pair
    ) -> None:
        newcomer = RawDevice(server.host, server.port)
        code = server.invites(1)[0].code
        newcomer.enrol(code).close()
        first = newcomer.device
        newcomer.enrol(code).close()
        assert newcomer.device == first
        pair.check()

    def test_garbage_credential_is_malformed(self, pair: Pair) -> None:
        client = pair.alice.connect()
        client.send(f.Auth(encode_credential(pair.alice.credential)[:-1], bytes(64)))
        self.refused(client, ErrorCode.MALFORMED_FRAME, pair)


def test_many_hostile_connections_leave_memory_flat(server: ServerProcess, pair: Pair) -> None:
    def storm(count: int) -> None:
        for number in range(count):
            sock = socket.create_connection((server.host, server.port), 10)
            sock.sendall(bytes([number % 256]) * 200)
            sock.close()

    storm(300)
    pair.check()
    before = server.rss_kib()
    storm(1500)
    pair.check()
    assert server.rss_kib() - before < 4096

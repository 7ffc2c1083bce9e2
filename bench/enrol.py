"""Making a cast over the wire: enrolling devices, creating conversations. None of it is timed."""

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench import wire
from bench.plan import Device
from bench.server import Server

AT_ONCE: Final = 64
"""Connections that go through a step together, so that they share its commit."""
ANSWER_S: Final = 30.0
READ_SIZE: Final = 65536


class RefusedError(RuntimeError):
    """The server answered with ERROR, or hung up."""


class Client:
    """One connection for setting up; every call waits for its answer."""

    def __init__(self, server: Server, number: int) -> None:
        """Connect.

        Args:
            server: where to.
            number: chooses the loopback address to come from, as the generator does.
        """
        source = (f"127.1.{1 + number % 200}.1", 0) if server.host.startswith("127.") else None
        plain = socket.create_connection((server.host, server.port), ANSWER_S, source)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = _secure(plain, server.pin) if server.tls else plain
        self._pin = server.pin
        self._reader = wire.FrameReader()
        self._frames: list[wire.Frame] = []
        self._hello = wire.hello_body(bytes(32))
        self.account = self.device = b""
        self.counter = 0

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def receive(self) -> wire.Frame:
        """Return the next frame.

        Raises:
            RefusedError: it is ERROR, or the server hung up.
        """
        while not self._frames:
            data = self.socket.recv(READ_SIZE)
            if not data:
                raise RefusedError("the server hung up")
            self._frames = self._reader.feed(data)
        frame = self._frames.pop(0)
        if frame.type == wire.ERROR:
            raise RefusedError(f"error {frame.fields[0]}: {frame.fields[3]}")
        return frame

    def greet(self) -> None:
        """Send HELLO."""
        frame = wire.HEADER.pack(len(self._hello) << 8, wire.HELLO, 0) + self._hello
        self.socket.sendall(frame)

    def authenticate(self, key: Ed25519PrivateKey, credential: bytes) -> None:
        """Wait for CHALLENGE and send AUTH."""
        challenge = self.receive().body
        signed = wire.to_sign(self._hello, challenge, self._pin, credential)
        self.socket.sendall(wire.encode(wire.AUTH, [credential, key.sign(signed)]))

    def enter(self) -> None:
        """Wait for WELCOME."""
        fields = self.receive().fields
        self.account, self.device = fields[1], fields[2]
        self.counter = fields[7]

    def next_op(self) -> bytes:
        """Return a new operation id."""
        self.counter += 1
        return self.device + self.counter.to_bytes(8, "big")

    def ask(self, kind: int, fields: list[Any]) -> None:
        """Send a request; its answer comes in order."""
        self.socket.sendall(wire.encode(kind, fields, 1))

    def settle(self) -> None:
        """Tell the server that no operation so far will be sent again."""
        self.socket.sendall(wire.encode(wire.ACK, [[], self.counter + 1]))


def _secure(plain: socket.socket, pin: bytes) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin decides, below
    secured = context.wrap_socket(plain)
    certificate = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if sha256(spki).digest() != pin:
        raise RefusedError("the server shows another key than the invite says")
    return secured


def seed_of(name: str, number: int) -> bytes:
    """Return the seed of a device's key: the same for the same name and number."""
    return sha256(f"wxserve bench {name} {number}".encode()).digest()


def enrol(server: Server, invites: Sequence[wire.Invite], name: str) -> list[Device]:
    """Enrol one new account with one device for each invite.

    Args:
        server: where.
        invites: unused ones.
        name: makes the keys, and must be new to this server.

    Raises:
        RefusedError: the server does not take one of them.
    """
    devices: list[Device] = []
    for start in range(0, len(invites), AT_ONCE):
        group = [(start + at, one) for at, one in enumerate(invites[start : start + AT_ONCE])]
        seeds = [seed_of(name, number) for number, _ in group]
        keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        with clients(server, len(group)) as opened:
            for client in opened:
                client.greet()
            for client, key, (number, invite) in zip(opened, keys, group, strict=True):
                public = key.public_key().public_bytes_raw()
                name_of = f"bench {number}"
                client.authenticate(key, wire.enrolment_credential(invite.code, public, name_of))
            for client, seed in zip(opened, seeds, strict=True):
                client.enter()
                devices.append(Device(client.account, client.device, seed))
    return devices


@contextlib.contextmanager
def clients(server: Server, count: int) -> Iterator[list[Client]]:
    """Open connections; they are closed in the end."""
    with contextlib.ExitStack() as stack:
        opened = []
        for number in range(count):
            client = Client(server, number)
            stack.callback(client.close)
            opened.append(client)
        yield opened


@contextlib.contextmanager
def logged_in(server: Server, devices: Sequence[Device]) -> Iterator[list[Client]]:
    """Log devices in; they are logged out in the end.

    Raises:
        RefusedError: the server does not take one of them.
    """
    with clients(server, len(devices)) as opened:
        for client in opened:
            client.greet()
        for client, device in zip(opened, devices, strict=True):
            key = Ed25519PrivateKey.from_private_bytes(device.key)
            client.authenticate(key, wire.device_credential(device.account, device.id))
        for client in opened:
            client.enter()
        yield opened


def create_directs(server: Server, pairs: Sequence[tuple[Device, Device]]) -> list[bytes]:
    """Create the direct conversation of each pair; return their ids.

    Raises:
        RefusedError: the server does not create one.
    """
    for start in range(0, len(pairs), AT_ONCE):
        group = pairs[start : start + AT_ONCE]
        with logged_in(server, [one for one, _ in group]) as opened:
            for client, (_, other) in zip(opened, group, strict=True):
                fields = [client.next_op(), wire.DIRECT, [other.account], b""]
                client.ask(wire.CREATE, fields)
            for client in opened:
                client.receive()
                client.settle()
    return [wire.direct_conversation(one.account, other.account) for one, other in pairs]


def create_group(server: Server, members: Sequence[Device]) -> bytes:
    """Create a group of the first device that all others join; return its id.

    Raises:
        RefusedError: the server does not create it, or one cannot join.
    """
    with logged_in(server, members[:1]) as (owner,):
        op = owner.next_op()
        others = [member.account for member in members[1:]]
        owner.ask(wire.CREATE, [op, wire.GROUP, others, b""])
        owner.receive()
        owner.settle()
    conversation = wire.group_conversation(op)
    for start in range(1, len(members), AT_ONCE):
        with logged_in(server, members[start : start + AT_ONCE]) as opened:
            for client in opened:
                client.ask(wire.ACCEPT, [client.next_op(), conversation])
            for client in opened:
                client.receive()
                client.settle()
    return conversation

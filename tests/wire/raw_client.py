"""A blocking client on a bare socket, for tests that misbehave on purpose."""

import socket
import ssl
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wxserve.protocol import frames as f
from wxserve.protocol.connection import Connection, Received
from wxserve.protocol.credentials import (
    DEVICE_KEY,
    ENROLMENT,
    INVITE_VERIFIER,
    Credential,
    DeviceKey,
    Enrolment,
    encode_credential,
)
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, op_id
from wxserve.protocol.states import Role
from wxserve.protocol.transcript import NO_BINDING, Binding, spki_binding

F = TypeVar("F", bound=tuple[object, ...])
TIMEOUT_S = 20.0


class RawClient:
    """One connection.

    Attributes:
        sock: the socket, plain or TLS.
        connection: the protocol state machine, which a test may go around.
        binding: of this channel.
        sent: everything that was sent, frame by frame.
    """

    def __init__(self, host: str, port: int, *, tls: bool) -> None:
        plain = socket.create_connection((host, port), TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: socket.socket = plain
        self.binding: Binding = NO_BINDING
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            wrapped = context.wrap_socket(plain)
            self.sock = wrapped
            certificate = x509.load_der_x509_certificate(wrapped.getpeercert(True) or b"")
            self.binding = spki_binding(
                certificate.public_key().public_bytes(
                    Encoding.DER, PublicFormat.SubjectPublicKeyInfo
                )
            )
        self.connection = Connection(Role.CLIENT)
        self.sent: list[bytes] = []
        self._waiting: list[Received] = []

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def send(self, frame: f.Frame, stream: int = 0) -> None:
        """Send one legal frame."""
        self.send_bytes(self.connection.send(frame, stream))

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self.sent.append(data)
        self.sock.sendall(data)

    def receive(self) -> Received | None:
        """Return the next frame; None when the server has hung up."""
        while not self._waiting:
            try:
                data = self.sock.recv(65_536)
            except (ConnectionResetError, ssl.SSLError):
                return None
            if not data:
                return None
            self.connection.receive_data(data)
            while (event := self.connection.next_event()) is not None:
                self._waiting.append(event)
        return self._waiting.pop(0)

    def wait_for(self, kind: type[F], stream: int = 0) -> F:
        """Return the next frame of a class on a stream; others are dropped."""
        while (event := self.receive()) is not None:
            if event.stream == stream and isinstance(event.frame, kind):
                return event.frame
            assert not isinstance(event.frame, f.Error), event
        raise AssertionError("the server hung up")

    def final_error(self) -> f.Error:
        """Return the ERROR that ends the connection, and check that it does."""
        error = None
        while (event := self.receive()) is not None:
            if isinstance(event.frame, f.Error):
                error = event.frame
        self.close()
        assert error is not None
        return error

    def challenge(self) -> f.Challenge:
        """Do the first half of the handshake."""
        self.send(f.Hello(((1, 0),), bytes(32), "raw"))
        return self.wait_for(f.Challenge)

    def authenticate(self, credential: Credential, key: Ed25519PrivateKey) -> None:
        """Do the second half; the answer is left to be received."""
        data = encode_credential(credential)
        signed = self.connection.transcript.to_sign(self.binding, data)
        self.send(f.Auth(data, key.sign(signed)))


class RawDevice:
    """An enrolled device that connects with bare sockets."""

    def __init__(self, host: str, port: int, *, tls: bool = True) -> None:
        self.host, self.port, self.tls = host, port, tls
        self.key = Ed25519PrivateKey.generate()
        self.account = AccountId(b"")
        self.device = DeviceId(b"")
        self.counter = 0

    def connect(self) -> RawClient:
        """Open a connection and get its challenge."""
        client = RawClient(self.host, self.port, tls=self.tls)
        client.challenge()
        return client

    def enrolment(self, code: bytes) -> Enrolment:
        """Return the credential that enrols this device's key."""
        public = self.key.public_key().public_bytes_raw()
        return Enrolment(ENROLMENT, INVITE_VERIFIER, code, public, "raw", "raw")

    def enrol(self, code: bytes) -> RawClient:
        """Enrol; return the open session."""
        client = self.connect()
        client.authenticate(self.enrolment(code), self.key)
        welcome = client.wait_for(f.Welcome)
        self.account, self.device = welcome.account, welcome.device
        return client

    @property
    def credential(self) -> DeviceKey:
        """The credential of later log-ins."""
        return DeviceKey(DEVICE_KEY, self.account, self.device)

    def log_in(self) -> RawClient:
        """Log in; return the open session."""
        client = self.connect()
        client.authenticate(self.credential, self.key)
        client.wait_for(f.Welcome)
        return client

    def message(self, client: RawClient, conversation: ConversationId, body: bytes) -> f.Accepted:
        """Send a message and return its acceptance."""
        self.counter += 1
        op = op_id(self.device, self.counter)
        stream = self.counter % 65_535 + 1
        client.send(f.Send(encode_envelope(message(conversation, op, body))), stream)
        return client.wait_for(f.Accepted, stream)

    def create_direct(self, client: RawClient, peer: AccountId) -> ConversationId:
        """Create the direct conversation with another account."""
        self.counter += 1
        create = f.Create(op_id(self.device, self.counter), 1, (peer,), b"")
        client.send(create, 1)
        return client.wait_for(f.Accepted, 1).conversation

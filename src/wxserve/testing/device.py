"""A device for tests: speaks frames to an in-memory server, keeps what it hears, hides nothing."""

from typing import TypeVar

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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
from wxserve.protocol.envelope import Kind, decode_envelope, encode_envelope, message
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, OpId, op_id
from wxserve.protocol.states import Role
from wxserve.protocol.transcript import NO_BINDING
from wxserve.router.link import Link

from .memory import MemoryServer

F = TypeVar("F", bound=f.Frame)


class TestDevice:
    """One device. Its methods return when the answer is there; pushes gather in ``heard``.

    Attributes:
        account: after enrolment.
        device: after enrolment.
        counter: of the last operation.
        heard: frames on stream 0, in order.
        welcome: of the current session.
    """

    __test__ = False

    def __init__(self, server: MemoryServer, name: str = "test") -> None:
        self.server = server
        self.name = name
        self.key = Ed25519PrivateKey.from_private_bytes(server.entropy(32))
        self.account = AccountId(b"")
        self.device = DeviceId(b"")
        self.counter = 0
        self.heard: list[f.Frame] = []
        self.welcome: f.Welcome | None = None
        self._answers: dict[int, list[Received]] = {}
        self._stream = 0
        self.link: Link
        self.connection: Connection

    # -- the connection ------------------------------------------------------------------------

    def connect(self) -> None:
        """Open a connection; nothing is sent yet."""
        self.link = self.server.connect()
        self.connection = Connection(Role.CLIENT)
        self.heard = []
        self._answers = {}

    def disconnect(self) -> None:
        """Lose the connection."""
        self.link.lost()

    def send_frame(self, frame: f.Frame, stream: int = 0) -> None:
        """Send one frame."""
        self.link.receive(self.connection.send(frame, stream))

    def pump(self) -> list[Received]:
        """Take what the server wrote; return the frames, also kept where they belong."""
        if self.link.outgoing_bytes:
            self.connection.receive_data(self.link.take())
        events: list[Received] = []
        while (event := self.connection.next_event()) is not None:
            events.append(event)
            if event.stream:
                self._answers.setdefault(event.stream, []).append(event)
            else:
                self.heard.append(event.frame)
        return events

    async def wait_for(self, kind: type[F], stream: int = 0) -> F:
        """Return the next frame of a class on a stream; anything else there is kept or dropped.

        Raises:
            AssertionError: an ERROR came instead, or the link ended.
        """
        while True:
            self.pump()
            found = self._take(kind, stream)
            if found is not None:
                return found
            if self.link.closing and not self.link.outgoing_bytes:
                raise AssertionError(f"the link ended: {self.heard[-1:]}")
            await trio.sleep(0.005)

    def _take(self, kind: type[F], stream: int) -> F | None:
        if stream:
            answers = self._answers.get(stream, [])
            for event in answers:
                if isinstance(event.frame, kind):
                    answers.remove(event)
                    return event.frame
                if isinstance(event.frame, f.Error):
                    raise RefusedError(event.frame)
            return None
        for index, frame in enumerate(self.heard):
            if isinstance(frame, kind):
                del self.heard[index]
                return frame
        return None

    async def request(self, frame: f.Frame, answer: type[F]) -> F:
        """Send a request and return its answer.

        Raises:
            RefusedError: the server answered with ERROR.
        """
        stream = self.next_stream()
        self.send_frame(frame, stream)
        return await self.wait_for(answer, stream)

    def next_stream(self) -> int:
        """Return an unused stream number."""
        self._stream = self._stream % 65_535 + 1
        return self._stream

    def answers(self, stream: int) -> list[Received]:
        """Return what came on a stream so far."""
        self.pump()
        return self._answers.get(stream, [])

    # -- the handshake -------------------------------------------------------------------------

    async def enrol(self, account: AccountId | None = None) -> "TestDevice":
        """Connect and enrol with a new invite."""
        self.connect()
        code = self.server.invites.issue(3600, account)
        public = self.key.public_key().public_bytes_raw()
        await self.authenticate(
            Enrolment(ENROLMENT, INVITE_VERIFIER, code, public, self.name, self.name)
        )
        return self

    async def log_in(self) -> "TestDevice":
        """Connect and log in with the device key."""
        self.connect()
        await self.authenticate(DeviceKey(DEVICE_KEY, self.account, self.device))
        return self

    async def authenticate(self, credential: Credential) -> None:
        """Do the handshake on an open connection."""
        hello = f.Hello(((1, 0),), bytes(32), "test")
        self.send_frame(hello)
        await self.wait_for(f.Challenge)
        data = encode_credential(credential)
        signed = self.connection.transcript.to_sign(NO_BINDING, data)
        self.send_frame(f.Auth(data, self.key.sign(signed)))
        self.welcome = await self.wait_for(f.Welcome)
        self.account, self.device = self.welcome.account, self.welcome.device

    # -- doing things --------------------------------------------------------------------------

    def next_op(self) -> OpId:
        """Return a new operation id."""
        self.counter += 1
        return op_id(self.device, self.counter)

    async def sync(self, since: int = 0, limit: int = 256) -> list[f.ConversationState]:
        """Synchronise; return the changed conversations. Pushes follow in ``heard``."""
        stream = self.next_stream()
        self.send_frame(f.Sync(since, limit), stream)
        states: list[f.ConversationState] = []
        more = True
        while more:
            page = await self.wait_for(f.Changes, stream)
            states += page.conversations
            more = page.more
        return states

    async def message(
        self, conversation: ConversationId, body: bytes, op: OpId | None = None
    ) -> f.Accepted:
        """Send a message and return its acceptance."""
        envelope = encode_envelope(message(conversation, op or self.next_op(), body))
        return await self.request(f.Send(envelope), f.Accepted)

    async def create_direct(self, peer: "TestDevice") -> ConversationId:
        """Create, or find, the direct conversation with another device's account."""
        create = f.Create(self.next_op(), 1, (peer.account,), b"")
        return (await self.request(create, f.Accepted)).conversation

    async def create_group(self, *peers: "TestDevice") -> ConversationId:
        """Create a group that all peers join."""
        accounts = tuple(peer.account for peer in peers)
        create = f.Create(self.next_op(), 2, accounts, b"")
        conversation = (await self.request(create, f.Accepted)).conversation
        for peer in peers:
            await peer.request(f.Accept(peer.next_op(), conversation), f.Accepted)
        return conversation

    async def bodies(self, conversation: ConversationId, count: int) -> list[bytes]:
        """Return the bodies of the next messages pushed in a conversation."""
        found: list[bytes] = []
        while len(found) < count:
            deliver = await self.wait_for(f.Deliver)
            if deliver.conversation == conversation:
                envelope = decode_envelope(deliver.envelope)
                if envelope.kind == Kind.MESSAGE:
                    found.append(envelope.body)
        return found


class RefusedError(AssertionError):
    """The server answered with ERROR.

    Attributes:
        error: the frame.
    """

    def __init__(self, error: f.Error) -> None:
        super().__init__(f"{error.code} {error.detail}")
        self.error = error

"""A server in memory, on the same protocol room, that can be told to misbehave.

It keeps the rules a client may rely on: one entry per operation, gapless numbers, cursors, credit,
and the checks on what a client may say. It has no policy and knows no groups' roles: every account
may write everywhere. Synchronous and without I/O; a ``FakeLink`` is one connection.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from wxclient._protocol import frames as f
from wxclient._protocol.envelope import (
    ENVELOPE_VERSION,
    ConversationKind,
    Envelope,
    Kind,
    decode_envelope,
    encode_envelope,
)
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import Refusal
from wxclient._protocol.frames import Accepted, Deliver, Error
from wxclient._protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    OpId,
    Sender,
    direct_conversation,
    group_conversation,
    notice_conversation,
    op_counter,
    self_conversation,
    sender_of,
)
from wxclient._protocol.packing import pack
from wxclient._protocol.transcript import NO_BINDING, Binding

CODE = b"invite code"


@dataclass
class FakeDevice:
    """A device the server knows."""

    id: DeviceId
    account: AccountId
    public_key: bytes
    name: str
    op_last: int = 0
    op_floor: int = 1
    cursors: dict[ConversationId, int] = field(default_factory=dict)
    ops: dict[int, tuple[bytes, Accepted]] = field(default_factory=dict)
    blocked: dict[ConversationId, int] = field(default_factory=dict)
    state: int = 1


@dataclass
class FakeConversation:
    """One log. ``gone`` maps entries that are told as SKIP to the reason."""

    id: ConversationId
    kind: ConversationKind
    accounts: list[AccountId]
    entries: list[Deliver] = field(default_factory=list)
    gone: dict[int, int] = field(default_factory=dict)
    first: int = 1


@dataclass
class Behaviour:
    """What the server does wrong, or slowly, on purpose.

    Attributes:
        refusals: answers to the next operations, None for "carry it out".
        lose_accepted: carry out so many operations and cut the connection before answering.
        lose_welcome: cut the connection in place of WELCOME.
        current: answer with CURRENT instead of DELIVER when it may.
        heartbeat: bounds in WELCOME, seconds.
        credit: window in WELCOME, bytes and entries.
        ops_in_flight_max: in WELCOME.
        synced: answer with SYNCED when there is nothing more to send.
        forget_acks: cursors are not stored, so that everything comes again.
    """

    refusals: list[Refusal | None] = field(default_factory=list)
    lose_accepted: int = 0
    lose_welcome: bool = False
    current: bool = True
    heartbeat: tuple[int, int] = (10, 300)
    credit: tuple[int, int] = (1 << 20, 1000)
    ops_in_flight_max: int = 64
    synced: bool = True
    forget_acks: bool = False


class FakeServer:
    """Accounts, devices, logs; what a real server would have on disk."""

    def __init__(self, binding: Binding = NO_BINDING) -> None:
        self.binding = binding
        self.behaviour = Behaviour()
        self.timeline = b"timeline-0000001"
        self.cuts: tuple[tuple[bytes, int], ...] = ()
        self.position = 0
        self.now_ms = 1_700_000_000_000
        self.devices: dict[DeviceId, FakeDevice] = {}
        self.codes: dict[bytes, AccountId | None] = {CODE: None}
        self.used: dict[bytes, DeviceId] = {}
        self.conversations: dict[ConversationId, FakeConversation] = {}
        self.registers: dict[tuple[AccountId, ConversationId, str], f.Register] = {}
        self.links: list[FakeLinkLike] = []
        self.ops_log: list[tuple[DeviceId, int]] = []
        self.client_faults: list[str] = []

    def _new_id(self, size: int, label: str) -> bytes:
        return sha256(f"{label} {len(self.devices)}".encode()).digest()[:size]

    # -- accounts and devices ------------------------------------------------------------------

    def enrol(self, code: bytes, public_key: bytes, name: str) -> FakeDevice:
        """Enrol a device, or return it if the same key comes with the same code."""
        if code not in self.codes:
            raise Refusal(ErrorCode.INVITE_INVALID)
        if code in self.used:
            device = self.devices[self.used[code]]
            if device.public_key != public_key:
                raise Refusal(ErrorCode.INVITE_USED)
            return device
        account = self.codes[code] or self.new_account()
        device = self.new_device(account, public_key, name)
        self.used[code] = device.id
        return device

    def new_account(self) -> AccountId:
        """Make an account with its own two conversations."""
        account = AccountId(self._new_id(16, f"account {self.position} {len(self.conversations)}"))
        own = self_conversation(account)
        self.conversations[own] = FakeConversation(own, ConversationKind.SELF, [account])
        notice = notice_conversation(account)
        self.conversations[notice] = FakeConversation(notice, ConversationKind.NOTICE, [account])
        return account

    def new_device(self, account: AccountId, public_key: bytes, name: str = "") -> FakeDevice:
        """Make a device."""
        device = FakeDevice(DeviceId(self._new_id(8, "device")), account, public_key, name)
        self.devices[device.id] = device
        return device

    def online(self, device: DeviceId) -> "list[FakeLinkLike]":
        """Return the open links of a device."""
        return [link for link in self.links if link.device is not None and link.device.id == device]

    # -- logs ----------------------------------------------------------------------------------

    def visible(self, account: AccountId) -> list[FakeConversation]:
        """Return the conversations of an account in a fixed order."""
        return [c for c in self.conversations.values() if account in c.accounts]

    def append(
        self, conversation: ConversationId, sender: Sender | None, envelope: bytes
    ) -> Deliver:
        """Append an entry and push it to everybody but those who get it with their answer."""
        log = self.conversations[conversation]
        self.position += 1
        self.now_ms += 1
        entry = Deliver(
            conversation,
            len(log.entries) + 1,
            self.position,
            self.now_ms,
            sender,
            b"",
            envelope,
        )
        log.entries.append(entry)
        return entry

    def say(self, conversation: ConversationId, body: bytes, sender: Sender | None = None) -> int:
        """Append a message of somebody else and push it; return its seq."""
        if conversation not in self.conversations:
            raise KeyError(conversation)
        entry = self.append(conversation, sender, message(conversation, body))
        self.push()
        return entry.seq

    def push(self) -> None:
        """Send whatever each session may get now."""
        for link in tuple(self.links):
            link.pump()

    def direct(self, one: AccountId, other: AccountId) -> ConversationId:
        """Return the direct conversation of two accounts, made if need be."""
        conversation = direct_conversation(one, other)
        if conversation not in self.conversations:
            self.conversations[conversation] = FakeConversation(
                conversation, ConversationKind.DIRECT, [one, other]
            )
            self.speak(conversation, Kind.CREATED, (1, one, (one, other), b""), None)
        return conversation

    def speak(
        self,
        conversation: ConversationId,
        kind: Kind,
        body: tuple[object, ...],
        sender: Sender | None,
        op: OpId | None = None,
    ) -> Deliver:
        """Append an entry of the server's own kinds."""
        envelope = Envelope(
            ENVELOPE_VERSION,
            kind,
            conversation,
            0,
            0,
            0,
            op or OpId(bytes(16)),
            0,
            1,
            (),
            b"",
            pack(body),
        )
        return self.append(conversation, sender, encode_envelope(envelope))

    # -- operations ----------------------------------------------------------------------------

    def operate(self, device: FakeDevice, frame: f.Frame) -> Accepted:
        """Carry out an operation once: dedupe, order, then what the script says."""
        op, conversation = target(device, frame)
        counter, digest = op_counter(op), sha256(pack(frame)).digest()
        if op[:8] != device.id or counter == 0:
            raise Refusal(ErrorCode.OP_FOREIGN)
        if counter in device.ops:
            known, accepted = device.ops[counter]
            if known != digest:
                raise Refusal(ErrorCode.CONFLICT, seq=accepted.seq)
            return accepted
        if counter < device.op_floor:
            raise Refusal(ErrorCode.OP_EXPIRED)
        if counter >= device.op_floor + self.behaviour.ops_in_flight_max:
            raise Refusal(ErrorCode.OPS_IN_FLIGHT)
        if counter > device.blocked.get(conversation, counter):
            raise Refusal(ErrorCode.RETRY_ORDER)
        refusal = self.behaviour.refusals.pop(0) if self.behaviour.refusals else None
        if refusal is not None and refusal.temporary:
            device.blocked[conversation] = counter
            raise refusal
        if device.blocked.get(conversation, 0) >= counter:
            del device.blocked[conversation]
        if refusal is not None:
            raise refusal
        return self._carry_out(device, frame, op, conversation, digest)

    def _carry_out(
        self,
        device: FakeDevice,
        frame: f.Frame,
        op: OpId,
        conversation: ConversationId,
        digest: bytes,
    ) -> Accepted:
        counter = op_counter(op)
        entry = self._apply(device, frame, op, conversation)
        accepted = Accepted(op, conversation, entry.seq, entry.position, entry.time_ms)
        device.ops[counter] = digest, accepted
        device.op_last = max(device.op_last, counter)
        self.ops_log.append((device.id, counter))
        return accepted

    def _apply(
        self, device: FakeDevice, frame: f.Frame, op: OpId, conversation: ConversationId
    ) -> Deliver:
        sender = sender_of(device.account, device.id)
        if isinstance(frame, f.Send):
            if conversation not in self.conversations:
                raise Refusal(ErrorCode.FORBIDDEN)
            return self.append(conversation, sender, frame.envelope)
        if isinstance(frame, f.Create):
            known = self.conversations.get(conversation)
            if known is not None:
                return known.entries[0]
            kind = ConversationKind(frame.kind)
            accounts = [device.account, *frame.members]
            self.conversations[conversation] = FakeConversation(conversation, kind, accounts)
            body = (int(kind), device.account, tuple(accounts), frame.body)
            return self.speak(conversation, Kind.CREATED, body, sender, op)
        if isinstance(frame, f.Redact):
            self.conversations[conversation].gone[frame.seq] = 2
            return self.speak(conversation, Kind.REDACTED, (frame.seq,), sender, op)
        if isinstance(frame, f.Invite):
            self.conversations[conversation].accounts.extend(frame.accounts)
        return self.speak(conversation, Kind.MEMBERSHIP, (2, (device.account,), 1), sender, op)


def target(device: FakeDevice, frame: f.Frame) -> tuple[OpId, ConversationId]:
    """Return the operation and the conversation of a frame."""
    if isinstance(frame, f.Send):
        envelope = decode_envelope(frame.envelope)
        return envelope.op, envelope.conversation
    if isinstance(frame, f.Create):
        if frame.kind == ConversationKind.DIRECT:
            return frame.op, direct_conversation(device.account, frame.members[0])
        return frame.op, group_conversation(frame.op)
    assert isinstance(
        frame, f.Invite | f.Accept | f.Leave | f.Remove | f.SetRole | f.Close | f.Redact
    )
    return frame.op, frame.conversation


def message(conversation: ConversationId, body: bytes, op: OpId | None = None) -> bytes:
    """Return the envelope of a message."""
    return encode_envelope(
        Envelope(
            ENVELOPE_VERSION,
            Kind.MESSAGE,
            conversation,
            0,
            0,
            0,
            op or OpId(bytes(16)),
            0,
            1,
            (),
            b"",
            body,
        )
    )


class FakeLinkLike:
    """What the server needs of a link."""

    device: FakeDevice | None = None

    def pump(self) -> None:
        """Send what may go now."""

    def tell(self, frame: f.Frame) -> None:
        """Send a frame on stream 0."""


__all__ = ["CODE", "Behaviour", "Error", "FakeConversation", "FakeDevice", "FakeServer"]

"""The values that are made durable, and the batch in which they are.

The core never writes: it gathers what must become durable in a ``Batch``. Whoever drives it stores
the batch in one transaction and tells it so; only then follow acknowledgements, credit, the first
sending of an operation, and the events that speak of them.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from ._protocol.envelope import ConversationKind
from ._protocol.frames import Accepted, ConversationState, Error, Frame, Register
from ._protocol.identifiers import AccountId, ConversationId, DeviceId, OpId, Sender
from .events import Event


class Identity(NamedTuple):
    """Who this device is and where its server is.

    Attributes:
        private_key: 32 bytes, Ed25519.
        host: of the server.
        port: of the server.
        tls: False only for plain TCP on loopback.
        pins: SHA-256 of each acceptable SubjectPublicKeyInfo.
        code: the invite code; empty once enrolled.
        account_name: asked for at enrolment.
        device_name: asked for at enrolment.
        account: None until enrolled.
        device: None until enrolled.
        timeline: of the server's history; empty until enrolled.
    """

    private_key: bytes
    host: str
    port: int
    tls: bool
    pins: tuple[bytes, ...]
    code: bytes
    account_name: str
    device_name: str
    account: AccountId | None = None
    device: DeviceId | None = None
    timeline: bytes = b""


class OutboxRow(NamedTuple):
    """An operation that waits for its acceptance, as it was first encoded."""

    counter: int
    conversation: ConversationId
    frame: Frame
    flags: int
    body_bytes: int


class Outcome(NamedTuple):
    """How an operation ended: accepted, or refused for good."""

    counter: int
    op: OpId
    accepted: Accepted | None
    refused: Error | None


class EntryRow(NamedTuple):
    """An entry as it was received.

    Attributes:
        kind: of the envelope; 0 if this version cannot read it.
        op: of the envelope, nil if it has none.
        own: sent by this very device.
        envelope: the bytes as the sender wrote them.
    """

    conversation: ConversationId
    seq: int
    position: int
    time_ms: int
    sender: Sender | None
    tag: bytes
    kind: int
    op: OpId
    own: bool
    envelope: bytes


class Gap(NamedTuple):
    """Entries that this device will not get: ``first`` … ``through``.

    Attributes:
        reason: of SKIP; 255 for entries that are gone by age (TOO_FAR).
    """

    conversation: ConversationId
    first: int
    through: int
    reason: int


class Enrolled(NamedTuple):
    """What WELCOME gave to a new device."""

    account: AccountId
    device: DeviceId
    timeline: bytes


class Snapshot(NamedTuple):
    """Everything the core must know of the durable state when it starts.

    Attributes:
        identity: who we are.
        op_next: the counter that no operation has used yet.
        position: the resume position.
        outbox: operations that were not settled, ascending.
        received: per conversation, received through.
        clipped: conversations of which more may have been received that the server has, too: their
            runs go on with whatever comes.
    """

    identity: Identity
    op_next: int
    position: int
    outbox: tuple[OutboxRow, ...]
    received: dict[ConversationId, int]
    clipped: frozenset[ConversationId]


@dataclass(slots=True)
class Batch:
    """What must become durable in one transaction, and what may happen afterwards.

    Attributes:
        session: in which connection it was received; acknowledgements are void in another.
        enrolled: set by the first WELCOME.
        op_next: the counter that no operation has used yet; 0 for unchanged.
        ops: new operations.
        outcomes: operations that ended.
        entries: new entries, in the order in which they came.
        gaps: new gaps.
        received: per conversation, received through.
        resumed: per clipped conversation, where its run went on: no gap from there on holds.
        conversations: changed conversations as the server lists them.
        kinds: what kind newly met conversations are.
        registers: changed registers.
        position: the resume position; None for unchanged.
        seen: per conversation, what may be acknowledged once this is durable.
        credit_bytes: to be granted again once this is durable.
        credit_entries: to be granted again once this is durable.
        events: to be told once this is durable.
    """

    session: int
    enrolled: Enrolled | None = None
    op_next: int = 0
    ops: list[OutboxRow] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    received: dict[ConversationId, int] = field(default_factory=dict)
    resumed: dict[ConversationId, int] = field(default_factory=dict)
    conversations: dict[ConversationId, ConversationState] = field(default_factory=dict)
    kinds: dict[ConversationId, ConversationKind] = field(default_factory=dict)
    registers: list[Register] = field(default_factory=list)
    position: int | None = None
    seen: dict[ConversationId, int] = field(default_factory=dict)
    credit_bytes: int = 0
    credit_entries: int = 0
    events: list[Event] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing waits for durability."""
        return not (self.durable or self.seen or self.credit_entries or self.events)

    @property
    def durable(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.enrolled or self.op_next or self.ops or self.outcomes or self.entries
            or self.gaps or self.received or self.conversations or self.kinds or self.registers
            or self.position is not None
        )  # fmt: skip

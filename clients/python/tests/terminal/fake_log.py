"""Conversations as a fake server would keep them, and entries as the SDK gives them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from wxclient import (
    AccountId,
    Change,
    ConversationId,
    ConversationKind,
    DeviceId,
    Entry,
    Gap,
    Kind,
    OpId,
)
from wxclient._protocol.envelope import ENVELOPE_VERSION, Envelope, encode_envelope
from wxclient._protocol.identifiers import op_id, sender_of
from wxclient._protocol.packing import pack

TIMELINE = b"t" * 16
NOON_MS = 1_767_268_800_000
"""2026-01-01 12:00 UTC; each entry is taken a minute after the one before."""
MINUTE_MS = 60_000


def account(number: int) -> AccountId:
    """Return an account that is easy to tell from others."""
    return AccountId(bytes([number]) * 16)


def device(number: int) -> DeviceId:
    """Return a device that is easy to tell from others."""
    return DeviceId(bytes([number]) * 8)


@dataclass
class FakeLog:
    """One conversation."""

    conversation: ConversationId
    kind: ConversationKind
    own_device: DeviceId
    clock: "count[int]" = field(default_factory=count)
    entries: list[Entry] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    joined: bool = True
    read: int = 0
    head: int = 0

    @property
    def received(self) -> int:
        """Return through what it was received."""
        return self.head

    def skip(self, through: int, reason: int) -> None:
        """Tell that entries will not come."""
        self.gaps.append(Gap(self.conversation, self.head + 1, through, reason))
        self.head = through

    def append(
        self, sender: AccountId, body: bytes, kind: int = Kind.MESSAGE, op: OpId | None = None
    ) -> Entry:
        """Append an entry, of another device unless ``op`` is one's own."""
        number = next(self.clock)
        own = op is not None
        from_device = self.own_device if own else DeviceId(sender[:8])
        op = op if op is not None else op_id(from_device, number + 1)
        envelope = Envelope(
            ENVELOPE_VERSION, kind, self.conversation, 0, 0, 0, op, 0, 1, (), b"", body
        )
        self.head += 1
        entry = Entry(
            TIMELINE, self.conversation, self.head, number + 1, NOON_MS + number * MINUTE_MS,
            sender_of(sender, from_device), kind, op, own, redacted=False,
            envelope=encode_envelope(envelope),
        )  # fmt: skip
        self.entries.append(entry)
        return entry

    def create(
        self, creator: AccountId, members: Sequence[AccountId], body: bytes = b"",
        op: OpId | None = None,
    ) -> Entry:  # fmt: skip
        """Append the entry that begins the conversation."""
        data = pack((int(self.kind), creator, tuple(members), body))
        return self.append(creator, data, Kind.CREATED, op)

    def member(
        self, change: Change, actor: AccountId, accounts: Sequence[AccountId],
        op: OpId | None = None,
    ) -> Entry:  # fmt: skip
        """Append an entry that says who joined, left, was invited or removed."""
        return self.append(actor, pack((int(change), tuple(accounts), 1)), Kind.MEMBERSHIP, op)

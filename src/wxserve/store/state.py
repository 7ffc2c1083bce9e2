"""What the store knows in memory: values that units of work read and produce."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    OpId,
    Sender,
    device_conversation,
)

OPEN: Final = 0
"""The last sequence number of an interval that has no end yet."""
Intervals = tuple[tuple[int, int], ...]
"""Visible ranges, ascending: (first seq, last seq or OPEN)."""
PER_DEVICE_KINDS: Final = frozenset({
    ConversationKind.DIRECT, ConversationKind.GROUP, ConversationKind.SELF, ConversationKind.DEVICE,
})  # fmt: skip
"""Kinds whose entries a device sees only from its own enrolment on."""


CLIENT_KINDS: Final = frozenset({
    ConversationKind.DIRECT, ConversationKind.GROUP, ConversationKind.SELF,
})  # fmt: skip
"""Kinds of conversation that a device may write to by SEND."""


class MemberState(IntEnum):
    """Where an account stands in a conversation."""

    GONE = 0
    INVITED = 1
    JOINED = 2


class Role(IntEnum):
    """What a member may do."""

    NONE = 0
    MEMBER = 1
    ADMINISTRATOR = 2
    OWNER = 3


class Member(NamedTuple):
    """One account in one conversation.

    Attributes:
        role: see ``Role``.
        state: see ``MemberState``.
        intervals: what it may read.
        changed_position: commit position of the last change of this row.
    """

    role: int
    state: int
    intervals: Intervals
    changed_position: int


@dataclass(slots=True, eq=False)
class Conversation:
    """A conversation as committed. Replaced, never edited, when its members change."""

    id: ConversationId
    kind: ConversationKind
    closed: bool
    head: int
    position: int
    floor: int
    created: tuple[int, int]
    members: dict[AccountId, Member]
    blocked: frozenset[AccountId] = frozenset()
    joined: tuple[AccountId, ...] = field(init=False)
    takes_messages: bool = field(init=False)

    def __post_init__(self) -> None:
        self.takes_messages = self.kind in CLIENT_KINDS
        self.joined = tuple(
            account
            for account, member in self.members.items()
            if member.state == MemberState.JOINED
        )

    def visible_to(self, account: AccountId, device: DeviceId) -> bool:
        """Whether the device may see new entries."""
        if self.kind is ConversationKind.DEVICE:
            return self.id == device_conversation(device)
        member = self.members.get(account)
        return member is not None and member.state == MemberState.JOINED


@dataclass(slots=True, eq=False)
class Device:
    """A device as committed, with its operations above the floor.

    Attributes:
        ops: by counter the answer that each was given.
        awake_ms: running time at which it was last heard of, written or about to be.
        seen_ms: wall clock of its last log-in, the same.
        op_position: position of the newest entry by this device, to know what is merged.
        op_rows: whether the tables may hold operations of it.
    """

    id: DeviceId
    account: AccountId
    public_key: bytes
    first_position: int
    revoked: bool
    op_last: int
    op_floor: int
    ops: dict[int, Accepted]
    awake_ms: int = 0
    seen_ms: int = 0
    op_position: int = 0
    op_rows: bool = False


class Turn(NamedTuple):
    """An operation's place in the order of its device in a conversation."""

    device: DeviceId
    conversation: ConversationId
    counter: int


Content = tuple[OpId | None, bytes, bytes | None, int, int]
"""What an entry is made of: the operation that made it, None for none; the bytes to forward; the
digest of the operation's content, None if that is these bytes; seconds to live, 0 for the usual time;
header flags of DELIVER."""


class Append(NamedTuple):
    """One message to append: data, not code, because it is the hot path.

    Attributes:
        account: of the session.
        device: of the session.
        counter: of the operation.
        op: the operation id, which begins with the device.
        conversation: where to.
        envelope: the bytes to forward.
        ttl_s: 0 keeps the entry for the usual time.
        flags: header flags for DELIVER.
        unadmitted: the refusal to give if the operation is neither known nor forbidden.
        context: whatever the submitter needs to find its way back.
        stream: the same, a number.
        done: called in the event loop with this value and the outcome, in commit order.
    """

    account: AccountId
    device: DeviceId
    counter: int
    op: OpId
    conversation: ConversationId
    envelope: bytes
    ttl_s: int
    flags: int
    unadmitted: Refusal | None
    context: Any
    stream: int
    done: Callable[["Append", "Entry | Accepted | Refusal"], None]


class Entry(NamedTuple):
    """A committed entry on its way to the sessions.

    Attributes:
        conversation: its state at that point of the log.
        frame: the encoded DELIVER, the same for everybody.
        sender: nil when the server speaks.
        also: an account that is no member any more and sees this entry as its last.
        accepted: the answer to the sender.
    """

    conversation: Conversation
    seq: int
    position: int
    frame: bytes
    sender: Sender | None
    also: AccountId | None
    accepted: Accepted


def visible_through(intervals: Intervals, head: int) -> int:
    """Return the newest visible sequence number, 0 for none."""
    if not intervals:
        return 0
    last = intervals[-1][1]
    return head if last == OPEN else min(last, head)


def clip(intervals: Intervals, seq: int, head: int) -> tuple[int, int]:
    """Return the next visible run at or after ``seq``: (first, last); (0, 0) for none."""
    for first, last in intervals:
        end = head if last == OPEN else min(last, head)
        if end >= seq and end >= first:
            return max(first, seq), end
    return 0, 0

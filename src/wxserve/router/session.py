"""One authenticated device on one connection: what it was sent, and what it may be sent."""

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.frames import Register
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId
from wxserve.store.state import Conversation, Intervals

from .admission import Bucket


class Outlet(Protocol):
    """Where a session's frames go; ``link.Link`` is the one there is."""

    @property
    def outgoing_bytes(self) -> int:
        """How many bytes wait to be written."""
        ...

    def write(self, data: bytes) -> None:
        """Add encoded frames to what waits."""
        ...

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading from the peer."""
        ...


class Following(Enum):
    """Whether a session gets pushes."""

    NOTHING = 0
    SYNCING = 1
    LIVE = 2


class Lag:
    """A conversation that a session reads on from the log.

    Attributes:
        kind: of the conversation.
        intervals: what the account may see, as last committed.
        head: the last sequence number to send.
    """

    __slots__ = ("head", "intervals", "kind")

    def __init__(self, kind: ConversationKind, intervals: Intervals, head: int) -> None:
        self.kind = kind
        self.intervals = intervals
        self.head = head


class Session:
    """State of one device's session. Only conversations active since log-in cost anything.

    Attributes:
        sent: per conversation the last sequence number sent (or skipped).
        sent_before: the most it ever was before the last SYNC, if there was more than one.
        lagging: conversations to read on from the log, in the order of their turns.
        early: while synchronising, conversations that got entries, as of the newest.
        credit_bytes: left of the push window; may go below zero by one entry.
        credit_entries: left of the push window.
        reading: a read for a lagging conversation is under way.
        untold: something was pushed since the last SYNCED.
        submitted_bytes: envelopes that wait for their commit.
        requests: reads and administrative requests under way.
        reads: of these the reads whose turn has not come; None when there never was one.
        answering: the answer of one read is being made.
        registers: changed registers to tell, the last value each.
        registers_after: the table must still be told from this position on; None for nothing.
        registers_dropped: the same for what did not fit into ``registers``.
        registers_reading: a read of the table is under way.
        announced: conversations in which the device announced its presence.
        sends_prepaid: messages for which admission was charged in advance.
    """

    __slots__ = (
        "account", "announced", "answering", "buckets", "credit_bytes", "credit_entries", "device", "early",
        "first_position", "following", "id", "lagging", "link", "reading", "reads", "registers",
        "registers_after", "registers_dropped", "registers_reading", "requests",
        "sends_prepaid", "sent", "sent_before", "submitted_bytes", "untold",
    )  # fmt: skip

    def __init__(
        self, number: int, link: Outlet, account: AccountId, device: DeviceId, first_position: int
    ) -> None:
        self.id = number
        self.link = link
        self.account = account
        self.device = device
        self.first_position = first_position
        self.following = Following.NOTHING
        self.sent: dict[ConversationId, int] = {}
        self.sent_before: dict[ConversationId, int] = {}
        self.lagging: dict[ConversationId, Lag] = {}
        self.early: dict[ConversationId, Conversation] = {}
        self.credit_bytes = 0
        self.credit_entries = 0
        self.reading = False
        self.untold = False
        self.submitted_bytes = 0
        self.requests = 0
        self.reads: deque[Callable[[], None]] | None = None
        self.answering = False
        self.registers: dict[tuple[ConversationId, str], Register] = {}
        self.registers_after: int | None = None
        self.registers_dropped: int | None = None
        self.registers_reading = False
        self.announced: set[ConversationId] = set()
        self.buckets: dict[str, Bucket] = {}
        self.sends_prepaid = 0

    @property
    def has_registers(self) -> bool:
        """Whether a changed register was not told yet."""
        return (
            bool(self.registers)
            or self.registers_after is not None
            or self.registers_dropped is not None
        )

    @property
    def has_credit(self) -> bool:
        """Whether the client lets us push one more entry."""
        return self.credit_entries > 0 and self.credit_bytes > 0

    def begin_anew(self) -> None:
        """Forget what was sent, but for what may still be acknowledged."""
        before = self.sent_before
        for conversation, seq in self.sent.items():
            if seq > before.get(conversation, 0):
                before[conversation] = seq
        self.sent.clear()

    def end_read(self) -> None:
        """A read of this session gets its answer now: the next one may follow."""
        self.requests -= 1
        self.answering = False

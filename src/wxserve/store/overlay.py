"""What a batch adds to the committed state, applied to memory after its commit."""

from dataclasses import dataclass, field

from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, OpId

from .state import Conversation, Device, Entry


@dataclass(slots=True)
class Overlay:
    """What has been added so far, by a batch or by one unit of it.

    Attributes:
        position: the last commit position taken.
        time_ms: the time of the batch's entries.
        heads: (seq, position) of the newest entry, per conversation that got one.
        conversations: those made, changed or loaded.
        devices: those made, changed or loaded.
        ops: the answers of operations accepted.
        entries: in commit order.
        changed: accounts that see something else than an entry change, and where.
        positions_taken: a position was taken by what is no entry.
    """

    position: int
    time_ms: int
    heads: dict[ConversationId, tuple[int, int]] = field(default_factory=dict)
    conversations: dict[ConversationId, Conversation] = field(default_factory=dict)
    devices: dict[DeviceId, Device] = field(default_factory=dict)
    ops: dict[OpId, Accepted] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    changed: dict[AccountId, int] = field(default_factory=dict)
    positions_taken: bool = False

    def nested(self) -> "Overlay":
        """Return an empty overlay that continues this one; it is absorbed or dropped."""
        return Overlay(self.position, self.time_ms)

    def absorb(self, inner: "Overlay") -> None:
        """Take over what a nested overlay added."""
        self.position = inner.position
        self.heads.update(inner.heads)
        self.conversations.update(inner.conversations)
        self.devices.update(inner.devices)
        self.ops.update(inner.ops)
        self.entries += inner.entries
        self.changed.update(inner.changed)
        self.positions_taken |= inner.positions_taken

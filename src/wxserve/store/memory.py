"""The committed state kept in memory. Changed only in the event loop, between two commits."""

from collections import OrderedDict
from collections.abc import Iterable

from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId

from .limits import StoreLimits
from .ports import Clock
from .recent import Recent
from .running import RunningTime
from .state import Conversation, Device
from .tail import Tail
from .turns import Turns


class Memory:
    """Caches, heads and the unmerged tail.

    The writer's thread reads it while a batch runs; the event loop changes it only when none does.

    Attributes:
        position: the last committed position.
        time_ms: the last time given to an entry; never goes back.
        merged: everything up to this position is in the index tables.
        turns: which operations hold back later ones.
        recent: which conversations changed of late.
        running: what ages and expiry are measured with.
        fresh: devices with operations that no merge has begun to write.
    """

    def __init__(self, limits: StoreLimits, clock: Clock) -> None:
        self._limits = limits
        self.position = 0
        self.time_ms = 0
        self.merged = 0
        self.tail = Tail()
        self.recent = Recent(limits.conversations_recent_max)
        self.turns = Turns(limits.devices_waiting_max)
        self.running = RunningTime(clock)
        self.conversations: OrderedDict[ConversationId, Conversation] = OrderedDict()
        self.devices: OrderedDict[DeviceId, Device] = OrderedDict()
        self.fresh: dict[DeviceId, Device] = {}
        self._merged_before = 0
        self._conversations_bound = limits.conversations_cached_max
        self._devices_bound = limits.devices_cached_max
        self._changed: dict[AccountId, int] = {}
        self._changed_base = 0

    def changed_after(self, account: AccountId, position: int) -> bool:
        """Whether anything the account sees may have changed after ``position``."""
        return self._changed.get(account, self._changed_base) > position

    def note_change(self, accounts: Iterable[AccountId], position: int) -> None:
        """Remember that something these accounts see changed at ``position``, the newest yet."""
        self._changed.update(dict.fromkeys(accounts, position))
        if len(self._changed) > self._limits.accounts_changed_max:
            self.forget_changes(position)

    def note_own_change(self, account: AccountId, position: int) -> None:
        """Remember a change that may be older than others of the same commit."""
        self.note_change((account,), max(position, self._changed.get(account, self._changed_base)))

    def forget_changes(self, position: int) -> None:
        """Treat everybody as changed at ``position``."""
        self._changed.clear()
        self._changed_base = max(position, self._changed_base)

    # -- merging -------------------------------------------------------------------------------

    def start_merge(self) -> list[Device]:
        """Begin a merge of all that is committed; return the devices with new operations."""
        self.tail.start_merge()
        fresh, self.fresh = self.fresh, {}
        return sorted(fresh.values(), key=lambda device: device.id)

    def end_merge(self, through: int) -> None:
        """Note that the tables hold everything up to a position."""
        self.tail.end_merge()
        self._merged_before, self.merged = self.merged, through
        self._evict_conversations()
        self._evict_devices()

    # -- what can be loaded again --------------------------------------------------------------

    def evict(self) -> None:
        """Drop the longest unused of what can be loaded again; called after each commit.

        Looks again after a sixteenth more: looking costs as much as there is in memory.
        """
        limits = self._limits
        if len(self.conversations) > self._conversations_bound:
            self._evict_conversations()
            kept = max(len(self.conversations), limits.conversations_cached_max)
            self._conversations_bound = kept + limits.conversations_cached_max // 16
        if len(self.devices) > self._devices_bound:
            self._evict_devices()
            kept = max(len(self.devices), limits.devices_cached_max)
            self._devices_bound = kept + limits.devices_cached_max // 16

    def _evict_conversations(self) -> None:
        """Drop quiet conversations.

        What changed since the merge before stays: somebody may hold rows that he read from the
        tables in between, and needs the newer state to go with them.
        """
        surplus = len(self.conversations) - self._limits.conversations_cached_max
        if surplus > 0:
            quiet = [c.id for c in self.conversations.values() if c.position <= self._merged_before]
            for conversation in quiet[:surplus]:
                del self.conversations[conversation]

    def _evict_devices(self) -> None:
        surplus = len(self.devices) - self._limits.devices_cached_max
        if surplus > 0:
            idle = [d.id for d in self.devices.values() if d.op_position <= self.merged]
            for device in idle[:surplus]:
                del self.devices[device]

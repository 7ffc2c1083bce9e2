"""The part of the log whose index rows are not merged yet, in memory."""

from typing import NamedTuple

from wxserve.protocol.identifiers import ConversationId


class Run(NamedTuple):
    """Consecutive entries of one conversation: the first number, and the position of each."""

    first: int
    positions: list[int]

    @property
    def last(self) -> int:
        """The last sequence number."""
        return self.first + len(self.positions) - 1


class Tail:
    """Two generations: the one being merged, and the one that grows meanwhile.

    The event loop changes it, and may begin a merge while the writer's thread reads: who reads
    looks at the growing generation first, which becomes the merging one before it is replaced.

    Attributes:
        merging: the generation being merged; not changed until the merge is over.
        entries: how many the growing generation holds.
        merges: how many merges have ended.
    """

    def __init__(self) -> None:
        self.merging: dict[ConversationId, Run] = {}
        self._growing: dict[ConversationId, Run] = {}
        self.entries = 0
        self.merges = 0

    def add(self, conversation: ConversationId, seq: int, position: int) -> None:
        """Note a committed entry."""
        run = self._growing.get(conversation)
        if run is None:
            self._growing[conversation] = Run(seq, [position])
        else:
            run.positions.append(position)
        self.entries += 1

    def head(self, conversation: ConversationId) -> tuple[int, int] | None:
        """Return (seq, position) of the newest unmerged entry, or None."""
        run = self._growing.get(conversation) or self.merging.get(conversation)
        return None if run is None else (run.last, run.positions[-1])

    def find(self, conversation: ConversationId, first: int, last: int) -> list[int]:
        """Return the positions of the unmerged entries among ``first`` … ``last``."""
        growing = self._growing
        merging = self.merging
        found: list[int] = []
        for generation in (merging, growing) if merging is not growing else (growing,):
            run = generation.get(conversation)
            if run is not None and run.first <= last and run.last >= first:
                start = max(0, first - run.first)
                found += run.positions[start : last - run.first + 1]
        return found

    def start_merge(self) -> None:
        """Make the growing generation the one that is merged."""
        self.merging = self._growing
        self._growing = {}
        self.entries = 0

    def end_merge(self) -> None:
        """Forget what is merged."""
        self.merging = {}
        self.merges += 1

"""Which conversations changed of late, so that a device that was away is told without a search."""

from collections.abc import Callable, Iterable

from wxserve.protocol.identifiers import ConversationId


class Recent:
    """The last commit, by its position, in which every conversation changed after ``since``.

    In the order of these commits. Two generations; the older one is dropped as a whole when the
    younger one is full. What is not merged yet is never dropped. The event loop alone changes it.

    Attributes:
        since: the position after which no change is missing.
    """

    def __init__(self, conversations_max: int) -> None:
        self._conversations_max = conversations_max
        self._young: dict[ConversationId, int] = {}
        self._old: dict[ConversationId, int] = {}
        self._young_since = 0
        self.since = 0

    def begin(self, since: int, changes: Iterable[tuple[ConversationId, int]]) -> None:
        """Forget everything, and take in all changes after a position, in their order."""
        young: dict[ConversationId, int] = {}
        for conversation, position in changes:
            young.pop(conversation, None)
            young[conversation] = position
        self._old, self._young = {}, young
        self.since = self._young_since = since

    def note(self, changes: Iterable[ConversationId], position: int, merged: int) -> None:
        """Note what a commit has changed.

        Args:
            changes: the conversations.
            position: the last one of the commit.
            merged: everything up to this position is in the tables.
        """
        young = self._young
        for conversation in changes:
            young.pop(conversation, None)
            young[conversation] = position
        if len(young) >= self._conversations_max and self._young_since <= merged:
            self._old, self._young = young, {}
            self.since, self._young_since = self._young_since, position

    def changed_after(self, position: int) -> Callable[[ConversationId], bool]:
        """Return what tells whether a conversation changed after a position, up to now.

        It may be called in another thread. Of changes up to ``since`` it may know nothing.
        """
        young, old = self._young.get, self._old.get
        return lambda conversation: (young(conversation) or old(conversation, 0)) > position

    def latest(self, position: int, most: int) -> set[ConversationId] | None:
        """Return what changed after a position; None if that is more than ``most``, or not known."""
        if position < self.since:
            return None
        found: set[ConversationId] = set()
        for generation in (self._young, self._old):
            for conversation in reversed(generation):
                if generation[conversation] <= position:
                    break
                found.add(conversation)
                if len(found) > most:
                    return None
        return found

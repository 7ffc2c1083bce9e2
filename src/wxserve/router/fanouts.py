"""Large fan-outs that wait for their turn, so that others are served in between."""

from collections import deque
from typing import NamedTuple

import trio

from wxserve.protocol.identifiers import AccountId, ConversationId
from wxserve.store.state import Entry


class Fanout(NamedTuple):
    """A large fan-out under way: the entry, and its readers from ``start`` on."""

    entry: Entry
    start: int

    @property
    def rest(self) -> tuple[AccountId, ...]:
        """The accounts that were not served yet."""
        return self.entry.conversation.joined[self.start :]


class Fanouts:
    """A bounded queue of fan-outs, served from the oldest on, so many accounts in one step."""

    def __init__(self, waiting_max: int, step_accounts: int) -> None:
        self._queue: deque[Fanout] = deque(maxlen=waiting_max)
        self._step_accounts = step_accounts
        self._wake = trio.Event()
        self._under_way: dict[ConversationId, tuple[int, int]] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether the oldest has to go before one more comes."""
        return len(self._queue) == self._queue.maxlen

    @property
    def oldest(self) -> Fanout:
        """The fan-out whose turn it is."""
        return self._queue[0]

    def first_waiting(self, conversation: ConversationId) -> int | None:
        """Return the oldest entry of a conversation that somebody may not have been served yet."""
        waiting = self._under_way.get(conversation)
        return None if waiting is None else waiting[0]

    def add(self, entry: Entry) -> None:
        """Queue an entry for all its readers; the queue must not be full."""
        self._queue.append(Fanout(entry, 0))
        first, count = self._under_way.get(entry.conversation.id, (entry.seq, 0))
        self._under_way[entry.conversation.id] = (first, count + 1)
        self._wake.set()

    def drop_oldest(self) -> None:
        """Forget the oldest: it is served, or left to the log."""
        entry = self._queue.popleft().entry
        _, count = self._under_way.pop(entry.conversation.id)
        if count > 1:
            # Fan-outs of one conversation are queued, and so end, in the order of its log.
            self._under_way[entry.conversation.id] = (entry.seq + 1, count - 1)

    def take_step(self) -> tuple[Entry, tuple[AccountId, ...]]:
        """Return the oldest entry and the accounts to serve now; ``end_step`` when it is done."""
        fanout = self._queue[0]
        return fanout.entry, fanout.rest[: self._step_accounts]

    def end_step(self) -> None:
        """Note that what ``take_step`` returned was served."""
        fanout = self._queue[0]
        if len(fanout.rest) <= self._step_accounts:
            self.drop_oldest()
        else:
            self._queue[0] = fanout._replace(start=fanout.start + self._step_accounts)

    async def wait(self) -> None:
        """Return when there is a fan-out.

        Cancellation: changes nothing.
        """
        if not self._queue:
            self._wake = trio.Event()
            await self._wake.wait()

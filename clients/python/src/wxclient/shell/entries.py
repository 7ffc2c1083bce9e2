"""Handing entries over: in order per conversation, each again until it was handled."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import anyio

from wxclient._protocol.identifiers import ConversationId
from wxclient.entry import Entry
from wxclient.exceptions import EntryAlreadyHandled
from wxclient.limits import ShellLimits
from wxclient.state.handing import Pending, pending_after, pending_in

from .file_access import FileAccess
from .signals import Signal
from .transaction import Transaction

OpenTransaction = Callable[[Pending], AbstractAsyncContextManager[Transaction]]
_FIELDS: Final = tuple(Entry.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class HandedEntry(Entry):
    """An entry with the means to say that it was handled.

    Until then no later entry of its conversation is handed over by the same iterator, and the entry
    comes again after a restart.

    Attributes:
        attempt: 1 at first; more after the transaction of an earlier attempt failed.
    """

    attempt: int
    _pending: Pending
    _entries: "Entries"

    def commit(self) -> AbstractAsyncContextManager[Transaction]:
        """Handle the entry in a transaction of one's own on the state file.

        ``async with entry.commit() as tx:`` writes the effects and the mark "handled" together;
        leaving with an exception undoes both, and the entry comes again after a while.

        Returns:
            A context manager that gives a ``Transaction``.

        Raises:
            EntryAlreadyHandled: on entering, if the effects exist already.

        Delivery: exactly one committed transaction per entry.

        Cancellation: undone, unless the commit has begun; then it is finished.
        """
        return self._entries.commit(self._pending)

    async def done(self) -> None:
        """Mark the entry as handled, durably; nothing happens if it was before.

        Delivery: an effect outside the state file happens at least once; use ``key`` to know it
            again.

        Cancellation: not marked, unless the mark is being written.
        """
        await self._entries.done(self._pending)


class Entries:
    """An asynchronous iterator over the entries that were not handled yet. One at a time.

    Entries of one conversation come in order, the next one when the former is handled; other
    conversations go on meanwhile, so that several tasks may handle what one loop receives. A newer
    iterator ends an older one.

    Raises:
        Exception: why the client stopped for good, when everything stored was handed over.

    Cancellation: nothing is lost; go on with the same iterator.
    """

    def __init__(
        self,
        file: FileAccess,
        open_transaction: OpenTransaction,
        after_handled: Callable[[], Awaitable[None]],
        limits: ShellLimits,
        *,
        own: bool,
    ) -> None:
        self._file = file
        self._open_transaction = open_transaction
        self._after_handled = after_handled
        self._limits = limits
        self._own = own
        self._page: deque[Pending] = deque(maxlen=limits.handover_page)
        self._through = 0
        self._held: set[ConversationId] = set()
        self._behind: set[ConversationId] = set()
        self._ready: deque[ConversationId] = deque(maxlen=limits.handed_max)
        self._again_s: dict[ConversationId, float] = {}
        self._attempts: dict[tuple[ConversationId, int], int] = {}
        self._wake = Signal()
        self._superseded = False
        self._exhausted = False
        self.failure: Exception | None = None

    # -- the iterator --------------------------------------------------------------------------

    def __aiter__(self) -> "Entries":
        return self

    async def __anext__(self) -> HandedEntry:
        while not self._superseded:
            pending = await self._next() if self._has_room else None
            if pending is not None:
                self._held.add(pending.entry.conversation)
                return self._hand(pending)
            if self.failure is not None and self._exhausted:
                raise self.failure
            await self._sleep()
        raise StopAsyncIteration

    @property
    def _has_room(self) -> bool:
        """Whether another conversation may have an entry out."""
        return len(self._held) + len(self._again_s) < self._limits.handed_max

    def _hand(self, pending: Pending) -> HandedEntry:
        entry = pending.entry
        attempt = self._attempts.get((entry.conversation, entry.seq), 0) + 1
        values = {name: getattr(entry, name) for name in _FIELDS}
        return HandedEntry(**values, attempt=attempt, _pending=pending, _entries=self)

    async def _next(self) -> Pending | None:
        """Return what may be handed over now, or None."""
        while self._ready:
            conversation = self._ready[0]
            pending = await self._file.read(
                lambda sql: pending_in(sql, conversation, self._through, own=self._own)  # noqa: B023
            )
            self._ready.popleft()
            if pending is not None:
                return pending
            self._behind.discard(conversation)
        while self._page or await self._fill():
            pending = self._page.popleft()
            self._through = pending.number
            conversation = pending.entry.conversation
            if conversation not in self._held and conversation not in self._behind:
                return pending
            self._behind.add(conversation)
        return None

    async def _fill(self) -> bool:
        """Read the next page; return whether there is one."""
        limit = self._limits.handover_page
        page = await self._file.read(
            lambda sql: pending_after(sql, self._through, own=self._own, limit=limit)
        )
        self._page.extend(page)
        self._exhausted = not page
        return bool(page)

    async def _sleep(self) -> None:
        """Wait for new entries, for a handled one, or for the time of a failed one."""
        with anyio.CancelScope(deadline=min(self._again_s.values(), default=float("inf"))):
            await self._wake.wait()
        now_s = anyio.current_time()
        for conversation, again_s in tuple(self._again_s.items()):
            if again_s <= now_s:
                del self._again_s[conversation]
                self._ready.append(conversation)

    def wake(self) -> None:
        """Look again: entries were stored, or the client stopped."""
        self._wake.set()

    def supersede(self) -> None:
        """End: a newer iterator hands over from now on."""
        self._superseded = True
        self._wake.set()

    # -- what becomes of an entry --------------------------------------------------------------

    async def done(self, pending: Pending) -> None:
        """Mark an entry as handled; see ``HandedEntry.done``."""
        with suppress(EntryAlreadyHandled):
            await self._file.mark_handled(pending)
        self._handled(pending)
        await self._after_handled()

    @asynccontextmanager
    async def commit(self, pending: Pending) -> AsyncIterator[Transaction]:
        """Mark an entry as handled with its effects; see ``HandedEntry.commit``."""
        tx: Transaction | None = None
        try:
            async with self._open_transaction(pending) as tx:
                yield tx
        except EntryAlreadyHandled:
            self._handled(pending)
            raise
        except BaseException:
            if tx is not None and tx.committed:  # cancelled while it was committed
                self._handled(pending)
            else:
                self._failed(pending)
            raise
        self._handled(pending)
        await self._after_handled()

    def _handled(self, pending: Pending) -> None:
        conversation = pending.entry.conversation
        self._attempts.pop((conversation, pending.entry.seq), None)
        if conversation in self._held:
            self._held.discard(conversation)
            if conversation in self._behind:
                self._ready.append(conversation)
        self._wake.set()

    def _failed(self, pending: Pending) -> None:
        """Let the entry come again, later each time, and hold its conversation until then."""
        conversation = pending.entry.conversation
        key = (conversation, pending.entry.seq)
        if conversation not in self._held:
            return
        attempts = self._attempts[key] = self._attempts.get(key, 0) + 1
        self._held.discard(conversation)
        self._behind.add(conversation)
        wait_s = min(
            self._limits.handover_retry_min_s * 2 ** min(attempts - 1, 16),
            self._limits.handover_retry_max_s,
        )
        self._again_s[conversation] = anyio.current_time() + wait_s
        self._wake.set()

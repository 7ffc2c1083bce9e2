"""An account's conversations as a device finds them: read from the tables, newest from memory."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    device_conversation,
    notice_conversation,
    self_conversation,
)

from . import reading
from .cursors import Cursors
from .limits import StoreLimits
from .memory import Memory
from .reading import Page, Slice, Standing
from .state import Entry
from .units import Look
from .writer import Writer

LATEST_MAX: Final = 256
"""So many conversations that changed of late, everybody's, are looked through for an account's own;
above it the account's are looked through for those that changed."""
Done = Callable[[Slice | None], None]
"""Gets what was read, or None when that failed."""


class Read(Protocol):
    """``Store.read``."""

    def __call__(self, work: Callable[[sqlite3.Connection], Slice], done: Done) -> bool:
        """Run a read, unless too many wait."""
        ...


class Standings:
    """Reads slices of an account's conversations. Each returns False when too many reads wait."""

    def __init__(
        self, read: Read, writer: Writer, memory: Memory, cursors: Cursors, limits: StoreLimits
    ) -> None:
        self._read_in_turn = read
        self._writer = writer
        self._memory = memory
        self._cursors = cursors
        self._limits = limits

    def read(self, account: AccountId, device: DeviceId, after: bytes, done: Done) -> bool:
        """Read a slice of them all; see ``reading.read_standings``."""
        page = Page(account, device, after, self._limits.read_rows_max)
        return self._read(device, lambda sql: reading.read_standings(sql, page), done)

    def read_changed(
        self, account: AccountId, device: DeviceId, since: int, after: bytes, done: Done
    ) -> bool:
        """Read a slice, at least of those that changed after ``since``.

        When memory goes back that far, it costs what did change, and the account's own, which
        are made without an entry. A new device is told everything.
        """
        if since == 0:
            return self.read(account, device, after, done)
        memory = self._memory.recent
        own = {
            self_conversation(account), notice_conversation(account), device_conversation(device),
        }  # fmt: skip
        latest = memory.latest(since, LATEST_MAX) if after == b"" else None
        if latest is not None:
            its = {one for one in latest if self._may_be_of(account, one)}
            return self.read_some(account, device, list(its | own), done)
        recent, stored_since = memory.changed_after(since), None if since >= memory.since else since
        page = Page(account, device, after, self._limits.read_rows_max)

        def changed(conversation: ConversationId) -> bool:
            return recent(conversation) or conversation in own

        return self._read(
            device, lambda sql: reading.read_changed(sql, page, changed, stored_since), done
        )

    def _may_be_of(self, account: AccountId, conversation: ConversationId) -> bool:
        state = self._memory.conversations.get(conversation)
        return state is None or account in state.members

    def read_some(
        self,
        account: AccountId,
        device: DeviceId,
        conversations: Sequence[ConversationId],
        done: Done,
    ) -> bool:
        """Read the given ones, as far as they are the account's."""
        return self._read(
            device, lambda sql: reading.read_some(sql, account, device, conversations), done
        )

    def _read(
        self, device: DeviceId, work: Callable[[sqlite3.Connection], Slice], done: Done
    ) -> bool:
        """Read a slice, and bring it up to date from memory.

        A commit can be read before its completion has come, while the heads in memory are still
        those from before it; they are asked for when both say the same. Cursors that are being
        written meanwhile count as well. When a merge ends meanwhile, its heads may be in neither
        place, and the slice is read again.
        """
        tail, unwritten = self._memory.tail, self._cursors.unwritten(device)
        merges = tail.merges

        def settled(read: Slice | None) -> None:
            if read is None:
                done(None)
                return
            if tail.merges != merges:
                if not self._read(device, work, done):
                    done(None)
                return
            newest = max((standing.changed_position for standing in read.standings), default=0)
            if newest <= self._memory.position:
                found = [self._newest(standing, unwritten) for standing in read.standings]
                done(Slice(found, read.after))
                return

            def completed(value: Refusal | None, entries: tuple[Entry, ...]) -> None:
                del entries
                settled(None if isinstance(value, Refusal) else read)

            self._writer.submit(Look(lambda _: None, completed))

        return self._read_in_turn(work, settled)

    def _newest(self, standing: Standing, cursors: dict[ConversationId, int]) -> Standing:
        cursor = max(standing.cursor, cursors.get(standing.conversation, 0))
        return standing._replace(head=self.head_of(standing), cursor=cursor)

    def head_of(self, standing: Standing) -> tuple[int, int]:
        """Return (seq, position) of the newest committed entry of a stored standing."""
        state = self._memory.conversations.get(standing.conversation)
        if state is not None:
            return state.head, state.position
        return self._memory.tail.head(standing.conversation) or standing.head

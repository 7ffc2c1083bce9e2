"""Housekeeping: cursors are flushed, the tail is merged, old entries go, space is recovered."""

import logging
from typing import Final, TypeVar

import trio

from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import ConversationId

from .cursors import Cursors, note_awake, write_cursors
from .driver import Driver
from .limits import StoreLimits
from .memory import Memory
from .merging import Merge, Progress
from .retention import ROWS_MAX, Found, Part, expire, find_prunable, note_time, prune
from .space import Space, free_inside
from .state import Entry
from .transaction import Transaction
from .units import Outcome, Unit, Work
from .writer import Writer

T = TypeVar("T")
TICK_S: Final = 0.5
"""How often space is looked for when there is none, and what was put off is taken up again."""
_log = logging.getLogger("wxserve.store")


class Upkeep:
    """Submits housekeeping units to the writer, one of each kind at a time."""

    def __init__(
        self,
        driver: Driver,
        writer: Writer,
        memory: Memory,
        cursors: Cursors,
        limits: StoreLimits,
    ) -> None:
        self._driver = driver
        self._writer = writer
        self._memory = memory
        self._cursors = cursors
        self._limits = limits
        self._merge: Merge | None = None
        self._merge_waits = False
        self._tail_is_old = False
        self._pruning = False
        self._prune_after = 0
        self._prune_waits = False
        self._measuring = False
        self._flush_waits = False

    async def run(self, space: Space) -> None:
        """Keep house for ever.

        Cancellation: units already submitted are settled by the writer.
        """
        self._writer.on_full = space.release
        self._writer.on_committed = self._committed
        self._writer.full = not space.take()
        next_flush = next_sweep = trio.current_time()
        try:
            while not self._writer.failed:
                now = trio.current_time()
                if now >= next_flush:
                    self.flush_cursors()
                    next_flush = now + self._limits.cursor_flush_s
                if now >= next_sweep:
                    self.sweep()
                    next_sweep = now + self._limits.maintenance_s
                self._take_up_again()
                self._look_at_space(space)
                await trio.sleep(TICK_S)
            await trio.sleep_forever()
        finally:
            self._writer.on_committed = lambda: None

    def _take_up_again(self) -> None:
        if self._merge_waits:
            self._merge_waits = False
            self._next_slice()
        if self._prune_waits:
            self._prune_waits = False
            self._find()
        if self._flush_waits and self._writer.idle:
            self._write_due()

    def _committed(self) -> None:
        """Called between two commits."""
        self._look_at_tail()
        if self._flush_waits:
            self._write_due()

    def _submit(self, work: Work[T], done: Outcome[T]) -> None:
        self._writer.submit(Unit(work, done, always=True))

    # -- space ---------------------------------------------------------------------------------

    def _look_at_space(self, space: Space) -> None:
        """Let writes go on when there is space again, on the disk or inside the database."""
        if space.take():
            self._set_full(full=False)
        elif not self._measuring:
            self._measuring = True

            def measured(value: int | Refusal, entries: tuple[Entry, ...]) -> None:
                del entries
                self._measuring = False
                if not isinstance(value, Refusal) and not space.held:
                    self._set_full(full=not space.lasts(value, full=self._writer.full))

            self._submit(lambda tx: free_inside(tx.sql), measured)

    def _set_full(self, *, full: bool) -> None:
        if full is not self._writer.full:
            _log.warning("store.full" if full else "store.space_again")
            self._writer.full = full

    # -- cursors -------------------------------------------------------------------------------

    def flush_cursors(self) -> None:
        """Write the cursors and the like that wait now, and no later ones."""
        if self._writer.failed:
            return
        for device in self._cursors.waiting.raised:
            note_awake(self._memory, self._cursors, device)
        if self._cursors.begin_flush():
            self._write_due()

    def _write_due(self) -> None:
        """Write the next part of what is due, which takes a commit longer than messages do."""
        self._flush_waits = False
        flush = self._cursors.next_unit()
        if flush is None:
            return

        def work(tx: Transaction) -> None:
            write_cursors(tx, flush)

        def done(value: Refusal | None, entries: tuple[Entry, ...]) -> None:
            del entries
            written = not isinstance(value, Refusal)
            if self._cursors.end_unit(written=written):
                self.flush_cursors()
            elif written and self._writer.waiting:
                self._flush_waits = True  # who came meanwhile has a commit without it
            elif written:
                self._write_due()

        self._submit(work, done)

    # -- merging -------------------------------------------------------------------------------

    def _look_at_tail(self) -> None:
        """Begin to merge the tail when it is long or old, unless a merge is under way."""
        least = 1 if self._tail_is_old else self._limits.merge_entries
        if self._merge is None and self._memory.tail.entries >= least:
            self._tail_is_old = False
            self._merge = Merge(self._memory)
            self._next_slice()

    def _next_slice(self) -> None:
        merge, rows_max = self._merge, self._slice_rows()
        if merge is None:
            return

        def work(tx: Transaction) -> Progress:
            return merge.write(tx, rows_max)

        self._submit(work, self._slice_done)

    def _slice_rows(self) -> int:
        """Return how much to write at once: more the faster the tail grows.

        A merge is over before half of the next one has come together, or the tail would grow
        without end under a load that brings more entries per commit than a slice has rows.
        """
        if self._merge is None:
            return 0
        share = 2 * self._memory.tail.entries / self._limits.merge_entries
        due = int(share * self._merge.rows) - self._merge.progress.rows
        return max(self._limits.merge_slice_rows, due)

    def _slice_done(self, value: Progress | Refusal, entries: tuple[Entry, ...]) -> None:
        """Go on with the next slice; one that was refused for want of space is tried again."""
        del entries
        if self._merge is None or self._writer.failed:
            return
        if isinstance(value, Refusal):
            self._merge_waits = True
            return
        self._merge.progress = value
        if value.over:
            self._memory.end_merge(self._merge.through)
            self._merge = None
            self._look_at_tail()
        else:
            self._next_slice()

    # -- retention -----------------------------------------------------------------------------

    def sweep(self) -> None:
        """Delete what has expired and what nobody waits for, from the oldest on."""
        if self._writer.failed:
            return
        self._submit(note_time, lambda _, __: None)
        self._expire()
        if not self._pruning:
            self._pruning = True
            self._prune_after = 0
            self._find()

    def _expire(self) -> None:
        def done(value: int | Refusal, entries: tuple[Entry, ...]) -> None:
            del entries
            if value == ROWS_MAX:
                self._expire()

        self._submit(expire, done)

    def _find(self) -> None:
        """Look for what may go, in the next part of the log."""
        part = Part(self._prune_after, self._memory.merged, self._memory.running.now_ms())
        limits = self._limits
        self._driver.read(lambda sql: find_prunable(sql, part, limits), self._found)

    def _found(self, found: Found | None, error: BaseException | None) -> None:
        if found is None or self._writer.failed:
            self._pruning = False
            if error is not None:
                self._writer.on_defect(error)
            return
        self._prune_after = found.after
        self._pruning = found.after > 0
        if found.unmerged:
            # Where little is written the tail is never long: its beginning grows old in it. The
            # next commit, of the next sweep at the latest, begins the merge.
            self._tail_is_old = True
        if found.entries:
            self._submit(lambda tx: prune(tx, found), self._pruned)
        else:
            # Nothing here for now: what is held back by somebody must not be looked through at
            # full speed, over and over.
            self._prune_waits = self._pruning

    def _pruned(
        self, value: dict[ConversationId, int] | Refusal, entries: tuple[Entry, ...]
    ) -> None:
        del entries
        if isinstance(value, Refusal):
            self._pruning = False
            return
        for conversation, floor in value.items():
            state = self._memory.conversations.get(conversation)
            if state is not None:
                state.floor = floor
        if self._pruning:
            self._find()

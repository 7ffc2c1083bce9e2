"""Group commit: what arrives while a commit is under way forms the next one."""

import logging
import sqlite3
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal

from .batch import BatchResult, run_batch
from .checkpoints import Checkpoints
from .driver import Driver
from .errors import BatchLostError, is_busy, is_fatal, is_full, refusal_for, result_name
from .limits import StoreLimits
from .memory import Memory
from .ports import Clock
from .state import Append, Entry
from .transaction import Transaction
from .units import Item, turn_of

BUSY_BATCHES_MAX: Final = 12
"""Batches in a row that another program may keep from beginning, five seconds each."""
_log = logging.getLogger("wxserve.store")


class Writer:
    """The only place from which the writing connection is used.

    Attributes:
        full: new writes are refused until there is space again.
        failed: why nothing will ever be accepted again, empty while all is well.
        on_full: called when there is no space.
        on_failed: called once, when the store stops.
        on_settled: called when nothing waits and nothing is under way any more.
        on_committed: called after each commit, before its units are told.
        on_defect: called with errors that are nobody's refusal; one is ours, or the driver's.
    """

    def __init__(self, driver: Driver, memory: Memory, clock: Clock, limits: StoreLimits) -> None:
        self._driver = driver
        self._memory = memory
        self._clock = clock
        self._limits = limits
        self._queue: deque[Item] = deque(maxlen=limits.queue_units_max + limits.batch_units_max)
        self._batch: list[Item] = []
        self._alone = 0
        self._starting = False
        self._checkpoints = Checkpoints()
        self._busy = 0
        self.full = False
        self.failed = ""
        self.on_full: Callable[[], None] = lambda: None
        self.on_failed: Callable[[], None] = lambda: None
        self.on_settled: Callable[[], None] = lambda: None
        self.on_committed: Callable[[], None] = lambda: None
        self.on_defect: Callable[[BaseException | None], None] = log_defect

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._queue and not self._batch

    @property
    def waiting(self) -> int:
        """How many units wait or are under way."""
        return len(self._queue) + len(self._batch)

    def submit(self, item: Item) -> None:
        """Queue a unit for the next commit; its ``done`` is called later, never at once."""
        if self.failed or len(self._queue) >= self._limits.queue_units_max:
            code = ErrorCode.SHUTTING_DOWN if self.failed else ErrorCode.OVERLOADED
            refusal = Refusal(code, retry_after_ms=1000)
            self._hold(item, refusal)
            self._driver.defer(lambda: self._tell([(item, (refusal, ()))]))
            return
        self._queue.append(item)
        if not self._starting:
            self._go_on()

    # -- one batch after the other -------------------------------------------------------------

    def _go_on(self) -> None:
        """Begin in the loop's next step, so that all that one step brings shares a commit."""
        if self._batch or self._starting or self.failed:
            return
        if self._checkpoints.whole_due:
            self._starting = True
            self._checkpoint(whole=True)
            return
        if self._checkpoints.due:
            self._checkpoint(whole=False)
        if self._queue:
            self._starting = True
            self._driver.defer(self._start)

    def _start(self) -> None:
        self._starting = False
        if self.failed or not self._queue:
            return
        count = 1 if self._alone else min(len(self._queue), self._limits.batch_units_max)
        self._alone = max(0, self._alone - 1)
        self._batch = [self._queue.popleft() for _ in range(count)]
        transaction = Transaction(self._memory, self._clock.now_ms(), full=self.full)
        batch, began = self._batch, self._checkpoints.begin_commit()

        def work(sql: sqlite3.Connection) -> BatchResult:
            return run_batch(sql, transaction, batch)

        def finished(result: BatchResult | None, error: BaseException | None) -> None:
            if result is None:
                self._lost(error, was_full=transaction.full)
            else:
                self._checkpoints.committed(began, result.changes)
                self._committed(result)

        self._driver.commit(work, finished)

    def _committed(self, result: BatchResult) -> None:
        batch, self._batch = self._batch, []
        if self.failed:
            self._refuse_all(batch)
            return
        result.transaction.apply()
        self._busy = 0
        self._go_on()
        self.on_committed()
        for error in result.transaction.defects:
            self.on_defect(error)
        self._tell(zip(batch, result.outcomes, strict=True))
        self._look_settled()

    def _checkpoint(self, *, whole: bool) -> None:
        self._checkpoints.start()

        def finished(pages: int | None, error: BaseException | None) -> None:
            self._checkpoints.end(pages or 0, whole=whole)
            if whole:
                self._starting = False
            self._checkpointed(error)

        self._driver.checkpoint(finished, whole=whole)

    def _checkpointed(self, error: BaseException | None) -> None:
        if self.failed:
            return
        if is_full(error):
            self._run_full()
        elif is_fatal(error):
            self._fail([], error)
        elif error is not None:
            self.on_defect(error)
        self._go_on()

    # -- when a batch is lost ------------------------------------------------------------------

    def _lost(self, error: BaseException | None, *, was_full: bool) -> None:
        """Nothing of the batch was accepted: fail, or refuse the guilty and run the others again."""
        batch, self._batch = self._batch, []
        if self.failed:
            self._refuse_all(batch)
            return
        guilty = error.index if isinstance(error, BatchLostError) else -1
        cause = error.cause if isinstance(error, BatchLostError) else error
        if is_fatal(cause):
            self._fail(batch, cause)
        elif is_full(cause):
            self._run_full()
            # Whose statement finds no space is chance: the page without a place may be another's.
            self._refuse_and_repeat(batch, -1, refusal_for(cause), certain=was_full)
        elif is_busy(cause):
            self._wait_for_others(batch, cause)
        elif guilty < 0 and len(batch) == 1 and isinstance(cause, sqlite3.IntegrityError):
            self._fail(batch, cause)  # memory and tables disagree about what is committed
        else:
            self.on_defect(cause)
            certain = guilty >= 0 or len(batch) == 1
            self._refuse_and_repeat(batch, guilty, refusal_for(cause), certain=certain)
        self._go_on()
        self._look_settled()

    def _refuse_and_repeat(
        self, batch: list[Item], guilty: int, refusal: Refusal, *, certain: bool
    ) -> None:
        """Refuse the guilty one; if it cannot be told, or not for ``certain``, none yet.

        For want of space all run again, with ``full`` set: known operations get their answer.
        Where the guilty one cannot be told they run again one by one, and whoever fails alone is
        it: housekeeping that finds no space must not take the answers away from those that need
        none.
        """
        if not certain:
            self._repeat(batch)
            self._alone = 0 if self.full else len(batch)
        elif guilty < 0 and len(batch) > 1:
            self._repeat(batch)
            self._alone = len(batch)
        elif guilty < 0:
            self._refuse(batch[0], refusal)
        else:
            self._repeat(batch[:guilty] + batch[guilty + 1 :])
            self._refuse(batch[guilty], refusal)

    def _repeat(self, batch: list[Item]) -> None:
        self._queue.extendleft(reversed(batch))

    def _wait_for_others(self, batch: list[Item], cause: BaseException | None) -> None:
        """Try again: another program holds the database. Nothing of the batch has happened."""
        self._busy += 1
        if self._busy > BUSY_BATCHES_MAX:
            self._fail(batch, cause)
        else:
            _log.warning("store.busy", extra={"batches": self._busy})
            self._repeat(batch)

    def _run_full(self) -> None:
        if not self.full:
            _log.warning("store.full")
        self.full = True
        self.on_full()

    def _fail(self, batch: list[Item], cause: BaseException | None) -> None:
        """Accept nothing any more, and tell everybody who waits."""
        self.failed = f"{type(cause).__name__} {result_name(cause)}".strip()
        waiting, self._queue = [*batch, *self._queue], deque(maxlen=self._queue.maxlen)
        self._refuse_all(waiting)
        self.on_failed()

    def _refuse_all(self, batch: list[Item]) -> None:
        """Tell submitters that the store has stopped; a commit under way may stand nevertheless."""
        refusal = Refusal(ErrorCode.SHUTTING_DOWN)
        for item in batch:
            self._refuse(item, refusal)
        self._look_settled()

    # -- telling -------------------------------------------------------------------------------

    def _refuse(self, item: Item, refusal: Refusal) -> None:
        self._hold(item, refusal)
        self._tell([(item, (refusal, ()))])

    def _hold(self, item: Item, refusal: Refusal) -> None:
        turn = turn_of(item)
        if turn is not None:
            self._memory.turns.decide(turn, refusal)

    def _tell(self, told: Iterable[tuple[Item, tuple[Any, tuple[Entry, ...]]]]) -> None:
        """Tell submitters; the defects of one must not keep the others from hearing."""
        for item, (value, entries) in told:
            try:
                if isinstance(item, Append):
                    item.done(item, value)
                else:
                    item.done(value, entries)
            except Exception as error:  # noqa: BLE001 - reported
                self.on_defect(error)

    def _look_settled(self) -> None:
        if self.idle:
            self.on_settled()


def log_defect(error: BaseException | None) -> None:
    """Log an error by its type and place; its message may quote contents."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    _log.error(
        "store.defect",
        extra={"error": type(error).__name__, "code": result_name(error), "place": place},
    )

"""A driver whose every step comes at a time of its own, so that a seed means one history.

One task runs what the writing connection has to do, another the reads, a third the checkpoints; every
step waits for a drawn virtual time, so that no two tasks are ever ready at once and the scheduler has
no choice to make. A checkpoint stops at calls of the disk, and the others go on meanwhile.
"""

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, TypeVar

import trio

from wxserve.store.driver import Done, checkpoint, in_transaction

from .halting import Halting

T = TypeVar("T")
Step = Callable[[], Awaitable[None]]
PAUSE_S_MAX: Final = 0.01
STOP_S: Final = (0.001, 0.02, 0.5)
"""About how long a checkpoint stops; some outlast many commits."""


class Lane:
    """Runs steps one after the other."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._steps: deque[Step] = deque()
        self._ready = trio.Event()

    def add(self, step: Step) -> None:
        """Run a step after those that wait."""
        self._steps.append(step)
        self._ready.set()

    async def pause(self) -> None:
        """Let a drawn time pass."""
        await trio.sleep(self._random.random() * PAUSE_S_MAX)

    async def run(self) -> None:
        """Run steps for ever."""
        while True:
            await self._ready.wait()
            await self.pause()
            await self._steps.popleft()()
            if not self._steps:
                self._ready = trio.Event()


class PacedDriver:
    """Implements ``Driver`` on virtual time.

    Attributes:
        copying: the checkpoint that is under way.
        commits_beside: how many batches were committed in the middle of one.
    """

    def __init__(self, connections: list[sqlite3.Connection], seed: int) -> None:
        self.writer, self.checkpointer, self.reader = connections
        self.writes = Lane(Random(seed))
        self.reads = Lane(Random(seed + 1))
        self.checkpoints = Lane(Random(seed + 2))
        self._stops = Random(seed + 4)
        self.copying = Halting(Random(seed + 3))
        self.commits_beside = 0

    def start(self, nursery: trio.Nursery) -> None:
        """Begin to run what is handed in."""
        nursery.start_soon(self.writes.run)
        nursery.start_soon(self.reads.run)
        nursery.start_soon(self.checkpoints.run)

    def commit(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """See ``Driver.commit``."""

        async def step() -> None:
            try:
                result = in_transaction(self.writer, work, "BEGIN IMMEDIATE")
            except Exception as error:  # noqa: BLE001 - reported like the shipped driver's
                await self.writes.pause()
                done(None, error)
            else:
                self.commits_beside += not self.copying.is_over
                await self.writes.pause()
                done(result, None)

        self.writes.add(step)

    def checkpoint(self, done: Done[int], *, whole: bool) -> None:
        """See ``Driver.checkpoint``."""
        del whole
        copying = self.copying

        async def step() -> None:
            copying.start(lambda: checkpoint(self.checkpointer))
            try:
                while not copying.is_over:
                    await trio.sleep(self._stops.random() * self._stops.choice(STOP_S))
                    copying.go_on()
            finally:
                copying.finish()
            if copying.error is None:
                await self.checkpoints.pause()
            done(copying.result, copying.error)

        self.checkpoints.add(step)

    def read(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """See ``Driver.read``; the snapshot is held for a while, and the writer goes on."""

        async def step() -> None:
            try:
                self.reader.execute("BEGIN")
                result = work(self.reader)
                await self.reads.pause()
                self.reader.execute("COMMIT")
            except Exception as error:  # noqa: BLE001 - reported like the shipped driver's
                if self.reader.in_transaction:
                    self.reader.execute("ROLLBACK")
                done(None, error)
            else:
                done(result, None)

        self.reads.add(step)

    def defer(self, call: Callable[[], None]) -> None:
        """See ``Driver.defer``."""

        async def step() -> None:
            call()
            await trio.lowlevel.checkpoint()

        self.writes.add(step)

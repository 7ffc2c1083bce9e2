"""The driver of simulations: every time drawn from a seed, and cuts possible between any two.

It runs the same units on the same SQL as the shipped driver, in the event loop's own thread.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from random import Random
from typing import Final, TypeVar

import trio

from .driver import Done, checkpoint, in_transaction
from .opening import open_connections

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds of virtual time."""
DELAYS_S: Final = (0.0, 1 / 128, 2 / 128, 3 / 128)
"""The times that are drawn; commits of a slow disk take as long. Powers of two add up exactly."""


class Cut(Enum):
    """When the power goes, relative to a commit."""

    BEFORE = "before"
    UNCOMMITTED = "uncommitted"
    COMMITTED = "committed"


class SeededDriver:
    """Implements ``Driver`` on virtual time; made by ``open_seeded_driver``.

    Attributes:
        is_cut: the power is gone; nothing is run or reported any more.
        commits: how many batches were committed.
    """

    def __init__(
        self,
        writer: sqlite3.Connection,
        checkpointer: sqlite3.Connection,
        reader: sqlite3.Connection,
        random: Random,
        nursery: trio.Nursery,
        sleep: Sleep = trio.sleep,
    ) -> None:
        self._writer = writer
        self._checkpointer = checkpointer
        self._reader = reader
        self._random = random
        self._nursery = nursery
        self._sleep = sleep
        self._next_cut: Cut | None = None
        self._gone = trio.Event()
        self.is_cut = False
        self.commits = 0

    def cut(self, when: Cut = Cut.BEFORE) -> None:
        """Cut the power at the next commit: before it, inside it, or before its completion."""
        self._next_cut = when

    async def wait_cut(self) -> None:
        """Return when the power is gone.

        Cancellation: changes nothing; whoever has waited long enough cuts it with ``cut_now``.
        """
        await self._gone.wait()

    def cut_now(self) -> None:
        """Cut the power at once, wherever the driver is."""
        self.is_cut = True
        self._gone.set()

    def commit(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """See ``Driver.commit``."""
        self._nursery.start_soon(self._commit, work, done)

    def checkpoint(self, done: Done[int], *, whole: bool) -> None:
        """See ``Driver.checkpoint``; it takes no time, but a time to begin."""
        del whole
        self._nursery.start_soon(self._checkpoint, done)

    def read(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """See ``Driver.read``."""
        self._nursery.start_soon(self._read, work, done)

    def defer(self, call: Callable[[], None]) -> None:
        """See ``Driver.defer``."""
        self._nursery.start_soon(self._defer, call)

    async def _pause(self) -> None:
        await self._sleep(self._random.choice(DELAYS_S))

    async def _defer(self, call: Callable[[], None]) -> None:
        await trio.lowlevel.checkpoint()
        if not self.is_cut:
            call()

    async def _checkpoint(self, done: Done[int]) -> None:
        await self._pause()
        if not self.is_cut:
            done(*_run(checkpoint, self._checkpointer))

    async def _commit(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        await self._pause()
        if self._cuts(Cut.BEFORE):
            return
        result, error = _run(in_transaction, self._writer, self._until_cut(work), "BEGIN IMMEDIATE")
        if self._cuts(Cut.COMMITTED):
            return
        self.commits += error is None
        await self._pause()
        if not self.is_cut:
            done(result, error)

    async def _read(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        await self._pause()
        if self.is_cut:
            return
        result, error = _run(in_transaction, self._reader, work, "BEGIN")
        await self._pause()
        if not self.is_cut:
            done(result, error)

    def _until_cut(
        self, work: Callable[[sqlite3.Connection], T]
    ) -> Callable[[sqlite3.Connection], T]:
        """Run the work; roll it back if the power goes before the commit."""

        def run(sql: sqlite3.Connection) -> T:
            result = work(sql)
            if self._cuts(Cut.UNCOMMITTED):
                sql.execute("ROLLBACK")
                sql.execute("BEGIN")
            return result

        return run

    def _cuts(self, when: Cut) -> bool:
        if self._next_cut is when:
            self.cut_now()
        return self.is_cut


def _run(function: Callable[..., T], *args: object) -> tuple[T | None, BaseException | None]:
    try:
        return function(*args), None
    except Exception as error:  # noqa: BLE001 - reported like the shipped driver's
        return None, error


@asynccontextmanager
async def open_seeded_driver(
    path: Path, seed: int, sleep: Sleep = trio.sleep
) -> AsyncIterator[SeededDriver]:
    """Open a database for one life of a simulated server.

    Nothing is synchronised to the disk: the power cuts of a simulation leave the files as they are.

    Cancellation: what was committed stays; open again for the next life.
    """
    connections = writer, checkpointer, reader = open_connections(path, readers=1)
    try:
        for connection in (writer, checkpointer):
            connection.execute("PRAGMA synchronous = OFF")
        async with trio.open_nursery() as nursery:
            random = Random(seed)  # noqa: S311 - replayable
            yield SeededDriver(writer, checkpointer, reader, random, nursery, sleep)
            nursery.cancel_scope.cancel()
    finally:
        for connection in reversed(connections):
            connection.close()

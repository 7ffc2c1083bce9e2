"""The shipped driver: aiosqlite's connections, each with its own thread, a batch per hop."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import aiosqlite
import trio
import trio_asyncio

from .driver import Done, checkpoint, in_transaction
from .opening import open_connections

T = TypeVar("T")
WAL_PAGES_MAX: Final = 16_384
"""Length of the write-ahead log (64 MiB) at which reads are held back until it can start anew."""


class BatchConnection(aiosqlite.Connection):
    """An aiosqlite connection whose thread runs a whole function and reports once.

    The public interface costs one hop per statement (measured 871 against 257 µs per commit), so
    the function goes straight onto the connection's queue; aiosqlite runs entries without a future
    and tells nobody, which leaves the telling to us.
    """

    def __init__(self, sql: sqlite3.Connection) -> None:
        super().__init__(lambda: sql, iter_chunk_size=64)
        self._sql = sql
        # An event loop that dies without closing anything must not keep the process alive.
        self._thread.daemon = True

    def start_nowait(self, function: Callable[[sqlite3.Connection], None]) -> None:
        """Run ``function`` in the connection's thread after what was started before it.

        Raises:
            ValueError: the connection is closed.
        """
        if not self._running:
            raise ValueError("the connection is closed")
        self._tx.put_nowait((None, partial(function, self._sql)))

    async def close(self) -> None:
        """Finish what was started, close the file, and wait for the thread to end."""
        await super().close()
        self._thread.join()  # it has told its last and ends now


class AiosqliteDriver:
    """Implements ``Driver``; made by ``open_driver``.

    Readers that always overlap would keep the write-ahead log from ever starting anew; when it
    has grown too long, reads are held back for the moment that a whole checkpoint takes.
    """

    def __init__(
        self,
        writer: BatchConnection,
        checkpointer: BatchConnection,
        readers: list[BatchConnection],
        wal_pages_max: int = WAL_PAGES_MAX,
    ) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._writer = writer
        self._checkpointer = checkpointer
        self._readers = readers
        self._next_reader = 0
        self._wal_pages_max = wal_pages_max
        self._reading = 0
        self._held: list[Callable[[], None]] | None = None
        self._when_quiet: Callable[[], None] | None = None
        self._deferred: list[Callable[[], None]] = []
        self._wake = trio.Event()

    def commit(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """See ``Driver.commit``."""
        self._start(self._writer, lambda sql: in_transaction(sql, work, "BEGIN IMMEDIATE"), done)

    def checkpoint(self, done: Done[int], *, whole: bool) -> None:
        """See ``Driver.checkpoint``."""

        def finished(pages: int | None, error: BaseException | None) -> None:
            if pages is None or pages < self._wal_pages_max or not whole:
                done(pages, error)
            else:
                self._checkpoint_alone(done)

        self._start(self._checkpointer, checkpoint, finished)

    def _checkpoint_alone(self, done: Done[int]) -> None:
        def finished(pages: int | None, error: BaseException | None) -> None:
            held, self._held = self._held or [], None
            done(pages, error)
            for read in held:
                read()

        self._held = []
        self._when_quiet = partial(self._start, self._checkpointer, checkpoint, finished)
        self._look_for_quiet()

    def _look_for_quiet(self) -> None:
        if self._reading == 0 and self._when_quiet is not None:
            start, self._when_quiet = self._when_quiet, None
            start()

    def read(self, work: Callable[[sqlite3.Connection], T], done: Done[T]) -> None:
        """See ``Driver.read``."""
        if self._held is not None:
            self._held.append(lambda: self.read(work, done))
            return

        def finished(value: T | None, error: BaseException | None) -> None:
            self._reading -= 1
            self._look_for_quiet()
            done(value, error)

        self._next_reader = (self._next_reader + 1) % len(self._readers)
        self._reading += 1
        reader = self._readers[self._next_reader]
        self._start(reader, lambda sql: in_transaction(sql, work, "BEGIN"), finished)

    def defer(self, call: Callable[[], None]) -> None:
        """See ``Driver.defer``."""
        self._deferred.append(call)
        self._wake.set()

    async def run_deferred(self) -> None:
        """Make deferred calls, for ever; waking this task costs no system call.

        Cancellation: what waits is not called.
        """
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            calls, self._deferred = self._deferred, []
            for call in calls:
                call()

    def _start(
        self, connection: BatchConnection, work: Callable[[sqlite3.Connection], T], done: Done[T]
    ) -> None:
        def run(sql: sqlite3.Connection) -> None:
            try:
                result = work(sql)
            except BaseException as error:  # noqa: BLE001, ASYNC103 - crosses a thread; the loop decides
                self._report(done, None, error)
            else:
                self._report(done, result, None)

        try:
            connection.start_nowait(run)
        except ValueError as error:
            self._token.run_sync_soon(done, None, error)

    def _report(self, done: Done[T], result: T | None, error: BaseException | None) -> None:
        """Called in a connection's thread; a loop that has ended hears nothing."""
        try:
            self._token.run_sync_soon(done, result, error)
        except trio.RunFinishedError:
            return


@asynccontextmanager
async def open_driver(path: Path) -> AsyncIterator[AiosqliteDriver]:
    """Open the connections; on leaving, the readers close first and the writer checkpoints.

    Raises:
        StoreRefusedError: see ``open_connections``.

    Cancellation: opening and closing are not interrupted; what was started is finished before the
    files close.
    """
    # Opened before there is an asyncio loop: nothing can fail or be cancelled while a thread of
    # aiosqlite holds a file that nobody knows of, and a refusal is not wrapped in groups.
    opened = await trio.to_thread.run_sync(open_connections, path)
    with ExitStack() as files:
        for sql in opened:
            files.callback(sql.close)
        async with trio_asyncio.open_loop(), AsyncExitStack() as stack:
            writer, checkpointer, *readers = [await _start_thread(stack, sql) for sql in opened]
            driver = AiosqliteDriver(writer, checkpointer, readers)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(driver.run_deferred)
                yield driver
                nursery.cancel_scope.cancel()


async def _start_thread(stack: AsyncExitStack, sql: sqlite3.Connection) -> BatchConnection:
    connection = BatchConnection(sql)
    with trio.CancelScope(shield=True):
        await trio_asyncio.aio_as_trio(_connect)(connection)
    stack.push_async_callback(_close, connection)
    return connection


async def _connect(connection: BatchConnection) -> None:
    _ = await connection  # starts the thread


async def _close(connection: BatchConnection) -> None:
    with trio.CancelScope(shield=True):
        await trio_asyncio.aio_as_trio(connection.close)()

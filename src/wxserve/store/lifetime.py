"""The store's life: opening it, even when the disk is full, and closing it whatever happened."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from .directory import Ballast, DataDirectory
from .driver import Driver
from .driver_aiosqlite import open_driver
from .errors import NoSpaceError, StoreFailedError, StoreRefusedError
from .limits import StoreLimits
from .memory import Memory
from .ports import Clock, Entropy
from .starting import load_memory
from .store import Store

CLOSE_DEADLINE_S: Final = 30.0
"""How long closing waits for what is under way: as long as a disk may hang."""
SPACE_LOOK_S: Final = 1.0
"""How often a database that cannot be opened for want of space is tried again."""
_log = logging.getLogger("wxserve.store")


@asynccontextmanager
async def open_store(
    directory: Path, *, clock: Clock, entropy: Entropy, limits: StoreLimits
) -> AsyncIterator[Store]:
    """Open the store in a data directory, creating it when there is none.

    When the disk is too full even for that, waits until there is space. Leaving, for whatever
    reason, writes the cursors that wait, then closes the files.

    Raises:
        StoreRefusedError: SQLite too old, database newer than this program, directory in use or not
            private; the message says which and what to do.

    Cancellation: what was submitted is settled before the files close.
    """
    data = DataDirectory(directory)
    try:
        async with AsyncExitStack() as stack:
            driver = await _enter_driver(stack, data, Ballast(directory, limits.ballast_bytes))
            opening = open_on(driver, clock=clock, entropy=entropy, limits=limits)
            store = await stack.enter_async_context(opening)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.maintain, directory)
                try:
                    yield store
                finally:
                    with trio.move_on_after(CLOSE_DEADLINE_S, shield=True):
                        await _settle(store)
                nursery.cancel_scope.cancel()
    finally:
        data.close()


async def _enter_driver(stack: AsyncExitStack, data: DataDirectory, ballast: Ballast) -> Driver:
    """Open the files. With a full disk, give up the ballast for it, then wait for space.

    Raises:
        StoreRefusedError: see ``open_store``.
        NoSpaceError: there is no database yet.
    """
    exists = data.has_database
    while True:
        try:
            return await stack.enter_async_context(open_driver(data.database))
        except NoSpaceError:
            if not exists:
                raise
        _log.warning("store.no_space", extra={"ballast": ballast.held})
        await trio.sleep(0 if ballast.held else SPACE_LOOK_S)
        ballast.release()


async def _settle(store: Store) -> None:
    """Write what waits to be written, unless the store has stopped for good."""
    store.flush_cursors()
    try:
        await store.wait_idle()
    except StoreFailedError as error:
        _log.error("store.closed_after_failure", extra={"reason": str(error)})


@asynccontextmanager
async def open_on(
    driver: Driver, *, clock: Clock, entropy: Entropy, limits: StoreLimits
) -> AsyncIterator[Store]:
    """Open the store on a driver; without housekeeping, which simulations start themselves.

    Raises:
        StoreRefusedError: the tables cannot be read, or there is no space for the first rows.
    """
    memory = Memory(limits, clock)
    try:
        timeline = await load_memory(driver, memory, clock, entropy)
    except sqlite3.Error as error:
        raise StoreRefusedError(f"the database cannot be read: {error}") from error
    yield Store(driver, memory, timeline, clock, limits)

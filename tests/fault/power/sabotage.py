"""Ways to break the store on purpose; the suite must notice each of them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.store import batch, directory, opening, writer
from wxserve.store.batch import BatchResult
from wxserve.store.driver import Done
from wxserve.store.errors import is_fatal
from wxserve.store.transaction import Transaction
from wxserve.store.units import Item, Unit, Work

from .paced import PacedDriver

WRITING: Final = slice(2)
CHECKPOINTING: Final = slice(1, 2)
"""Of the connections that are opened: those that write, and the one that copies the log back."""


class Way(NamedTuple):
    """One thing replaced by another."""

    where: Any
    attribute: str
    instead: Any


def _commit_late(
    self: PacedDriver, work: Callable[[sqlite3.Connection], Any], done: Done[Any]
) -> None:
    """Report a batch as committed, then commit it."""

    async def step() -> None:
        try:
            self.writer.execute("BEGIN IMMEDIATE")
            result = work(self.writer)
        except Exception as error:  # noqa: BLE001 - reported like the shipped driver's
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")
            done(None, error)
        else:
            done(result, None)
            await self.writes.pause()
            self.writer.execute("COMMIT")

    self.writes.add(step)


def _advance_early(usual: Any, sql: Any, tx: Transaction, batch: Any) -> BatchResult:
    """Move the heads in memory before the batch is committed."""
    result: BatchResult = usual(sql, tx, batch)
    tx.apply()
    vars(tx)["apply"] = lambda: None
    return result


class Blind:
    """A connection that always believes its transaction to be open."""

    in_transaction = True

    def __init__(self, sql: Any) -> None:
        self._sql = sql

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sql, name)


def _without_check(usual: Any, sql: Any, tx: Transaction, batch: Any) -> BatchResult:
    result: BatchResult = usual(Blind(sql), tx, batch)
    return result


class Unsaved:
    """A connection without savepoints."""

    def __init__(self, sql: Any) -> None:
        self._sql = sql

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sql, name)

    def execute(self, sql: str, *values: Any) -> Any:
        """Run a statement unless it is about a savepoint."""
        if sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK TO")):
            sql, values = "SELECT 1", ()
        return self._sql.execute(sql, *values)


def _without_savepoints(usual: Any, sql: Any, tx: Transaction, batch: Any) -> BatchResult:
    result: BatchResult = usual(Unsaved(sql), tx, batch)
    return result


def _silently(work: Work[Any]) -> Work[Any]:
    """Make nothing of a failed write or read."""

    def silent(tx: Transaction) -> Any:
        try:
            return work(tx)
        except sqlite3.Error as error:
            if not is_fatal(error):
                raise
            return Refusal(ErrorCode.INTERNAL)

    return silent


def _silent_units(usual: Any, sql: Any, tx: Transaction, batch: list[Item]) -> BatchResult:
    """Let the units of the batch keep failed writes to themselves."""
    silent: list[Item] = [
        one._replace(work=_silently(one.work)) if isinstance(one, Unit) else one for one in batch
    ]
    result: BatchResult = usual(sql, tx, silent)
    return result


def _create_one(path: Path) -> None:
    """Make the data directory and those above it, and synchronise only the last name."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True)
        opening.sync_directory(path.parent)


def _opened_with(
    usual: Any, synchronous: str, which: slice, *arguments: Any, **options: Any
) -> Any:
    connections = usual(*arguments, **options)
    for connection in connections[which]:
        connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connections


def _batch(instead: Any, *inner: Any) -> Way:
    usual = vars(writer)["run_batch"]
    for one in inner:
        usual = partial(one, usual)
    return Way(writer, "run_batch", partial(instead, usual))


def _synchronised(value: str, which: slice = WRITING) -> Way:
    opened = partial(_opened_with, opening.open_connections, value, which)
    return Way(opening, "open_connections", opened)


WAYS: Final[dict[str, tuple[Way, ...]]] = {
    "none": (),
    "early": (Way(PacedDriver, "commit", _commit_late),),
    "normal": (_synchronised("NORMAL"),),
    "off": (_synchronised("OFF"),),
    "copy-off": (_synchronised("OFF", CHECKPOINTING),),
    "heads": (_batch(_advance_early),),
    "no-check": (_batch(_without_savepoints, _without_check),),
    "no-savepoints": (_batch(_without_savepoints),),
    "silent-units": (_batch(_silent_units),),
    "silent-unnoted": (_batch(_silent_units), Way(batch, "fatal_error", lambda _: None)),
    "no-directories": (),  # the disk itself ignores what is asked of directories
    "own-directory": (Way(directory, "sync_directory", lambda _: None),),
    "one-directory": (Way(directory, "_create", _create_one),),
}


@contextmanager
def sabotaged(name: str) -> Iterator[None]:
    """Break the store in one way inside."""
    ways = WAYS[name]
    usual = [getattr(way.where, way.attribute) for way in ways]
    for way in ways:
        setattr(way.where, way.attribute, way.instead)
    try:
        yield
    finally:
        for way, value in zip(ways, usual, strict=True):
            setattr(way.where, way.attribute, value)

"""One batch: its units inside one transaction, each kept apart from the others."""

import sqlite3
from typing import Any, Final, NamedTuple

from wxserve.protocol.exceptions import Refusal

from .appends import append_message
from .errors import BatchLostError, is_fatal, primary_code, refusal_for, storage_full
from .state import Append, Entry
from .transaction import Transaction
from .units import Item, Look, Unit, turn_of
from .watched import fatal_error

_LOST: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT})
"""What makes SQLite roll the whole transaction back, savepoint or not."""


class BatchResult(NamedTuple):
    """What a committed batch made.

    Attributes:
        transaction: to be applied to memory.
        outcomes: per item its value or refusal, and the entries it appended if it is a unit.
        changes: rows written.
    """

    transaction: Transaction
    outcomes: list[tuple[Any, tuple[Entry, ...]]]
    changes: int


def run_batch(sql: sqlite3.Connection, tx: Transaction, batch: list[Item]) -> BatchResult:
    """Run every unit of a batch inside the open transaction.

    A refused unit leaves nothing behind. After each unit the transaction must still be open:
    SQLite rolls all of it back when it runs out of space or memory. A fatal error ends the batch
    even if the unit that met it made nothing of it.

    Raises:
        BatchLostError: the transaction is gone; nothing of the batch may be accepted.
    """
    tx.sql = sql
    before = sql.total_changes
    outcomes: list[tuple[Any, tuple[Entry, ...]]] = []
    for index, item in enumerate(batch):
        if isinstance(item, Unit):
            tx.flush()  # before the unit's savepoint; if it fails, the unit is not to blame
        try:
            outcomes.append(_run(tx, item))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            # A defect of one unit, sys.exit() included, must not take the others with it.
            raise BatchLostError(index, fatal_error(sql) or error) from error
        if not isinstance(item, Append):  # which keeps no error to itself
            _check(sql, index)
    tx.finish()
    _check(sql, -1)
    return BatchResult(tx, outcomes, sql.total_changes - before)


def _check(sql: sqlite3.Connection, index: int) -> None:
    """Raise BatchLostError if the transaction is gone, or an error that should end the store was."""
    fatal = fatal_error(sql)
    if fatal is not None or not sql.in_transaction:
        raise BatchLostError(index, fatal)


def _run(tx: Transaction, item: Item) -> tuple[Any, tuple[Entry, ...]]:
    try:
        if isinstance(item, Append):
            outcome: tuple[Any, tuple[Entry, ...]] = append_message(tx, item), ()
        elif isinstance(item, Look):
            outcome = _run_look(tx, item)
        else:
            outcome = _run_unit(tx, item)
    except Refusal as refusal:
        if refusal.__cause__ is not None:
            tx.defects.append(refusal.__cause__)
        _decide(tx, item, refusal)
        return refusal, ()
    if tx.turns.waiting:
        _decide(tx, item, None)
    return outcome


def _decide(tx: Transaction, item: Item, refusal: Refusal | None) -> None:
    turn = turn_of(item)
    if turn is not None:
        tx.turns.decide(turn, refusal)


def _run_look(tx: Transaction, look: Look[Any]) -> tuple[Any, tuple[Entry, ...]]:
    """Run what writes nothing.

    Raises:
        Refusal: it refused, or failed, which its cause tells.
    """
    try:
        return look.work(tx), ()
    except Refusal:
        raise
    except Exception as error:
        if _ends_batch(tx, error):
            raise
        refusal = refusal_for(error)
        raise refusal from error


def _ends_batch(tx: Transaction, error: Exception) -> bool:
    return not tx.sql.in_transaction or primary_code(error) in _LOST or is_fatal(error)


def _run_unit(tx: Transaction, unit: Unit[Any]) -> tuple[Any, tuple[Entry, ...]]:
    """Run a unit inside a savepoint.

    Raises:
        Refusal: it refused, or failed, which its cause tells; nothing of it is left.
    """
    refusal = storage_full()
    if tx.full and not unit.always:
        raise refusal
    tx.begin_unit()
    try:
        value = unit.work(tx)
        entries = tx.end_unit()
    except Refusal:
        tx.abandon_unit()
        raise
    except Exception as error:
        if _ends_batch(tx, error):
            raise
        tx.abandon_unit()
        refusal = refusal_for(error)
        raise refusal from error
    return value, entries

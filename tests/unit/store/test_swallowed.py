"""A unit of work that keeps a fatal error of the database to itself cannot hide it."""

import gc
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from wxserve.protocol.envelope import Kind
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.store.opening import open_writer
from wxserve.store.transaction import Transaction
from wxserve.store.units import Unit
from wxserve.store.watched import fatal_error

from .room import Reply, SeededRoom, seeded_room

INSERT = "INSERT INTO meta VALUES (?, 1)"


@contextmanager
def forbidden(sql: sqlite3.Connection) -> Iterator[None]:
    """Let writes fail inside: SQLITE_READONLY, which leaves the transaction open."""
    sql.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        with suppress(sqlite3.OperationalError):  # nothing is run any more if it was noted
            sql.execute("PRAGMA query_only = OFF")


def one(tx: Transaction) -> str:
    with forbidden(tx.sql), suppress(sqlite3.OperationalError):
        tx.sql.execute(INSERT, ("lost",))
    return "nothing happened"


def many(tx: Transaction) -> str:
    with forbidden(tx.sql), suppress(sqlite3.OperationalError):
        tx.sql.executemany(INSERT, [("lost",), ("too",)])
    return "nothing happened"


def refused(tx: Transaction) -> str:
    one(tx)
    raise Refusal(ErrorCode.FORBIDDEN)


def broken(tx: Transaction) -> str:
    one(tx)
    raise KeyError("a defect on top of it")


def gone(tx: Transaction) -> str:
    """Lose the transaction, too, as SQLite does after a failed write or read."""
    one(tx)
    tx.sql.execute("ROLLBACK")
    return "nothing happened"


def begun_again(tx: Transaction) -> str:
    gone(tx)
    tx.sql.execute("BEGIN")
    return "nothing happened"


def submit(room: SeededRoom, work: Any, **options: Any) -> Reply:
    reply = Reply()
    room.store.writer.submit(Unit(work, reply.unit_done, **options))
    return reply


@pytest.mark.parametrize("work", [one, many, refused, broken, gone, begun_again])
async def test_fatal_error_that_a_unit_swallows_stops_the_store_all_the_same(
    tmp_path: Path, autojump_clock: MockClock, work: Any
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        room.store.writer.on_defect = lambda _: None
        person, other = await room.enrol(), await room.enrol()
        conversation = await room.direct(person, other, 1)
        replies = [room.send_nowait(person, conversation, 2), submit(room, work)]
        replies.append(room.send_nowait(person, conversation, 3))
        with trio.fail_after(60):
            assert await room.store.wait_failed() == "OperationalError SQLITE_READONLY"
        for reply in replies:
            outcome = await reply.wait()
            assert isinstance(outcome, Refusal)
            assert outcome.code is ErrorCode.SHUTTING_DOWN


async def test_entry_of_a_unit_whose_transaction_is_gone_is_not_written_without_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        room.store.writer.on_defect = lambda _: None
        person, other = await room.enrol(), await room.enrol()
        conversation = await room.direct(person, other, 1)

        def append(tx: Transaction) -> None:
            state = tx.conversation(conversation)
            assert state is not None
            tx.append_server(state, Kind.CLOSED, ())
            tx.sql.set_progress_handler(lambda: 1, 1)
            with suppress(sqlite3.OperationalError):
                tx.sql.execute("UPDATE log SET state = state")
            tx.sql.set_progress_handler(None, 0)
            assert not tx.sql.in_transaction, "this test has lost its point"

        before = await room.rows("SELECT position FROM log ORDER BY position")
        outcome = await submit(room, append).wait()
        assert isinstance(outcome, Refusal)
        assert await room.rows("SELECT position FROM log ORDER BY position") == before
        assert (await room.send(person, conversation, 2)).seq == 2


async def test_error_of_a_unit_that_is_not_fatal_stops_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def clumsy(tx: Transaction) -> str:
        with suppress(sqlite3.OperationalError):
            tx.sql.execute("nonsense")
        with suppress(sqlite3.IntegrityError):
            tx.sql.executemany(INSERT, [("twice",), ("twice",)])
        return "nothing lost"

    async with seeded_room(tmp_path, maintained=False) as room:
        reply = submit(room, clumsy)
        assert await reply.wait() == "nothing lost"
        assert not room.store.writer.failed


def test_fatal_error_while_rows_are_fetched_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    sql = open_writer(path)
    sql.execute("CREATE TABLE big (key INTEGER PRIMARY KEY, value BLOB)")
    sql.executemany("INSERT INTO big VALUES (?, zeroblob(3000))", [(n,) for n in range(400)])
    sql.close()
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half:] = b"\xff" * (len(data) - half)  # what the disk holds is damaged behind
    path.write_bytes(data)
    ways: list[Callable[[sqlite3.Cursor], object]] = [
        list,
        lambda rows: rows.fetchall(),
        lambda rows: list(iter(rows.fetchone, None)),
    ]
    for fetch in ways:
        sql = open_writer(path)
        rows = sql.execute("SELECT key, length(value) FROM big")
        assert rows.fetchone() == (0, 3000)
        assert fatal_error(sql) is None
        with pytest.raises(sqlite3.DatabaseError):
            fetch(rows)
        assert fatal_error(sql) is not None
        sql.close()


def test_connection_that_noted_an_error_closes_its_files(tmp_path: Path) -> None:
    """Whatever else is kept of the error, it does not keep the connection."""
    sql = open_writer(tmp_path / "x.sqlite3")
    with forbidden(sql), pytest.raises(sqlite3.OperationalError):
        sql.execute(INSERT, ("lost",))
    with pytest.raises(sqlite3.OperationalError):
        sql.execute("SELECT 1")
    gone = weakref.ref(sql)
    gc.disable()
    try:
        sql.close()
        del sql
        assert gone() is None
    finally:
        gc.enable()

"""A full disk: what needs no space has its answer, whatever shares its commit."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from wxserve.protocol.errors import ErrorCode
from wxserve.store.driver import Done
from wxserve.store.driver_seeded import SeededDriver
from wxserve.store.transaction import Transaction

from .room import seeded_room
from .test_looks import look
from .test_writer import code, submit, talk


def fill(driver: SeededDriver) -> None:
    """Let every transaction that has written anything fail at its commit."""
    usual = driver.commit

    def commit(work: Callable[[sqlite3.Connection], Any], done: Done[Any]) -> None:
        def guarded(sql: sqlite3.Connection) -> Any:
            before, result = sql.total_changes, work(sql)
            if sql.total_changes > before:
                raise full()
            return result

        usual(guarded, done)

    vars(driver)["commit"] = commit


def full() -> sqlite3.OperationalError:
    """Return what SQLite says when there is no space."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def write(tx: Transaction) -> None:
    tx.sql.execute("INSERT INTO meta VALUES ('note', 1)")


async def test_full_disk_answers_what_needs_no_space_beside_what_does(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        one, conversation = await talk(room)
        accepted = await room.send(one, conversation, 2)
        fill(room.driver)
        assert code(await room.send(one, conversation, 3)) == ErrorCode.STORAGE_FULL
        assert room.store.writer.full
        housekeeping = submit(room, write, always=True)
        again = room.send_nowait(one, conversation, 2)
        reading = submit(room, lambda _: "read", always=True)
        assert code(await housekeeping.wait()) == ErrorCode.STORAGE_FULL
        assert await again.wait() == accepted
        assert await reading.wait() == "read"
        assert not room.store.writer.failed


async def test_lookup_for_which_a_page_of_others_had_to_make_room_has_its_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        one, conversation = await talk(room)
        fill(room.driver)
        await room.send(one, conversation, 2)
        wrote: list[Transaction] = []

        def keep_house(tx: Transaction) -> None:
            write(tx)
            wrote.append(tx)

        def read(tx: Transaction) -> str:
            if tx in wrote:
                raise full()
            return "read"

        housekeeping = submit(room, keep_house, always=True)
        reading, last = look(room, read), look(room, read)
        assert code(await housekeeping.wait()) == ErrorCode.STORAGE_FULL
        assert [await reading.wait(), await last.wait()] == ["read", "read"]


async def test_cursors_that_found_no_space_are_written_when_there_is_some(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path) as room:
        one, other = await room.enrol(), await room.enrol()
        conversation = await room.direct(one, other, 1)
        await room.send(one, conversation, 2)
        fill(room.driver)
        room.store.acknowledge(other.device, conversation, 1)
        await trio.sleep(60)
        vars(room.driver).pop("commit")
        await trio.sleep(60)
        cursor = "SELECT seq FROM cursor WHERE device = ?"
        assert await room.rows(cursor, other.device) == [(1,)]

"""Group commit, and what is left when a batch is lost."""

import ctypes
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import ConversationId
from wxserve.store.errors import BatchLostError, StoreFailedError
from wxserve.store.limits import StoreLimits
from wxserve.store.state import Entry
from wxserve.store.transaction import Transaction
from wxserve.store.units import Unit
from wxserve.store.writer import BUSY_BATCHES_MAX

from .room import SMALL, Person, Reply, SeededRoom, seeded_room, until

Talk = tuple[Person, ConversationId]


async def talk(room: SeededRoom) -> Talk:
    """Return someone with a conversation; the first operation is spent on that."""
    one, other = await room.enrol(), await room.enrol()
    return one, await room.direct(one, other, 1)


def note(text: str) -> Any:
    """Return a unit that leaves a row."""

    def work(tx: Transaction) -> str:
        tx.sql.execute("INSERT INTO meta VALUES (?, 1)", (text,))
        return text

    return work


async def notes(room: SeededRoom) -> list[str]:
    found = await room.rows("SELECT key FROM meta WHERE key LIKE 'note%' ORDER BY key")
    return [key for (key,) in found]


def submit(room: SeededRoom, work: Any, **options: Any) -> Reply:
    reply = Reply()
    room.store.writer.submit(Unit(work, reply.unit_done, **options))
    return reply


def code(outcome: Any) -> ErrorCode:
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


# -- group commit ----------------------------------------------------------------------------------


async def test_all_that_one_step_brings_shares_a_commit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        before = room.driver.commits
        accepted = await room.accepted(person, conversation, range(2, 502))
        assert room.driver.commits == before + 1
        assert [one.seq for one in accepted] == list(range(2, 502))


async def test_what_comes_during_a_commit_shares_the_next(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        before = room.driver.commits
        first = room.send_nowait(person, conversation, 2)
        await until(lambda: not room.store.writer._queue)
        later = [room.send_nowait(person, conversation, counter) for counter in range(3, 50)]
        await later[-1].wait()
        assert first.is_told
        assert room.driver.commits == before + 2


async def test_batch_is_bounded(tmp_path: Path, autojump_clock: MockClock) -> None:
    limits = StoreLimits(ballast_bytes=0, batch_units_max=10)
    async with seeded_room(tmp_path, maintained=False, limits=limits) as room:
        person, conversation = await talk(room)
        before = room.driver.commits
        await room.accepted(person, conversation, range(2, 37))
        assert room.driver.commits == before + 4


async def test_hundred_appends_take_two_inserts_and_nothing_per_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        statements: list[str] = []
        room.driver._writer.set_trace_callback(statements.append)
        await room.accepted(person, conversation, range(2, 102))
        room.driver._writer.set_trace_callback(None)
        verbs = [statement.split(" ", 2)[0] for statement in statements]
        assert verbs == ["BEGIN", "INSERT", "INSERT", "COMMIT"]


# -- units kept apart ------------------------------------------------------------------------------


class OwnDefectError(Exception):
    """Ours."""


def fail_after_writing(error: BaseException) -> Any:
    def work(tx: Transaction) -> None:
        note("note-failed")(tx)
        raise error

    return work


def leave(tx: Transaction) -> None:
    note("note-failed")(tx)
    sys.exit(3)


def break_constraint(tx: Transaction) -> None:
    note("note-failed")(tx)
    note("note-failed")(tx)


def swallow_constraint(tx: Transaction) -> str:
    note("note-kept")(tx)
    try:
        note("note-kept")(tx)
    except sqlite3.IntegrityError:
        return "handled"
    raise AssertionError("no conflict")


FAILING = {
    "defect": (fail_after_writing(OwnDefectError()), ErrorCode.INTERNAL),
    "refusal": (fail_after_writing(Refusal(ErrorCode.FORBIDDEN)), ErrorCode.FORBIDDEN),
    "exit": (leave, ErrorCode.INTERNAL),
    "no memory": (fail_after_writing(MemoryError()), ErrorCode.INTERNAL),
    "cancelled": (fail_after_writing(trio.TooSlowError()), ErrorCode.INTERNAL),
    "constraint": (break_constraint, ErrorCode.INTERNAL),
    "nonsense": (lambda tx: tx.sql.execute("nonsense"), ErrorCode.INTERNAL),
    "rolls back itself": (lambda tx: tx.sql.execute("ROLLBACK"), ErrorCode.INTERNAL),
}


@pytest.mark.parametrize("kind", FAILING)
async def test_unit_that_fails_takes_nobody_with_it(
    tmp_path: Path, autojump_clock: MockClock, kind: str
) -> None:
    work, expected = FAILING[kind]
    async with seeded_room(tmp_path, maintained=False) as room:
        defects: list[BaseException | None] = []
        room.store.writer.on_defect = defects.append
        person, conversation = await talk(room)
        replies = [
            room.send_nowait(person, conversation, 2),
            submit(room, note("note-before")),
            submit(room, work),
            submit(room, note("note-after")),
            room.send_nowait(person, conversation, 3),
        ]
        outcomes = [await reply.wait() for reply in replies]
        assert code(outcomes[2]) == expected
        assert outcomes[1::2] == ["note-before", "note-after"]
        assert [outcomes[0].seq, outcomes[4].seq] == [2, 3]
        assert await notes(room) == ["note-after", "note-before"]
        assert bool(defects) is (kind != "refusal")
        assert not room.store.writer.failed


async def test_unit_that_handles_an_error_of_the_database_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        assert await room.store.run(swallow_constraint) == "handled"
        assert await notes(room) == ["note-kept"]


async def test_callback_that_fails_keeps_nobody_from_hearing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def broken(*_: Any) -> None:
        raise OwnDefectError

    async with seeded_room(tmp_path, maintained=False) as room:
        defects: list[BaseException | None] = []
        room.store.writer.on_defect = defects.append
        person, conversation = await talk(room)
        room.store.append(room.append(person, conversation, 2)._replace(done=broken))
        room.store.submit(note("note"), broken)
        assert isinstance(await room.send(person, conversation, 3), Accepted)
        assert [type(one) for one in defects] == [OwnDefectError] * 2


async def test_poisoned_append_is_found_among_a_thousand(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        defects: list[BaseException | None] = []
        room.store.writer.on_defect = defects.append
        person, conversation = await talk(room)
        appends = [room.append(person, conversation, counter) for counter in range(2, 1002)]
        # A time to live that no column can hold: the row fails when it is written, not before.
        appends[700] = appends[700]._replace(ttl_s=1 << 61)
        for append in appends:
            room.store.append(append)
        outcomes = [await append.context.wait() for append in appends]
        assert code(outcomes[700]) == ErrorCode.INTERNAL
        later = [code(one) for one in outcomes[701:]]
        assert later == [ErrorCode.RETRY_ORDER] * len(later), "the order holds"
        assert [one.seq for one in outcomes[:700]] == list(range(2, 702))
        assert defects
        assert not room.store.writer.failed


async def test_log_and_memory_that_disagree_stop_the_store(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        room.store._memory.position -= 1
        replies = [room.send_nowait(person, conversation, counter) for counter in (2, 3)]
        assert [code(await reply.wait()) for reply in replies] == [ErrorCode.SHUTTING_DOWN] * 2
        assert room.store.writer.failed == "IntegrityError SQLITE_CONSTRAINT_PRIMARYKEY"


# -- the transaction lost under a unit -------------------------------------------------------------


def sqlite_library() -> ctypes.CDLL:
    """Return the SQLite that Python uses, for what has no statement."""
    for name in ("libsqlite3.so.0", "libsqlite3.dylib"):
        with suppress(OSError):
            library = ctypes.CDLL(name)
            library.sqlite3_libversion.restype = ctypes.c_char_p
            if library.sqlite3_libversion().decode() == sqlite3.sqlite_version:
                library.sqlite3_hard_heap_limit64.argtypes = [ctypes.c_int64]
                library.sqlite3_hard_heap_limit64.restype = ctypes.c_int64
                return library
    pytest.skip("NOT TESTED: this Python has SQLite built in, so it cannot be made to lack memory")


def interrupted(tx: Transaction) -> None:
    """Be interrupted in the middle of a write, which rolls the whole transaction back."""
    tx.sql.set_progress_handler(lambda: 1, 1)
    try:
        tx.sql.execute("UPDATE log SET state = state")
    finally:
        tx.sql.set_progress_handler(None, 0)


def interrupted_in_silence(tx: Transaction) -> str:
    try:
        interrupted(tx)
    except sqlite3.OperationalError:
        assert not tx.sql.in_transaction, "this test has lost its point"
    return "nothing happened"


def interrupted_and_begun_again(tx: Transaction) -> str:
    interrupted_in_silence(tx)
    tx.sql.execute("BEGIN")
    return "nothing happened"


@pytest.mark.parametrize("work", [interrupted, interrupted_in_silence, interrupted_and_begun_again])
async def test_transaction_lost_under_a_unit_accepts_nothing_and_the_others_run_again(
    tmp_path: Path, autojump_clock: MockClock, work: Any
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        room.store.writer.on_defect = lambda _: None
        person, conversation = await talk(room)
        before = room.driver.commits
        replies = [
            room.send_nowait(person, conversation, 2),
            submit(room, work),
            submit(room, note("note")),
            room.send_nowait(person, conversation, 3),
        ]
        outcomes = [await reply.wait() for reply in replies]
        assert code(outcomes[1]) == ErrorCode.INTERNAL
        assert [outcomes[0].seq, outcomes[2], outcomes[3].seq] == [2, "note", 3]
        assert room.driver.commits == before + 1
        rows = await room.rows("SELECT seq FROM log WHERE conversation = ?", conversation)
        assert rows == [(1,), (2,), (3,)]


async def test_unit_without_memory_loses_only_itself(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    library = sqlite_library()
    caught: list[BaseException] = []

    def greedy(tx: Transaction) -> None:
        before = library.sqlite3_hard_heap_limit64(1)
        try:
            tx.sql.execute("INSERT INTO meta VALUES ('note-greedy', randomblob(10000000))")
        except MemoryError as error:
            caught.append(error)
            raise
        finally:
            library.sqlite3_hard_heap_limit64(before)

    async with seeded_room(tmp_path, maintained=False) as room:
        room.store.writer.on_defect = lambda _: None
        person, conversation = await talk(room)
        replies = [
            room.send_nowait(person, conversation, 2),
            submit(room, greedy),
            room.send_nowait(person, conversation, 3),
        ]
        outcomes = [await reply.wait() for reply in replies]
        assert code(outcomes[1]) == ErrorCode.INTERNAL
        assert [outcomes[0].seq, outcomes[2].seq] == [2, 3]
        assert caught


async def test_unit_that_commits_itself_stops_the_store(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        room.store.writer.on_defect = lambda _: None
        person, conversation = await talk(room)
        replies = [
            room.send_nowait(person, conversation, 2),
            submit(room, lambda tx: tx.sql.execute("COMMIT")),
        ]
        outcomes = [await reply.wait() for reply in replies]
        assert code(outcomes[1]) == ErrorCode.INTERNAL
        assert code(outcomes[0]) == ErrorCode.SHUTTING_DOWN
        assert room.store.writer.failed


# -- another program -------------------------------------------------------------------------------


async def test_database_held_by_another_program_is_waited_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        room.driver._writer.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(tmp_path / "wxserve.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        reply = room.send_nowait(person, conversation, 2)
        await until(lambda: room.store.writer._busy >= 3)
        other.execute("ROLLBACK")
        assert isinstance(await reply.wait(), Accepted)
        assert not room.store.writer._busy
        other.execute("BEGIN IMMEDIATE")
        reply = room.send_nowait(person, conversation, 3)
        assert code(await reply.wait()) == ErrorCode.SHUTTING_DOWN
        assert room.store.writer._busy == BUSY_BATCHES_MAX + 1
        assert room.store.writer.failed == "OperationalError SQLITE_BUSY"
        other.close()


# -- bounds and the end ----------------------------------------------------------------------------


async def test_full_queue_refuses_and_later_operations_keep_their_order(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = StoreLimits(ballast_bytes=0, queue_units_max=4)
    async with seeded_room(tmp_path, maintained=False, limits=limits) as room:
        person, conversation = await talk(room)
        replies = [room.send_nowait(person, conversation, counter) for counter in range(2, 7)]
        assert not any(reply.is_told for reply in replies), "never at once"
        outcomes = [await reply.wait() for reply in replies]
        assert [one.seq for one in outcomes[:4]] == [2, 3, 4, 5]
        assert code(outcomes[4]) == ErrorCode.OVERLOADED
        # The fifth came after the fourth, but was refused before that was accepted.
        assert code(await room.send(person, conversation, 7)) == ErrorCode.RETRY_ORDER
        assert (await room.send(person, conversation, 6)).seq == 6
        assert (await room.send(person, conversation, 7)).seq == 7


async def test_failed_store_accepts_nothing_and_tells_everybody(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path) as room:
        person, conversation = await talk(room)

        def break_disk(tx: Transaction) -> None:
            del tx
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error

        replies = [room.send_nowait(person, conversation, 2), submit(room, break_disk)]
        await until(lambda: not room.store.writer._queue)
        replies.append(room.send_nowait(person, conversation, 3))
        with pytest.raises(StoreFailedError, match="FSYNC"):
            await room.store.wait_idle()
        assert await room.store.wait_failed() == "OperationalError SQLITE_IOERR_FSYNC"
        replies.append(room.send_nowait(person, conversation, 4))
        assert {code(await reply.wait()) for reply in replies} == {ErrorCode.SHUTTING_DOWN}
        await room.store.wait_idle()
        await trio.sleep(600)
        assert (await room.read(conversation, 1, 1))[0].frame is not None, "reads go on"
        assert room.store.position == 3


async def test_wait_idle_returns_though_others_go_on_submitting(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        await room.store.wait_idle()
        replies = [room.send_nowait(person, conversation, counter) for counter in range(2, 9)]
        await room.store.wait_idle()
        assert all(reply.is_told for reply in replies)


async def test_run_cancelled_leaves_the_unit_to_itself(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        with trio.move_on_after(0) as scope:
            await room.store.run(note("note"))
        assert scope.cancelled_caught
        await room.store.wait_idle()
        assert await notes(room) == ["note"]


def test_batch_lost_error_names_the_unit() -> None:
    assert str(BatchLostError(3, ValueError("x"))) == "unit 3: ValueError('x')"


async def test_entries_of_a_refused_unit_are_nowhere(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        seen: list[Entry] = []

        def append_then_refuse(tx: Transaction) -> None:
            state = tx.conversation(conversation)
            assert state is not None
            seen.append(tx.append_server(state, 20, ("x",)))  # type: ignore[arg-type]
            assert tx.position_of(conversation, 2) == seen[0].position
            raise Refusal(ErrorCode.FORBIDDEN)

        submit(room, append_then_refuse)
        accepted = await room.send(person, conversation, 2)
        assert (accepted.seq, accepted.position) == (2, seen[0].position)
        assert len(await room.rows("SELECT * FROM log WHERE seq = 2 AND frame IS NOT NULL")) == 1


assert SMALL.batch_units_max >= 1000

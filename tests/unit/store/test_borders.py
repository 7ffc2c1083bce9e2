"""Borders and rare moments: what one commit does to itself, floors, restarts, full queues, limits."""

import sqlite3
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.unit.store.room import seeded_room, until
from tests.unit.store.scene import scene
from tests.unit.store.test_recent import changed
from tests.unit.store.test_writer import (
    OwnDefectError,
    code,
    fail_after_writing,
    interrupted,
    note,
    submit,
    talk,
)
from wxserve.protocol import frames as f
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import op_id
from wxserve.store.limits import StoreLimits
from wxserve.store.reading import SkipReason


async def test_lowest_open_operation_keeps_its_answer_through_merges_and_restarts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        one, talk = s.one, s.talk
        first = await s.room.accepted(one, talk, range(2, 6))
        await trio.sleep(2)  # merged: the table knows them
        s.room.store.raise_floor(one.device, 4)
        assert await s.room.accepted(one, talk, range(4, 6)) == first[2:]
        await s.room.accepted(one, talk, range(6, 7))
        await trio.sleep(2)  # merged again, with the new floor
    async with scene(tmp_path) as s:
        assert await s.room.accepted(one, talk, range(4, 6)) == first[2:]


async def test_position_without_an_entry_is_kept_though_others_shared_its_commit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, _ = await talk(room)
        taken = submit(room, lambda tx: tx.touch(person.account))
        other = submit(room, note("note"))
        position = await taken.wait()
        await other.wait()
    async with seeded_room(tmp_path, maintained=False) as room:
        assert room.store.position == position


async def test_operation_that_comes_twice_in_one_commit_is_carried_out_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, _ = await talk(room)
        create = f.Create(op_id(person.device, 2), 2, (), b"")
        group = (await room.administer(person, create)).conversation
        close = f.Close(op_id(person.device, 3), group)
        replies = [room.administer_nowait(person, close) for _ in range(2)]
        first, second = [await reply.wait() for reply in replies]
        assert first == second
        assert first.seq == 2


async def test_message_is_redacted_in_the_commit_that_brings_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        room.send_nowait(person, conversation, 2)
        redact = f.Redact(op_id(person.device, 3), conversation, 2)
        assert isinstance(await room.administer(person, redact), Accepted)
        pieces = await room.read(conversation, 2, 2)
        assert pieces == [(2, None, SkipReason.REDACTED)]


async def test_floor_at_the_operation_that_holds_others_back_does_not_let_them_pass(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = StoreLimits(ballast_bytes=0, queue_units_max=4)
    async with seeded_room(tmp_path, maintained=False, limits=limits) as room:
        person, conversation = await talk(room)
        replies = [room.send_nowait(person, conversation, counter) for counter in range(2, 7)]
        assert code([await reply.wait() for reply in replies][-1]) == ErrorCode.OVERLOADED
        room.store.raise_floor(person.device, 6)
        assert code(await room.send(person, conversation, 7)) == ErrorCode.RETRY_ORDER
        assert (await room.send(person, conversation, 6)).seq == 6


async def test_lost_batch_runs_again_and_a_full_queue_behind_it_loses_nobody(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = StoreLimits(ballast_bytes=0, queue_units_max=4)
    async with seeded_room(tmp_path, maintained=False, limits=limits) as room:
        room.store.writer.on_defect = lambda _: None
        person, conversation = await talk(room)
        replies = [room.send_nowait(person, conversation, counter) for counter in (2, 3)]
        replies.append(submit(room, interrupted))
        await until(lambda: not room.store.writer._queue)
        replies += [room.send_nowait(person, conversation, counter) for counter in range(4, 8)]
        with trio.fail_after(20):
            await replies[-1].wait()
        outcomes = [await reply.wait() for reply in replies]
        assert code(outcomes.pop(2)) == ErrorCode.INTERNAL
        assert [one.seq for one in outcomes] == [2, 3, 4, 5, 6, 7]


async def test_commit_under_way_when_a_checkpoint_fails_is_accepted_by_nobody(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        reply = room.send_nowait(person, conversation, 2)
        await until(lambda: not room.store.writer._queue)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        room.store.writer._checkpointed(error)
        assert code(await reply.wait()) == ErrorCode.SHUTTING_DOWN


@pytest.mark.usefixtures("autojump_clock")
async def test_restart_after_pruning_tells_of_conversations_that_are_gone_from_the_log(
    tmp_path: Path,
) -> None:
    brief = StoreLimits(
        ballast_bytes=0, keep_acknowledged_s=5.0, maintenance_s=1.0, merge_entries=1
    )
    async with seeded_room(tmp_path, limits=brief) as room:
        alice, bob = await room.enrol(), await room.enrol()
        talk = await room.direct(alice, bob, 1)
        since = room.store.position
        last = await room.accepted(alice, talk, range(2, 6))
        for person in (alice, bob):
            room.store.acknowledge(person.device, talk, last[-1].seq)
        await trio.sleep(60)
        assert await room.rows("SELECT * FROM log WHERE conversation = ?", talk) == []
    async with seeded_room(tmp_path) as room:
        for position in range(since, last[-1].position):
            assert talk in await changed(room, bob, position)
        assert talk not in await changed(room, bob, last[-1].position)
        state = await room.load(talk)
        assert (state.head, state.position) == (last[-1].seq, last[-1].position)


async def test_account_joins_a_group_anew_only_so_often(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = StoreLimits(ballast_bytes=0, intervals_max=2)
    async with seeded_room(tmp_path, maintained=False, limits=limits) as room:
        one, other = await room.enrol(), await room.enrol()
        create = f.Create(op_id(one.device, 1), 2, (other.account,), b"")
        group = (await room.administer(one, create)).conversation
        for turn in range(2):
            accept = f.Accept(op_id(other.device, 1 + 2 * turn), group)
            assert isinstance(await room.administer(other, accept), Accepted)
            await room.administer(other, f.Leave(op_id(other.device, 2 + 2 * turn), group))
            invite = f.Invite(op_id(one.device, 2 + turn), group, (other.account,))
            await room.administer(one, invite)
        refusal = await room.administer(other, f.Accept(op_id(other.device, 5), group))
        assert code(refusal) == ErrorCode.LIMIT_REACHED


async def test_lowest_open_operation_keeps_its_answer_through_a_restart_before_any_merge(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path) as room:
        person, conversation = await talk(room)
        first = await room.accepted(person, conversation, range(2, 6))
        room.store.raise_floor(person.device, 4)
        room.store.flush_cursors()
        await room.store.wait_idle()
    async with seeded_room(tmp_path) as room:
        assert await room.rows("SELECT * FROM op") == []
        assert await room.accepted(person, conversation, range(4, 6)) == first[2:]


async def test_conversations_of_an_account_are_bounded_whoever_opens_them(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = StoreLimits(ballast_bytes=0, conversations_per_account_max=5)
    async with seeded_room(tmp_path, maintained=False, limits=limits) as room:
        one, other = await room.enrol(), await room.enrol()  # three of its own has each
        groups = [
            (
                await room.administer(one, f.Create(op_id(one.device, counter), 2, (), b""))
            ).conversation
            for counter in (1, 2)
        ]
        create = f.Create(op_id(one.device, 3), 2, (), b"")
        assert code(await room.administer(one, create)) == ErrorCode.LIMIT_REACHED
        direct = f.Create(op_id(other.device, 1), 1, (one.account,), b"")
        assert code(await room.administer(other, direct)) == ErrorCode.FORBIDDEN
        invite = f.Create(op_id(other.device, 2), 2, (one.account,), b"")
        assert code(await room.administer(other, invite)) == ErrorCode.FORBIDDEN
        assert isinstance(await room.send(one, groups[0], 4), Accepted)


async def test_order_of_one_device_begins_afresh_and_that_of_others_holds(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = StoreLimits(ballast_bytes=0, queue_units_max=1)
    async with seeded_room(tmp_path, maintained=False, limits=limits) as room:
        (one, conversation), (other, elsewhere) = await talk(room), await talk(room)
        for person, place in ((one, conversation), (other, elsewhere)):
            replies = [room.send_nowait(person, place, counter) for counter in (2, 3)]
            assert code([await reply.wait() for reply in replies][1]) == ErrorCode.OVERLOADED
        room.store.begin_order(one.device)
        await room.store.wait_idle()
        assert isinstance(await room.send(one, conversation, 4), Accepted)
        assert code(await room.send(other, elsewhere, 4)) == ErrorCode.RETRY_ORDER


async def test_defect_is_logged_without_what_its_message_quotes(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        defect = submit(room, fail_after_writing(OwnDefectError("somebody's words")))
        assert code(await defect.wait()) == ErrorCode.INTERNAL
    (record,) = caplog.records
    assert record.message == "store.defect"
    assert "words" not in str(vars(record))

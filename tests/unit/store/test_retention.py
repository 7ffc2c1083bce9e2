"""What is deleted, when, and who holds it back."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from wxserve.protocol import frames as f
from wxserve.protocol.envelope import Kind
from wxserve.protocol.identifiers import (
    ConversationId,
    device_conversation,
    op_id,
)
from wxserve.store.devices import revoke_device
from wxserve.store.transaction import Transaction
from wxserve.testing.memory import TestClock

from .scene import DAY_MS, HOUR_MS, LIMITS, YEAR_MS, Scene, scene

# -- age -------------------------------------------------------------------------------------------


async def test_acknowledged_entries_go_when_they_are_old_and_not_before(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        await s.say(4)
        s.acknowledge(s.one, 4)
        s.acknowledge(s.other, 3)
        s.clock.let_pass(HOUR_MS - 60_000)
        assert await s.floor() == 0
        s.clock.let_pass(60_000)
        assert await s.floor() == 3
        assert [
            seq
            for (seq,) in await s.room.rows("SELECT seq FROM log WHERE conversation = ?", s.talk)
        ] == [4, 5]
        pieces = await s.room.read(s.talk, 1, 5)
        assert [(one.through, one.frame is None, one.reason) for one in pieces[:2]] == [
            (3, True, 0), (4, False, 0),
        ]  # fmt: skip
        state = await s.room.load(s.talk)
        assert (state.head, state.floor) == (5, 3)


async def test_what_nobody_acknowledges_goes_at_the_very_end(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, limits=replace(LIMITS, dormant_s=1e9)) as s:
        await s.begin()
        await s.say(2)
        s.clock.let_pass(DAY_MS - 60_000)
        assert await s.floor() == 0
        s.clock.let_pass(60_000)
        assert await s.floor() == 3
        assert await s.room.rows("SELECT * FROM entry WHERE conversation = ?", s.talk) == []
        await s.say()
        assert (await s.room.load(s.talk)).head == 4


async def test_old_entries_go_where_too_little_is_written_for_a_merge(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, limits=replace(LIMITS, merge_entries=1000)) as s:
        await s.begin()
        await s.say(4)
        s.acknowledge(s.one, 4)
        s.acknowledge(s.other, 4)
        assert await s.floor() == 0
        assert await s.room.rows("SELECT * FROM entry") == [], "a merge for nothing"
        s.clock.let_pass(HOUR_MS)
        await s.floor()
        assert await s.floor() == 4


@pytest.mark.parametrize("jump_ms", [YEAR_MS, -YEAR_MS, 10 * YEAR_MS])
async def test_jump_of_the_wall_clock_makes_nothing_old(
    tmp_path: Path, autojump_clock: MockClock, jump_ms: int
) -> None:
    clock = TestClock()
    async with scene(tmp_path, clock) as s:
        await s.begin()
        await s.say(2)
        await s.say(1, ttl_s=600)
        s.acknowledge(s.one, 4)
        s.acknowledge(s.other, 4)
        clock.offset_ms += jump_ms
        assert await s.floor() == 0
        assert [one.reason for one in await s.room.read(s.talk, 1, 4)] == [0, 0, 0, 0]
    clock.offset_ms -= 2 * jump_ms
    async with scene(tmp_path, clock, replace(LIMITS, keep_acknowledged_s=2 * 86_400)) as s:
        await trio.sleep(12)
        assert await s.room.rows("SELECT * FROM conversation WHERE floor_seq > 0") == []


async def test_jump_at_a_restart_counts_for_a_day_at_most(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    limits = replace(LIMITS, keep_acknowledged_s=2 * 86_400, keep_s_max=9 * 86_400)
    async with scene(tmp_path, clock, limits) as s:
        await s.begin()
        await s.say(2)
        s.acknowledge(s.one, 3)
        s.acknowledge(s.other, 3)
        await s.floor()
    for starts in range(1, 4):
        clock.offset_ms += YEAR_MS
        async with scene(tmp_path, clock, limits) as s:
            await trio.sleep(12)
            rows = await s.room.rows("SELECT max(floor_seq) FROM conversation")
            assert (rows[0][0] > 0) is (starts >= 2)


async def test_time_in_which_the_server_ran_counts_across_crashes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with scene(tmp_path, clock) as s:
        await s.begin()
        await s.say(2)
        s.acknowledge(s.one, 3)
        s.acknowledge(s.other, 3)
        await trio.sleep(3)
    for _ in range(7):
        async with scene(tmp_path, clock) as s:
            await trio.sleep(6)
            clock.let_pass(HOUR_MS // 6)
            await trio.sleep(6)
    async with scene(tmp_path, clock) as s:
        await trio.sleep(6)
        rows = await s.room.rows("SELECT max(floor_seq) FROM conversation WHERE kind = 1")
        assert rows == [(3,)]


# -- who holds what back ---------------------------------------------------------------------------


async def test_dormant_device_holds_nothing_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        await s.say(2)
        s.clock.let_pass(9 * HOUR_MS)
        await s.stay(s.one)
        s.acknowledge(s.one, 3)
        assert await s.floor() == 0
        s.clock.let_pass(HOUR_MS + 60_000)
        assert await s.floor() == 3


async def test_connected_device_does_not_go_dormant(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        await s.say(2)
        for _ in range(12):
            s.clock.let_pass(HOUR_MS + 60_000)
            s.room.store.note_awake(s.other.device)
            s.acknowledge(s.one, 3)
            assert await s.floor() == 0


async def test_revoked_device_holds_nothing_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        await s.say(2)
        second = await s.room.enrol(s.other.account)
        s.acknowledge(s.one, 3)
        s.acknowledge(s.other, 3)
        s.clock.let_pass(HOUR_MS + 60_000)
        assert await s.floor() == 0
        account = s.other.account
        await s.room.store.run(lambda tx: revoke_device(tx, account, second.device))
        assert await s.floor() == 3


async def group(s: Scene) -> ConversationId:
    """Let the first invite the other into a group, who joins and is sent three messages."""
    s.counter += 1
    create = f.Create(op_id(s.one.device, s.counter), 2, (s.other.account,), b"")
    s.talk = (await s.room.administer(s.one, create)).conversation
    await s.room.administer(s.other, f.Accept(op_id(s.other.device, 1), s.talk))
    await s.say(3)
    return s.talk


async def test_former_member_holds_back_what_it_may_still_read(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        await group(s)
        s.counter += 1
        remove = f.Remove(op_id(s.one.device, s.counter), s.talk, s.other.account)
        assert (await s.room.administer(s.one, remove)).seq == 6
        await s.say(3)
        s.acknowledge(s.one, 9)
        s.clock.let_pass(HOUR_MS + 60_000)
        assert await s.floor() == 0
        s.acknowledge(s.other, 5)
        assert await s.floor() == 5
        s.acknowledge(s.other, 6)
        assert await s.floor() == 9


async def test_former_member_invited_again_still_holds_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        await group(s)
        await s.room.administer(s.other, f.Leave(op_id(s.other.device, 2), s.talk))
        s.counter += 1
        invite = f.Invite(op_id(s.one.device, s.counter), s.talk, (s.other.account,))
        await s.room.administer(s.one, invite)
        s.acknowledge(s.one, 7)
        s.clock.let_pass(HOUR_MS + 60_000)
        assert await s.floor() == 0
        s.acknowledge(s.other, 6)
        assert await s.floor() == 7


async def test_invited_account_that_never_joined_holds_nothing_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        s.counter += 1
        create = f.Create(op_id(s.one.device, s.counter), 2, (s.other.account,), b"")
        s.talk = (await s.room.administer(s.one, create)).conversation
        await s.say(3)
        s.acknowledge(s.one, 4)
        s.clock.let_pass(HOUR_MS + 60_000)
        assert await s.floor() == 4


async def test_conversation_of_one_device_is_held_back_by_that_device_alone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        own = device_conversation(s.one.device)
        await s.room.enrol(s.one.account)

        def write(tx: Transaction) -> None:
            state = tx.conversation(own)
            assert state is not None
            tx.append_server(state, Kind.NOTICE, ("welcome",))

        await s.room.store.run(write)
        s.clock.let_pass(HOUR_MS + 60_000)
        await s.say(1)
        assert await s.floor(own) == 0
        s.room.store.acknowledge(s.one.device, own, 1)
        assert await s.floor(own) == 1


async def test_cursor_that_is_not_written_does_not_count(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, limits=replace(LIMITS, cursor_flush_s=1e9)) as s:
        await s.begin()
        await s.say(2)
        s.clock.let_pass(HOUR_MS + 60_000)
        await trio.sleep(3)
        s.acknowledge(s.one, 3)
        s.acknowledge(s.other, 3)
        assert await s.floor() == 0
        s.room.store.flush_cursors()
        assert await s.floor() == 3


async def test_pinned_log_is_not_looked_through_at_full_speed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        await s.room.accepted(s.one, s.talk, range(2, 1002))
        await trio.sleep(5)
        s.clock.let_pass(2 * HOUR_MS)
        before = s.room.driver.commits
        await trio.sleep(60)
        assert s.room.driver.commits - before < 60
        assert await s.floor() == 0

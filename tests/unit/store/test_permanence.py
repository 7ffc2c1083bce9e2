"""What expires, and what never goes back although everything else is deleted."""

from dataclasses import replace
from pathlib import Path

import trio
from trio.testing import MockClock

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import (
    notice_conversation,
)
from wxserve.store.reading import SkipReason
from wxserve.testing.memory import TestClock

from .scene import DAY_MS, LIMITS, YEAR_MS, scene

# -- time to live ----------------------------------------------------------------------------------


async def test_expired_content_is_not_read_and_then_deleted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, limits=replace(LIMITS, maintenance_s=1000)) as s:
        await s.begin()
        await s.say(1, ttl_s=60)
        assert (await s.room.read(s.talk, 2, 2))[0].frame is not None
        s.clock.let_pass(60_000)
        expired = [(2, None, SkipReason.EXPIRED)]
        assert await s.room.read(s.talk, 2, 2) == expired
        assert await s.room.rows("SELECT count(*) FROM log WHERE frame IS NULL") == [(0,)]
        await trio.sleep(1001)
        assert await s.room.rows("SELECT count(*) FROM log WHERE frame IS NULL") == [(1,)]
        assert await s.room.read(s.talk, 2, 2) == expired


async def test_thousand_expired_at_once_go_in_one_round(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        appends = [
            s.room.append(s.one, s.talk, counter)._replace(ttl_s=60) for counter in range(2, 1002)
        ]
        for append in appends:
            s.room.store.append(append)
        for append in appends:
            await append.context.wait()
        s.clock.let_pass(61_000)
        await trio.sleep(6)
        assert await s.room.rows("SELECT count(*) FROM log WHERE frame IS NULL") == [(1000,)]


# -- what never goes back --------------------------------------------------------------------------


async def test_positions_and_times_go_on_after_everything_was_pruned(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with scene(tmp_path, clock) as s:
        await s.begin()
        await s.say(3)
        one, talk = s.one, s.talk
        last = (await s.room.accepted(one, talk, range(5, 6)))[0]
        clock.let_pass(DAY_MS * 20)
        for person in (s.one, s.other):
            notice = notice_conversation(person.account)
            s.room.store.acknowledge(person.device, notice, 1)
        await trio.sleep(12)
        assert await s.room.rows("SELECT * FROM log") == []
        assert s.room.store.position == last.position
    clock.offset_ms -= DAY_MS * 40
    async with scene(tmp_path, clock) as s:
        assert s.room.store.position == last.position
        again = await s.room.accepted(one, talk, range(5, 7))
        assert again[0] == last, "the first answer, although its entry is gone"
        assert again[1].seq == last.seq + 1
        assert again[1].position == last.position + 1
        assert again[1].time_ms >= last.time_ms


async def test_positions_of_registers_are_not_used_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as s:
        await s.begin()
        account = s.one.account
        before = s.room.store.position
        taken = await s.room.store.run(lambda tx: tx.touch(account))
        assert taken == before + 1
        one, talk = s.one, s.talk
    async with scene(tmp_path) as s:
        assert s.room.store.position == taken
        accepted = await s.room.accepted(one, talk, range(2, 3))
        assert accepted[0].position == taken + 1


async def test_retry_gets_the_first_answer_until_the_floor_passes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, limits=replace(LIMITS, devices_cached_max=0)) as s:
        await s.begin()
        first = await s.room.accepted(s.one, s.talk, range(2, 6))
        s.room.store.raise_floor(s.one.device, 4)
        s.clock.let_pass(20 * DAY_MS)
        await trio.sleep(12)
        assert await s.room.rows("SELECT * FROM log WHERE conversation = ?", s.talk) == []
        assert await s.room.accepted(s.one, s.talk, range(4, 6)) == first[2:]
        refusal = await s.room.send(s.one, s.talk, 3)
        assert isinstance(refusal, Refusal)
        assert refusal.code == ErrorCode.OP_EXPIRED
        other = await s.room.send(s.one, s.talk, 5, b"another body")
        assert isinstance(other, Refusal)
        assert (other.code, other.seq) == (ErrorCode.CONFLICT, first[3].seq)


async def test_used_invite_is_remembered_beyond_its_end(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with scene(tmp_path, clock) as s:
        await s.begin()
        await s.room.rows("UPDATE invite_use SET expires_ms = ?", clock.now_ms())
        clock.offset_ms += YEAR_MS
        await trio.sleep(12)
        assert await s.room.rows("SELECT count(*) FROM invite_use") == [(2,)]
        clock.offset_ms += YEAR_MS
        await trio.sleep(12)
        assert await s.room.rows("SELECT count(*) FROM invite_use") == [(0,)]

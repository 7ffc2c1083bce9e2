"""Which conversations changed of late: against a full history, and after a restart."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.store.room import Person, Room, SeededRoom, seeded_room, until
from wxserve.protocol import frames as f
from wxserve.protocol.identifiers import ConversationId, op_id
from wxserve.store.driver import Done as CommitDone
from wxserve.store.limits import StoreLimits
from wxserve.store.reading import Slice
from wxserve.store.recent import Recent
from wxserve.store.standings import Done, Standings

T = TypeVar("T")
NAMES = [ConversationId(bytes([number]) * 16) for number in range(8)]


@given(
    st.integers(1, 5),
    st.integers(0, 20),
    st.integers(0, len(NAMES)),
    st.lists(st.sets(st.sampled_from(NAMES), min_size=1, max_size=3), max_size=30),
)
def test_everything_after_since_is_remembered_exactly(
    conversations_max: int, lag: int, most: int, commits: list[set[ConversationId]]
) -> None:
    recent, last, position, merged = Recent(conversations_max), dict.fromkeys(NAMES, 0), 0, 0
    for commit in commits:
        position += len(commit)
        last |= dict.fromkeys(commit, position)
        recent.note(sorted(commit), position, merged)
        assert recent.since <= merged, "what is not merged is never dropped"
        merged = max(merged, position - lag)
        for since in range(recent.since, position + 1):
            changed = recent.changed_after(since)
            expected = {one for one in NAMES if last[one] > since}
            assert {one for one in NAMES if changed(one)} == expected
            assert recent.latest(since, most) == (expected if len(expected) <= most else None)
        assert recent.latest(recent.since - 1, len(NAMES)) is None
    assert recent.since < position or not commits, "the newest change is always remembered"


async def changed(room: Room, person: Person, since: int) -> set[ConversationId]:
    """Return the conversations that a device is told to have changed."""
    told, found = trio.Event(), []

    def done(read: Slice | None) -> None:
        assert read is not None
        found.extend(read.standings)
        told.set()

    assert room.store.standings.read_changed(person.account, person.device, since, b"", done)
    await told.wait()
    return {one.conversation for one in found if max(one.head[1], one.changed_position) > since}


async def everything_changed(room: SeededRoom) -> None:
    people = [await room.enrol() for _ in range(4)]
    talks = [await room.direct(people[0], other, 1 + n) for n, other in enumerate(people[1:])]
    positions = [room.store.position]
    for turn in range(12):
        talk = talks[turn % 3]
        await room.send(people[0], talk, 10 + turn)
        positions.append(room.store.position)
    for number, since in enumerate(positions):
        expected = {talks[turn % 3] for turn in range(number, 12)}
        assert await changed(room, people[0], since) == expected


@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize("conversations_recent_max", [1, 2, 100])
async def test_changed_is_the_same_from_memory_and_from_the_tables(
    tmp_path: Path, conversations_recent_max: int
) -> None:
    limits = StoreLimits(ballast_bytes=0, conversations_recent_max=conversations_recent_max)
    async with seeded_room(tmp_path, limits=limits) as room:
        await everything_changed(room)


@pytest.mark.usefixtures("autojump_clock")
async def test_restart_remembers_what_changed_as_far_as_nothing_is_deleted(tmp_path: Path) -> None:
    brief = StoreLimits(ballast_bytes=0, keep_acknowledged_s=5.0, maintenance_s=1.0)
    async with seeded_room(tmp_path) as room:
        alice, bob = await room.enrol(), await room.enrol()
        talk, other = (
            await room.direct(alice, bob, 1),
            await room.direct(bob, await room.enrol(), 1),
        )
        await room.send(alice, talk, 2)
        since = room.store.position
        await room.send(bob, other, 2)
    async with seeded_room(tmp_path) as room:
        assert room.store._memory.recent.since == 0
        assert await changed(room, alice, since) == set()
        assert await changed(room, bob, since) == {other}
    async with seeded_room(tmp_path, limits=brief) as room:
        for person in (alice, bob):
            for conversation in (talk, other):
                room.store.acknowledge(person.device, conversation, 9)
        await trio.sleep(60)
        await room.send(alice, talk, 3)
        pruned = (await room.rows("SELECT value FROM meta WHERE key = 'pruned'"))[0][0]
        assert pruned > 0
    async with seeded_room(tmp_path) as room:
        assert room.store._memory.recent.since == pruned
        assert await changed(room, bob, 0) >= {talk, other}
        assert await changed(room, bob, since + 1) == {talk}


@pytest.mark.usefixtures("autojump_clock")
async def test_head_that_was_merged_during_the_read_is_told(tmp_path: Path) -> None:
    limits = StoreLimits(ballast_bytes=0, conversations_cached_max=1, merge_entries=1)
    async with seeded_room(tmp_path, limits=limits) as room:
        alice, bob = await room.enrol(), await room.enrol()
        talk = await room.direct(alice, bob, 1)
        held: list[Callable[[], None]] = []

        def read(work: Callable[[sqlite3.Connection], Slice], done: Done) -> bool:
            return room.store.read(work, lambda value: held.append(lambda: done(value)))

        memory, cursors = room.store._memory, room.store.cursors
        standings = Standings(read, room.store.writer, memory, cursors, limits)
        found: list[Slice | None] = []
        assert standings.read(alice.account, alice.device, b"", found.append)
        await until(lambda: bool(held))
        await room.send(alice, talk, 2)
        for counter in range(2, 6):  # merged, and merged again, and not in memory any more
            await trio.sleep(10)
            await room.direct(bob, await room.enrol(), counter)
        assert room.store.cached(talk) is None
        while not found:
            await until(lambda: bool(held or found))
            while held:
                held.pop()()
        (read_slice,) = found
        assert read_slice is not None
        heads = {one.conversation: one.head[0] for one in read_slice.standings}
        assert heads[talk] == 2


@pytest.mark.usefixtures("autojump_clock")
async def test_head_of_a_commit_that_was_read_before_its_completion_is_told(tmp_path: Path) -> None:
    async with seeded_room(tmp_path) as room:
        alice, bob = await room.enrol(), await room.enrol()
        talk = await room.direct(alice, bob, 1)
        usual, held = room.driver.commit, list[Callable[[], None]]()

        def commit(work: Callable[[sqlite3.Connection], T], done: CommitDone[T]) -> None:
            usual(work, lambda *outcome: held.append(lambda: done(*outcome)))

        vars(room.driver)["commit"] = commit
        room.send_nowait(alice, talk, 2)
        group = room.administer_nowait(alice, f.Create(op_id(alice.device, 3), 2, (), b""))
        await until(lambda: bool(held))
        found: list[Slice | None] = []
        assert room.store.standings.read(alice.account, alice.device, b"", found.append)
        await trio.sleep(10)
        assert not found, "what is durable and not told yet waits for being told"
        vars(room.driver).pop("commit")
        held.pop()()
        await group.wait()
        await until(lambda: bool(found))
        (read,) = found
        assert read is not None
        assert {one.conversation: one.head[0] for one in read.standings}[talk] == 2

"""SYNC and lists while the store commits, merges and evicts underneath."""

from pathlib import Path

import pytest
import trio

from tests.unit.router.scenes import (
    answers,
    error,
    follow,
    numbers,
    pushed,
    refused,
    scene,
    send,
)
from wxserve.protocol import frames as f
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import ConversationId, device_conversation
from wxserve.router.limits import RouterLimits
from wxserve.store.limits import StoreLimits
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import memory_server

pytestmark = pytest.mark.usefixtures("autojump_clock")

RESTLESS = StoreLimits(
    ballast_bytes=0, merge_entries=1, merge_slice_rows=1, conversations_cached_max=0,
    devices_cached_max=0, read_rows_max=1,
)  # fmt: skip
"""Merges and evicts after every entry, and reads one row at a time."""


async def test_sync_lists_a_group_that_is_created_at_that_moment_with_its_entry_or_not_at_all(
    tmp_path: Path,
) -> None:
    for delay in range(12):
        directory = tmp_path / str(delay)
        directory.mkdir()
        async with scene(directory, "alice", seed=delay) as (_, (alice,)):
            stream = alice.next_stream()
            alice.send_frame(f.Create(alice.next_op(), 2, (), b""), alice.next_stream())
            await trio.sleep(delay * 0.004)
            alice.send_frame(f.Sync(0, 256), stream)
            (changes,) = await answers(alice, stream)
            assert isinstance(changes.frame, f.Changes)
            groups = [one for one in changes.frame.conversations if one.kind == 2]
            assert all(one.head == 1 for one in groups)


async def test_sync_after_a_restart_while_the_tail_is_merged_misses_nothing(
    tmp_path: Path,
) -> None:
    lazy = StoreLimits(ballast_bytes=0)
    async with scene(tmp_path, "alice", "bob", store_limits=lazy) as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        await bob.sync()
        since = (await bob.wait_for(f.Synced)).position
        await alice.message(conversation, b"two")
    for seed in range(10):
        async with memory_server(tmp_path, seed=seed + 9, store_limits=RESTLESS) as server:
            bob.server = server
            bob.connect()
            await trio.sleep(seed * 0.05)
            await bob.log_in()
            states = {one.conversation: one for one in await bob.sync(since)}
            assert states[conversation].head == 3
            await bob.wait_for(f.Synced)
            assert numbers(pushed(bob, conversation)) == [1, 2, 3]


async def test_sync_during_which_a_quiet_conversation_gets_an_entry_tells_only_that(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "alice", "bob") as (server, (alice, bob)):
        quiet, other = await alice.create_direct(bob), await alice.create_group(bob)
        await bob.sync()
        await bob.wait_for(f.Synced)
        for head in range(1, 21):
            bob.send_frame(f.Ack(((quiet, head),), 0))
            await trio.sleep(3)  # the cursor is written
            since = server.store.position
            await alice.message(other, b"not in the quiet one")
            await bob.log_in()
            bob.heard.clear()
            bob.send_frame(f.Sync(since, 256), bob.next_stream())
            await trio.sleep(head * 0.001)
            alice.send_frame(send(quiet, alice.next_op()), alice.next_stream())
            await trio.sleep(2)
            bob.pump()
            assert numbers(pushed(bob, quiet)) == [head + 1]


async def test_ack_of_what_came_before_several_syncs_counts(tmp_path: Path) -> None:
    forgetful = StoreLimits(ballast_bytes=0, merge_entries=1, conversations_cached_max=0)
    async with scene(tmp_path, "alice", "bob", store_limits=forgetful) as (server, (alice, bob)):
        conversation, other = await alice.create_direct(bob), await alice.create_group()
        await bob.sync()
        await bob.wait_for(f.Synced)
        assert numbers(pushed(bob, conversation)) == [1]
        while server.store.cached(conversation) is not None:
            await alice.message(other, b"x")
            await trio.sleep(2)
        for _ in range(3):
            await bob.sync()
        bob.send_frame(f.Ack(((conversation, 1),), 0))
        states = {one.conversation: one.unread for one in await bob.sync()}
        assert states[conversation] == 0


async def test_sync_nothing_forgotten_when_too_many_accounts_changed(tmp_path: Path) -> None:
    limits = StoreLimits(ballast_bytes=0, accounts_changed_max=1)
    async with scene(tmp_path, "alice", "bob", store_limits=limits) as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await bob.sync()
        since = (await bob.wait_for(f.Synced)).position
        assert since == server.store.position
        await alice.message(conversation, b"one")
        await bob.log_in()
        assert [one.conversation for one in await bob.sync(since)] == [conversation]


async def test_sync_overloaded_is_refused_for_now_and_works_later(tmp_path: Path) -> None:
    limits = StoreLimits(ballast_bytes=0, reads_queued_max=0)
    async with scene(tmp_path, "alice", store_limits=limits) as (_, (alice,)):
        refusal = await error(alice, f.Sync(0, 1))
        assert (refusal.code, refusal.temporary) == (ErrorCode.OVERLOADED, True)
        assert await refused(alice, f.ListConversations(b"", 1)) is ErrorCode.OVERLOADED


async def test_list_pages_that_begin_with_what_is_not_seen_are_not_empty(tmp_path: Path) -> None:
    small = StoreLimits(ballast_bytes=0, read_rows_max=2)
    async with scene(tmp_path, "alice", "bob", store_limits=small) as (server, (alice, bob)):
        for _ in range(6):  # invitations, which are not listed
            await alice.request(f.Create(alice.next_op(), 2, (bob.account,), b""), f.Accepted)
        await TestDevice(server, "second").enrol(bob.account)
        own = {one.conversation for one in await bob.sync()}
        found: list[ConversationId] = []
        more = True
        while more:
            after = found[-1] if found else b""
            page = await bob.request(f.ListConversations(after, 1), f.Conversations)
            assert len(page.conversations) == 1
            found += [one.conversation for one in page.conversations]
            more = page.more
        assert set(found) == own
        assert found == sorted(found)


async def test_history_of_another_device_s_own_conversation_is_forbidden(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (server, (alice,)):
        second = await TestDevice(server, "second").enrol(alice.account)
        for device, other in ((alice, second), (second, alice)):
            own = f.History(device_conversation(device.device), 1, 9, 9)
            assert (await device.request(own, f.Done)).value == 0
            foreign = f.History(device_conversation(other.device), 1, 9, 9)
            assert await refused(device, foreign) is ErrorCode.FORBIDDEN


async def test_history_overloaded_writer_is_refused_for_now(tmp_path: Path) -> None:
    tiny = StoreLimits(ballast_bytes=0, merge_entries=1, conversations_cached_max=0)
    async with scene(tmp_path, "alice", "bob", store_limits=tiny) as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        other = await alice.create_group()
        for _ in range(3):  # what was quiet for a whole merge may be evicted
            await alice.message(other, b"x")
            await trio.sleep(2)
        assert server.store.cached(conversation) is None
        refusal = Refusal(ErrorCode.OVERLOADED)
        look = server.store.look
        server.store.look = lambda work, done: done(refusal, ())  # type: ignore[method-assign]
        assert await refused(alice, f.History(conversation, 1, 9, 9)) is ErrorCode.OVERLOADED
        assert await refused(alice, f.Members(conversation, b"", 9)) is ErrorCode.OVERLOADED
        server.store.look = look  # type: ignore[method-assign]


async def test_redact_what_the_server_wrote_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        group = await alice.create_group(bob)
        for seq in (1, 2):
            frame = f.Redact(alice.next_op(), group, seq)
            assert await refused(alice, frame) is ErrorCode.KIND_NOT_ALLOWED


# -- registers ---------------------------------------------------------------------------------


async def twins(alice: TestDevice) -> TestDevice:
    """Enrol a second device of an account; both follow."""
    second = await TestDevice(alice.server, "second").enrol(alice.account)
    await follow(alice, second)
    return second


async def test_register_is_told_before_synced_passes_it(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        group = await alice.create_group()
        second = await twins(alice)
        for version in range(1, 30):
            await alice.request(f.SetRegister(group, "a", version, b""), f.Register)
            alice.send_frame(send(group, alice.next_op()), alice.next_stream())
            await trio.sleep(0.09)
        await trio.sleep(2)
        second.pump()
        told = 0
        for frame in second.heard:
            if isinstance(frame, f.Register):
                told = frame.position
            elif isinstance(frame, f.Synced):
                missed = [
                    one
                    for one in second.heard
                    if isinstance(one, f.Register) and told < one.position <= frame.position
                ]
                assert not missed, "SYNCED passed a register"
        assert told


async def test_registers_more_than_are_gathered_come_from_the_table(tmp_path: Path) -> None:
    limits = RouterLimits(registers_pending_max=2)
    async with scene(tmp_path, "alice", router_limits=limits) as (_, (alice,)):
        group = await alice.create_group()
        second = await twins(alice)
        streams = [alice.next_stream() for _ in range(9)]
        for number, stream in enumerate(streams):
            alice.send_frame(f.SetRegister(group, f"{number}", 1, b""), stream)
        await answers(alice, *streams)
        told: set[str] = set()
        while len(told) < 9:
            told.add((await second.wait_for(f.Register)).key)
        await second.wait_for(f.Synced)


async def test_registers_for_a_session_that_does_not_read_wait_bounded(tmp_path: Path) -> None:
    limits = RouterLimits(outgoing_bytes_low=8_000, outgoing_bytes_max=16_000)
    async with scene(tmp_path, "alice", router_limits=limits) as (_, (alice,)):
        group = await alice.create_group()
        second = await twins(alice)
        for version in range(1, 5):
            for number in range(20):
                value = bytes([version]) * 4000
                await alice.request(f.SetRegister(group, f"{number}", version, value), f.Register)
            await trio.sleep(1)
        assert second.link.outgoing_bytes < 32_000
        newest: dict[str, int] = {}
        with trio.fail_after(30):
            while len(newest) < 20 or min(newest.values()) < 4:
                register = await second.wait_for(f.Register)
                newest[register.key] = max(register.version, newest.get(register.key, 0))
        await second.wait_for(f.Synced)


async def test_registers_changed_before_sync_come_before_entries(tmp_path: Path) -> None:
    slices = StoreLimits(ballast_bytes=0, read_rows_max=3)
    async with scene(tmp_path, "alice", store_limits=slices) as (_, (alice,)):
        group = await alice.create_group()
        for number in range(8):
            await alice.request(f.SetRegister(group, f"{number}", 1, b""), f.Register)
        await alice.log_in()
        await alice.sync()
        await alice.wait_for(f.Synced)
        kinds = [type(one) for one in alice.heard if isinstance(one, (f.Register, f.Deliver))]
        assert kinds == [f.Register] * 8 + [f.Deliver] * kinds.count(f.Deliver)
        assert f.Deliver in kinds

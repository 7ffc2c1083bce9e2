"""Borders and rare moments: coming back, declining, flags, exact limits, buckets, credit."""

from pathlib import Path

import pytest
import trio

from tests.unit.router.scenes import (
    answers,
    follow,
    numbers,
    pushed,
    refused,
    scene,
    send,
    until,
)
from wxserve.protocol import frames as f
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId, OpId
from wxserve.router.admission import Admission
from wxserve.router.limits import AdmissionLimits, Budget, Rate, RouterLimits
from wxserve.router.link import PAUSE_BYTES

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_sync_after_a_removal_while_away_tells_of_it(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (server, (alice, bob)):
        group = await alice.create_group(bob)
        await bob.sync()
        since = (await bob.wait_for(f.Synced)).position
        assert since == server.store.position
        bob.disconnect()
        remove = f.Remove(alice.next_op(), group, bob.account)
        removed = await alice.request(remove, f.Accepted)
        await bob.log_in()
        states = await bob.sync(since)
        assert [(one.conversation, one.head) for one in states] == [(group, removed.seq)]


async def test_former_member_that_declines_is_pushed_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        await follow(alice, bob)
        group = await alice.create_group(bob)
        await alice.request(f.Remove(alice.next_op(), group, bob.account), f.Accepted)
        await alice.request(f.Invite(alice.next_op(), group, (bob.account,)), f.Accepted)
        await trio.sleep(1)
        assert numbers(pushed(bob, group)) == [2, 3]
        bob.heard.clear()
        await bob.request(f.Leave(bob.next_op(), group), f.Accepted)
        await trio.sleep(1)
        assert pushed(bob, group) == []


async def test_lagging_member_removed_and_back_reads_nothing_from_in_between(
    tmp_path: Path,
) -> None:
    slow = RouterLimits(outgoing_bytes_max=1, outgoing_bytes_low=1)
    async with scene(tmp_path, "alice", "bob", router_limits=slow) as (_, (alice, bob)):
        group = await alice.create_group(bob)
        await follow(alice, bob)
        for _ in range(2):
            await alice.message(group, b"before")
        await alice.request(f.Remove(alice.next_op(), group, bob.account), f.Accepted)
        await alice.message(group, b"in between")
        await alice.request(f.Invite(alice.next_op(), group, (bob.account,)), f.Accepted)
        bob.send_frame(f.Accept(bob.next_op(), group), bob.next_stream())
        await trio.sleep(1)
        await alice.message(group, b"after")
        await until(lambda: 9 in numbers(pushed(bob, group)))
        assert numbers(pushed(bob, group)) == [3, 4, 5, 8, 9]


async def test_reading_goes_on_when_exactly_the_limit_waits_for_its_commit(
    tmp_path: Path,
) -> None:
    bytes_each = len(send(ConversationId(bytes(16)), OpId(bytes(15) + b"\1")).envelope)
    limits = RouterLimits(submitted_bytes_max=bytes_each)
    async with scene(tmp_path, "alice", router_limits=limits) as (_, (alice,)):
        group = await alice.create_group()
        streams = [alice.next_stream() for _ in range(2)]
        for stream in streams:
            alice.send_frame(send(group, alice.next_op()), stream)
        assert alice.link.paused
        await answers(alice, *streams)
        assert not alice.link.paused


async def test_link_is_read_again_when_neither_its_output_nor_its_session_holds_it_back(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        link = alice.link

        def held() -> bool:
            return link.paused

        link.write(b"\0" * (PAUSE_BYTES + 1))
        assert held()
        link.take()
        assert not held()
        link.pause(paused=True)
        link.write(b"\0" * (PAUSE_BYTES + 1))
        link.pause(paused=False)
        assert held(), "too much waits still"
        link.pause(paused=True)
        link.take()
        assert held(), "its session holds it back still"
        link.pause(paused=False)
        assert not held()


def test_buckets_are_bounded_and_the_longest_unused_goes_first() -> None:
    once = Budget(None, None, Rate(1e-9, 1))
    checks = Admission(AdmissionLimits(login=once, buckets_max=2))

    def passes(address: bytes) -> bool:
        return checks.check("login", 0.0, address=address) is None

    assert [passes(one) for one in (b"a", b"b", b"a", b"c")] == [True, True, False, True]
    assert [passes(one) for one in (b"a", b"c")] == [False, False], "the second one went"
    assert len(checks._shared) == 2


async def test_operation_used_again_for_another_verb_is_a_conflict(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        create = f.Create(alice.next_op(), 2, (bob.account,), b"")
        group = (await alice.request(create, f.Accepted)).conversation
        op = bob.next_op()
        await bob.request(f.Accept(op, group), f.Accepted)
        assert await refused(bob, f.Leave(op, group)) is ErrorCode.CONFLICT


async def test_flag_that_is_the_servers_to_set_is_not_passed_on(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await follow(bob)
        stream, flags = alice.next_stream(), f.CURRENT | f.SILENT
        alice.link.receive(
            alice.connection.send(send(conversation, alice.next_op()), stream, flags)
        )
        await answers(alice, stream)
        told = [event.flags for event in bob.pump() if isinstance(event.frame, f.Deliver)]
        assert told == [f.SILENT]


async def test_presence_is_remembered_in_so_many_conversations_and_no_more(
    tmp_path: Path,
) -> None:
    limits = RouterLimits(announced_max=1)
    async with scene(tmp_path, "alice", "bob", router_limits=limits) as (_, (alice, bob)):
        groups = [await alice.create_group(bob) for _ in range(2)]
        await follow(alice, bob)
        for group in groups:
            alice.send_frame(f.Ephemeral(group, 2, b"\1", None))
        alice.disconnect()
        await trio.sleep(1)
        bob.pump()
        told = [(one.conversation, one.body) for one in bob.heard if isinstance(one, f.Ephemeral)]
        assert told == [(groups[0], b"\1"), (groups[1], b"\1"), (groups[0], b"\0")]


async def test_skips_use_up_credit_like_entries(tmp_path: Path) -> None:
    limits = RouterLimits(credit_entries=3)
    async with scene(tmp_path, "alice", "bob", router_limits=limits) as (server, (alice, bob)):
        since = server.store.position
        conversation = await alice.create_direct(bob)
        for _ in range(4):
            await alice.message(conversation, b"x")
        for seq in (2, 4):
            redact = f.Redact(alice.next_op(), conversation, seq)
            await alice.request(redact, f.Accepted)
        await bob.sync(since)
        await trio.sleep(2)
        kinds = [type(one) for one in pushed(bob, conversation)]
        assert kinds == [f.Deliver, f.Skip, f.Deliver]

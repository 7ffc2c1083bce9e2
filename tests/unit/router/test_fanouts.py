"""Large fan-outs: served in steps, and never a reason to miss an entry."""

from pathlib import Path

import pytest
import trio

from tests.unit.router.scenes import answers, follow, numbers, pushed, scene, send
from wxserve.protocol import frames as f
from wxserve.protocol.identifiers import ConversationId
from wxserve.router.limits import RouterLimits
from wxserve.router.session import Following
from wxserve.testing.device import TestDevice

pytestmark = pytest.mark.usefixtures("autojump_clock")

ONE_BY_ONE = RouterLimits(fanout_step_sessions=1)


async def group_of(first: TestDevice, *others: TestDevice) -> ConversationId:
    """Create a group of all; then everybody begins anew, with a quiet session."""
    group = await first.create_group(*others)
    await follow(first, *others)
    for device in (first, *others):
        position = max(one.position for one in await device.sync())
        await device.wait_for(f.Synced)
        device.send_frame(f.Ack(((group, len(others) * 1 + 1),), 0))
        await device.log_in()
        assert await device.sync(position) == []
        await device.wait_for(f.Synced)
        device.heard.clear()
    return group


async def test_fanout_own_message_while_anothers_is_on_its_way_is_not_current(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "a", "b", "c", router_limits=ONE_BY_ONE) as (_, (a, b, c)):
        group = await group_of(a, b, c)
        first, second = a.next_stream(), c.next_stream()
        a.send_frame(send(group, a.next_op()), first)
        c.send_frame(send(group, c.next_op()), second)
        (one,), (two,) = await answers(a, first), await answers(c, second)
        assert isinstance(one.frame, f.Accepted)
        assert isinstance(two.frame, f.Accepted)
        assert two.frame.seq == one.frame.seq + 1
        await trio.sleep(1)
        assert two.flags == 0, "c had not been sent what came before"
        assert numbers(pushed(c, group)) == [one.frame.seq, two.frame.seq]
        assert numbers(pushed(b, group)) == [one.frame.seq, two.frame.seq]


async def test_fanout_later_entry_for_fewer_readers_leaves_no_hole(tmp_path: Path) -> None:
    limits = RouterLimits(fanout_step_sessions=2)
    async with scene(tmp_path, "a", "b", "c", router_limits=limits) as (_, (a, b, c)):
        group = await group_of(a, b, c)
        a.send_frame(send(group, a.next_op()), a.next_stream())
        a.send_frame(f.Remove(a.next_op(), group, c.account), a.next_stream())
        a.send_frame(send(group, a.next_op()), a.next_stream())
        await trio.sleep(1)
        assert numbers(pushed(b, group)) == [4, 5, 6]
        assert numbers(pushed(c, group)) == [4, 5], "to the removal, and no further"


async def test_fanout_queue_full_leaves_the_oldest_to_the_log(tmp_path: Path) -> None:
    limits = RouterLimits(fanout_step_sessions=1, fanouts_waiting_max=2)
    async with scene(tmp_path, "a", "b", "c", router_limits=limits) as (_, (a, b, c)):
        group = await group_of(a, b, c)
        for _ in range(30):
            a.send_frame(send(group, a.next_op()), a.next_stream())
        await trio.sleep(2)
        assert numbers(pushed(b, group)) == list(range(4, 34))
        assert numbers(pushed(c, group)) == list(range(4, 34))
        await b.wait_for(f.Synced)


async def test_fanout_synced_is_told_when_it_is_over(tmp_path: Path) -> None:
    async with scene(tmp_path, "a", "b", "c", router_limits=ONE_BY_ONE) as (server, (a, b, c)):
        group = await group_of(a, b, c)
        stream = a.next_stream()
        a.send_frame(send(group, a.next_op()), stream)
        await answers(a, stream)
        position = server.store.position
        for device in (a, b, c):
            while (await device.wait_for(f.Synced)).position < position:
                pass
        assert numbers(pushed(b, group)) == [4]


async def test_fanout_that_comes_late_leaves_a_newer_state_known(tmp_path: Path) -> None:
    limits = RouterLimits(fanout_step_sessions=2)
    async with scene(tmp_path, "a", "b", "c", router_limits=limits) as (server, (a, b, c)):
        group = await group_of(a, b, c)
        (session,) = server.router._directory.of_account(c.account)
        session.following, session.early = Following.SYNCING, {}
        c.send_frame(send(group, c.next_op()), c.next_stream())
        c.send_frame(f.Leave(c.next_op(), group), c.next_stream())
        await trio.sleep(1)
        assert session.early[group].head == 5
        assert session.early[group].members[c.account].intervals == ((3, 5),)

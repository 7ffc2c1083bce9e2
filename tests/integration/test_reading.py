"""Reading: history, lists and pages, the push window, and starting over."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.integration.asking import briefly, history, pushed, refusal, settle
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId, notice_conversation
from wxserve.router.limits import RouterLimits
from wxserve.store.limits import StoreLimits
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer, TestClock, memory_server

SHORT = StoreLimits(
    ballast_bytes=0,
    merge_entries=1,
    keep_acknowledged_s=3600.0,
    keep_s_max=3600.0,
    maintenance_s=1.0,
)
"""Keeps nothing for longer than an hour."""


async def enrol_pair(server: MemoryServer) -> tuple[TestDevice, TestDevice, ConversationId]:
    alice = await TestDevice(server, "alice").enrol()
    bob = await TestDevice(server, "bob").enrol()
    return alice, bob, await alice.create_direct(bob)


async def read_pages(
    device: TestDevice, conversation: ConversationId, limit: int, last: int = 1 << 40
) -> list[tuple[object, ...]]:
    """Read a conversation in pages; each must hold at least one part and go on behind it.

    Neighbouring gaps of one reason are told as one.
    """
    run: list[tuple[object, ...]] = []
    first = 1
    while first:
        frames, following = await history(device, conversation, first, last, limit)
        assert frames
        assert sum(isinstance(frame, f.Deliver) for frame in frames) <= limit
        assert following == 0 or following > first
        for part in briefly(frames):
            if run and part[1] in {"skip", "too far"} and part[1:] == run[-1][1:]:
                run.pop()  # a gap that a page ended in
            run.append(part)
        first = following
    return run


async def wait_floor(server: MemoryServer, conversation: ConversationId, through: int) -> None:
    """Wait until entries through a number are gone by age."""
    while True:
        state = server.store.cached(conversation)
        if state is not None and state.floor >= through:
            return
        await trio.sleep(0.5)


# -- history -----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 7, 256])
async def test_history_pages_through_everything_without_hole(
    tmp_path: Path, autojump_clock: MockClock, limit: int
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock, store_limits=SHORT) as server:
        alice, bob, _ = await enrol_pair(server)
        group = await alice.create_group()
        await alice.message(group, b"old")
        clock.let_pass(2 * 3_600_000)
        # Positions are merged, and old entries go, only when there are new ones.
        await alice.message(group, b"new")
        await wait_floor(server, group, 2)
        invitation = f.Invite(alice.next_op(), group, (bob.account,))
        await alice.request(invitation, f.Accepted)
        await bob.request(f.Accept(bob.next_op(), group), f.Accepted)
        await alice.message(group, b"6")
        secret = await alice.message(group, b"7")
        expiring = encode_envelope(message(group, alice.next_op(), b"8", ttl_s=60))
        await alice.request(f.Send(expiring), f.Accepted)
        await alice.message(group, b"9")
        await alice.request(f.Redact(alice.next_op(), group, secret.seq), f.Accepted)
        whole = [(n, *rest) for n, *rest in await read_pages(alice, group, limit)]
        assert whole[0] == (3, "too far")
        assert whole[1] == (3, b"new")
        assert [n for n, *_ in whole[1:]] == [3, 4, 5, 6, 7, 8, 9, 10]
        assert whole[5] == (7, "skip", 2)
        assert whole[6] == (8, b"8")
        clock.let_pass(61_000)
        assert (await read_pages(alice, group, limit))[6] == (8, "skip", 1)
        joined = await read_pages(bob, group, limit)
        assert joined == [(4, "skip", 3), *whole[3:6], (8, "skip", 1), *whole[7:]]


async def test_history_of_the_removed_ends_with_the_removal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, _ = await enrol_pair(server)
        group = await alice.create_group(bob)
        await alice.message(group, b"in")
        removal = f.Remove(alice.next_op(), group, bob.account)
        removed = await alice.request(removal, f.Accepted)
        await alice.message(group, b"out")
        run = await read_pages(bob, group, 1)
        assert run[-1][0] == removed.seq
        assert not [part for part in run if b"out" in part]


async def test_history_range_is_clipped_to_what_was_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, _, direct = await enrol_pair(server)
        for number in range(2, 12):
            await alice.message(direct, b"%d" % number)
        frames, following = await history(alice, direct, 3, 5)
        assert (briefly(frames), following) == ([(3, b"3"), (4, b"4"), (5, b"5")], 0)
        frames, following = await history(alice, direct, 3, 9, limit=2)
        assert (briefly(frames), following) == ([(3, b"3"), (4, b"4")], 5)
        frames, following = await history(alice, direct, 10, 99, limit=2)
        assert (briefly(frames), following) == ([(10, b"10"), (11, b"11")], 0)
        assert await history(alice, direct, 12, 99) == ([], 0)
        assert await history(alice, direct, 5, 4) == ([], 0)
        assert (await history(alice, direct, 0, 1))[1] == 0


async def test_history_stops_early_at_its_bytes_and_tells_where_to_go_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = RouterLimits(history_bytes=2500)
    async with memory_server(tmp_path, router_limits=limits) as server:
        alice, _, direct = await enrol_pair(server)
        for _ in range(10):
            await alice.message(direct, bytes(1000))
        frames, following = await history(alice, direct, 2)
        assert 1 <= len(frames) < 10
        assert following == 2 + len(frames)
        assert len(await read_pages(alice, direct, 256)) == 11


async def test_history_costs_no_credit_and_moves_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = RouterLimits(credit_entries=8)
    async with memory_server(tmp_path, router_limits=limits) as server:
        alice, bob, direct = await enrol_pair(server)
        for number in range(20):
            await alice.message(direct, b"%d" % number)
        assert len((await history(bob, direct))[0]) == 21
        await bob.sync()
        await settle(bob)
        before = len(pushed(bob, direct))
        assert 0 < before < 20
        assert len((await history(bob, direct))[0]) == 21
        bob.send_frame(f.Credit(0, 100))
        await settle(bob)
        assert [frame.seq for frame in pushed(bob, direct) if isinstance(frame, f.Deliver)] == [
            *range(1, 22)
        ]


async def test_history_and_members_of_anothers_or_no_conversation_are_forbidden(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, direct = await enrol_pair(server)
        stranger = await TestDevice(server, "stranger").enrol()
        nothing = ConversationId(bytes(16))
        for place in (direct, nothing, notice_conversation(bob.account)):
            for frame in (f.History(place, 1, 9, 9), f.Members(place, b"", 9)):
                assert await refusal(stranger, frame) == ErrorCode.FORBIDDEN
        del alice


# -- lists -------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 5, 256])
async def test_list_conversations_pages_are_complete_and_in_order(
    tmp_path: Path, autojump_clock: MockClock, limit: int
) -> None:
    async with memory_server(
        tmp_path, store_limits=StoreLimits(ballast_bytes=0, read_rows_max=3)
    ) as server:
        alice, bob, direct = await enrol_pair(server)
        groups = [await alice.create_group() for _ in range(4)]
        invisible = await bob.create_group()
        await bob.request(f.Invite(bob.next_op(), invisible, (alice.account,)), f.Accepted)
        listed: list[ConversationId] = []
        after, more = b"", True
        while more:
            page = await alice.request(f.ListConversations(after, limit), f.Conversations)
            assert 1 <= len(page.conversations) <= limit
            listed += [state.conversation for state in page.conversations]
            after, more = listed[-1], page.more
        assert listed == sorted(listed)
        assert len(listed) == len(set(listed)) == 3 + 1 + 4
        assert set(listed) >= {direct, *groups}
        assert invisible not in listed, "an invitation shows in the notices"


async def test_list_conversations_tells_head_and_unread(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, direct = await enrol_pair(server)
        for number in range(4):
            await alice.message(direct, b"%d" % number)
        last = await alice.message(direct, b"4")
        await bob.sync()
        await bob.bodies(direct, 5)
        bob.send_frame(f.Ack(((direct, 4),), 0))
        page = await bob.request(f.ListConversations(b"", 256), f.Conversations)
        state = next(one for one in page.conversations if one.conversation == direct)
        assert (state.kind, state.head, state.unread) == (1, 6, 2)
        assert state.position == last.position
        assert state.intervals == ((1, 0),)


@pytest.mark.parametrize("limit", [1, 2, 256])
async def test_members_pages_are_complete_and_in_order(
    tmp_path: Path, autojump_clock: MockClock, limit: int
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, _ = await enrol_pair(server)
        others = [await TestDevice(server, f"n{n}").enrol() for n in range(3)]
        group = await alice.create_group(bob, *others[:2])
        await alice.request(f.Invite(alice.next_op(), group, (others[2].account,)), f.Accepted)
        await alice.request(f.Remove(alice.next_op(), group, others[0].account), f.Accepted)
        members: list[f.Member] = []
        after, more = b"", True
        while more:
            page = await bob.request(f.Members(group, after, limit), f.MemberList)
            assert 1 <= len(page.members) <= limit
            members += page.members
            after, more = members[-1].account, page.more
        assert [m.account for m in members] == sorted(m.account for m in members)
        assert {(m.name, m.role, m.state) for m in members} == {
            ("alice", 3, 2), ("bob", 1, 2), ("n1", 1, 2), ("n2", 1, 1),
        }  # fmt: skip


# -- the window --------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [
    RouterLimits(credit_entries=3),
    RouterLimits(credit_bytes=500),
])  # fmt: skip
async def test_credit_used_up_nothing_comes_until_more_is_granted(
    tmp_path: Path, autojump_clock: MockClock, limits: RouterLimits
) -> None:
    async with memory_server(tmp_path, router_limits=limits) as server:
        alice, bob, direct = await enrol_pair(server)
        await bob.sync()
        for number in range(50):
            await alice.message(direct, b"%d" % number)
        heard = await settle(bob, 60)
        entries, size = 0, 0
        for frame in heard:
            if isinstance(frame, f.Deliver | f.Skip | f.TooFar):
                assert entries < limits.credit_entries
                assert size < limits.credit_bytes, "the last one may overdraw"
                entries += 1
                size += len(encode(frame)) if isinstance(frame, f.Deliver) else 0
        assert len(pushed(bob, direct)) < 20
        assert not bob.link.closing
        while len(pushed(bob, direct)) < 51:
            before = len(bob.heard)
            bob.send_frame(f.Credit(200, 2))
            await settle(bob, 1)
            new = [x for x in bob.heard[before:] if isinstance(x, f.Deliver)]
            assert 1 <= len(new) <= 2
        assert [n for n, *_ in briefly(pushed(bob, direct))] == [*range(1, 52)]
        assert (await bob.wait_for(f.Synced)).position


async def test_credit_of_own_messages_is_not_used(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path, router_limits=RouterLimits(credit_entries=6)) as server:
        alice, _, direct = await enrol_pair(server)
        await alice.sync()
        await alice.wait_for(f.Synced)
        flags = []
        for number in range(20):
            stream = alice.next_stream()
            envelope = encode_envelope(message(direct, alice.next_op(), b"%d" % number))
            alice.send_frame(f.Send(envelope), stream)
            await trio.sleep(0.1)
            flags.append(alice.answers(stream)[0].flags)
        assert set(flags) == {f.CURRENT}


# -- starting over -----------------------------------------------------------------------------


async def test_sync_twice_what_was_not_acknowledged_comes_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, direct = await enrol_pair(server)
        for number in range(4):
            await alice.message(direct, b"%d" % number)
        await bob.sync()
        await bob.wait_for(f.Synced)
        first = briefly(pushed(bob, direct))
        bob.send_frame(f.Ack(((direct, 3),), 0))
        bob.heard.clear()
        await bob.sync()
        await bob.wait_for(f.Synced)
        assert briefly(pushed(bob, direct)) == first[3:]
        bob.heard.clear()
        await alice.message(direct, b"live")
        await settle(bob)
        assert briefly(pushed(bob, direct)) == [(6, b"live")]


async def test_sync_pages_tell_the_latest_first_and_each_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, direct = await enrol_pair(server)
        groups = [await alice.create_group(bob) for _ in range(5)]
        await alice.message(direct, b"the last")
        states = await bob.sync(0, limit=2)
        positions = [state.position for state in states]
        assert positions == sorted(positions, reverse=True)
        assert states[0].conversation == direct
        ids = [state.conversation for state in states]
        assert len(ids) == len(set(ids))
        assert set(ids) >= {direct, *groups}


async def test_sync_expired_meanwhile_comes_as_skip(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock) as server:
        alice, bob, direct = await enrol_pair(server)
        for body, ttl_s in ((b"short", 10), (b"long", 1000), (b"for ever", 0)):
            envelope = encode_envelope(message(direct, alice.next_op(), body, ttl_s=ttl_s))
            await alice.request(f.Send(envelope), f.Accepted)
        clock.let_pass(500_000)
        await bob.sync()
        await bob.wait_for(f.Synced)
        run = briefly(pushed(bob, direct))[1:]
        assert run == [(2, "skip", 1), (3, b"long"), (4, b"for ever")]

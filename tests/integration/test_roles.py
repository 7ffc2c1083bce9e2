"""Who may do what: every request, asked by everybody who stands in some way to a conversation."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from trio.testing import MockClock

from tests.integration.asking import briefly, history, pushed, refusal, settle
from wxserve.protocol import frames as f
from wxserve.protocol.envelope import Kind, decode_envelope, encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import AccountId, ConversationId
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer, memory_server

MEMBER, ADMINISTRATOR, OWNER = 1, 2, 3
OK = None
NO = ErrorCode.FORBIDDEN
KIND = ErrorCode.KIND_NOT_ALLOWED
CLOSED = ErrorCode.CONVERSATION_CLOSED
STAY = ErrorCode.OWNER_MUST_TRANSFER

ACTORS = ("owner", "administrator", "member", "invited", "removed", "stranger", "direct")
"""Who asks; the last one asks about its direct conversation with the owner."""
OTHERS = ("plain", "deputy", "newcomer")
"""A second member, a second administrator, and somebody to invite."""


class Place(NamedTuple):
    """A conversation as an actor finds it.

    Attributes:
        conversation: the group, or the direct conversation.
        own: the number of the actor's own message, of the owner's if it has none.
        other: the number of somebody else's message.
        accounts: everybody, by name.
    """

    conversation: ConversationId
    own: int
    other: int
    accounts: dict[str, AccountId]


Ask = Callable[[TestDevice, Place], f.Frame]


def send(device: TestDevice, place: Place) -> f.Frame:
    return f.Send(encode_envelope(message(place.conversation, device.next_op(), b"x")))


def remove(name: str) -> Ask:
    return lambda d, p: f.Remove(d.next_op(), p.conversation, p.accounts[name])


REQUESTS: dict[str, tuple[Ask, tuple[ErrorCode | None, ...]]] = {
    # owner, administrator, member, invited, removed, stranger, direct
    "invite": (
        lambda d, p: f.Invite(d.next_op(), p.conversation, (p.accounts["newcomer"],)),
        (OK, OK, OK, NO, NO, NO, KIND),
    ),
    "accept": (
        lambda d, p: f.Accept(d.next_op(), p.conversation),
        (NO, NO, NO, OK, NO, NO, NO),
    ),
    "leave": (
        lambda d, p: f.Leave(d.next_op(), p.conversation),
        (STAY, OK, OK, OK, NO, NO, KIND),
    ),
    "remove-member": (remove("plain"), (OK, OK, NO, NO, NO, NO, NO)),
    "remove-administrator": (remove("deputy"), (OK, NO, NO, NO, NO, NO, NO)),
    "remove-owner": (remove("owner"), (NO, NO, NO, NO, NO, NO, NO)),
    "remove-nobody": (remove("newcomer"), (NO, NO, NO, NO, NO, NO, NO)),
    "set-role": (
        lambda d, p: f.SetRole(d.next_op(), p.conversation, p.accounts["plain"], ADMINISTRATOR),
        (OK, NO, NO, NO, NO, NO, NO),
    ),
    "set-role-of-the-invited": (
        lambda d, p: f.SetRole(d.next_op(), p.conversation, p.accounts["invited"], MEMBER),
        (NO, NO, NO, NO, NO, NO, NO),
    ),
    "close": (
        lambda d, p: f.Close(d.next_op(), p.conversation),
        (OK, NO, NO, NO, NO, NO, NO),
    ),
    "redact-own": (
        lambda d, p: f.Redact(d.next_op(), p.conversation, p.own),
        (OK, OK, OK, NO, NO, NO, OK),
    ),
    "redact-others": (
        lambda d, p: f.Redact(d.next_op(), p.conversation, p.other),
        (OK, OK, NO, NO, NO, NO, NO),
    ),
    "redact-the-servers": (
        lambda d, p: f.Redact(d.next_op(), p.conversation, 1),
        (KIND, KIND, NO, NO, NO, NO, KIND),
    ),
    "redact-nothing": (
        lambda d, p: f.Redact(d.next_op(), p.conversation, 99),
        (NO, NO, NO, NO, NO, NO, NO),
    ),
    "send": (send, (OK, OK, OK, NO, NO, NO, OK)),
    "history": (
        lambda d, p: f.History(p.conversation, 1, 99, 10),
        (OK, OK, OK, NO, OK, NO, OK),
    ),
    "members": (
        lambda d, p: f.Members(p.conversation, b"", 10),
        (OK, OK, OK, OK, NO, NO, OK),
    ),
    "set-register": (
        lambda d, p: f.SetRegister(p.conversation, "mute", d.counter + 1, b""),
        (OK, OK, OK, OK, OK, NO, OK),
    ),
}


async def enrol_cast(server: MemoryServer) -> dict[str, TestDevice]:
    return {name: await TestDevice(server, name).enrol() for name in (*ACTORS, *OTHERS)}


async def build_group(cast: dict[str, TestDevice]) -> Place:
    """Make a group in which everybody stands as its name says."""
    owner = cast["owner"]
    inside = [cast[name] for name in ("administrator", "member", "removed", "plain", "deputy")]
    group = await owner.create_group(*inside)
    invited = f.Invite(owner.next_op(), group, (cast["invited"].account,))
    await owner.request(invited, f.Accepted)
    for name in ("administrator", "deputy"):
        await give_role(owner, group, cast[name], ADMINISTRATOR)
    other = (await cast["plain"].message(group, b"plain")).seq
    accounts = {name: device.account for name, device in cast.items()}
    return Place(group, 0, other, accounts)


async def place_of(cast: dict[str, TestDevice], actor: str) -> Place:
    """Return a new place in which the actor has written where it could."""
    owner, device = cast["owner"], cast[actor]
    if actor == "direct":
        direct = await device.create_direct(owner)
        own = await device.message(direct, b"mine")
        other = await owner.message(direct, b"yours")
        accounts = {name: one.account for name, one in cast.items()}
        return Place(direct, own.seq, other.seq, accounts)
    place = await build_group(cast)
    group, own_seq = place.conversation, place.other
    if actor not in {"invited", "stranger"}:
        own_seq = (await device.message(group, b"mine")).seq
    if actor == "removed":
        await owner.request(f.Remove(owner.next_op(), group, device.account), f.Accepted)
    return place._replace(own=own_seq)


async def give_role(
    owner: TestDevice, group: ConversationId, peer: TestDevice, role: int
) -> f.Accepted:
    return await owner.request(f.SetRole(owner.next_op(), group, peer.account, role), f.Accepted)


@pytest.mark.parametrize("name", REQUESTS)
async def test_request_by_everybody_is_answered_as_the_role_says(
    tmp_path: Path, autojump_clock: MockClock, name: str
) -> None:
    ask, expected = REQUESTS[name]
    async with memory_server(tmp_path) as server:
        cast = await enrol_cast(server)
        answers = {}
        for actor in ACTORS:
            place = await place_of(cast, actor)
            position = server.store.position
            answers[actor] = await refusal(cast[actor], ask(cast[actor], place))
            if answers[actor] is not None:
                assert server.store.position == position, "a refusal records nothing"
        assert answers == dict(zip(ACTORS, expected, strict=True))


READS = dict.fromkeys(("history", "members", "set-register"), OK)
CLOSED_ANSWERS: dict[str, dict[str, ErrorCode | None]] = {
    "owner": dict.fromkeys(REQUESTS, CLOSED) | READS,
    "member": dict.fromkeys(REQUESTS, CLOSED) | READS,
    "invited": dict.fromkeys(REQUESTS, CLOSED) | READS | {"send": NO, "history": NO},
    "stranger": dict.fromkeys(REQUESTS, NO),
}
"""What is answered in a group that was closed; a stranger learns not even that."""


@pytest.mark.parametrize("actor", CLOSED_ANSWERS)
async def test_request_in_a_closed_group_is_refused_unless_it_reads(
    tmp_path: Path, autojump_clock: MockClock, actor: str
) -> None:
    async with memory_server(tmp_path) as server:
        cast = await enrol_cast(server)
        place = await place_of(cast, actor)
        close = f.Close(cast["owner"].next_op(), place.conversation)
        await cast["owner"].request(close, f.Accepted)
        answers = {
            name: await refusal(cast[actor], ask(cast[actor], place))
            for name, (ask, _) in REQUESTS.items()
        }
        assert answers == CLOSED_ANSWERS[actor]


async def test_leave_second_owner_leaves_and_the_last_one_stays(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        group = await alice.create_group(bob)
        assert await refusal(alice, f.Leave(alice.next_op(), group)) == STAY
        await give_role(alice, group, bob, OWNER)
        assert await refusal(alice, f.Leave(alice.next_op(), group)) is None
        demotion = f.SetRole(bob.next_op(), group, bob.account, MEMBER)
        assert await refusal(bob, demotion) == STAY
        assert await refusal(bob, f.Leave(bob.next_op(), group)) is None


async def test_leave_only_owner_who_is_alone_with_the_invited_leaves(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        group = await alice.create_group()
        await alice.request(f.Invite(alice.next_op(), group, (bob.account,)), f.Accepted)
        assert await refusal(alice, f.Leave(alice.next_op(), group)) is None


async def test_remove_owner_by_a_second_owner_is_forbidden(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        group = await alice.create_group(bob)
        await give_role(alice, group, bob, OWNER)
        removal = f.Remove(bob.next_op(), group, alice.account)
        assert await refusal(bob, removal) == NO


async def test_role_taken_back_counts_from_then_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        group = await alice.create_group(bob)
        theirs = (await alice.message(group, b"alice's")).seq
        await give_role(alice, group, bob, ADMINISTRATOR)
        await give_role(alice, group, bob, MEMBER)
        assert await refusal(bob, f.Redact(bob.next_op(), group, theirs)) == NO


async def test_set_role_unknown_role_is_forbidden(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        group = await alice.create_group(bob)
        for role in (0, 4):
            frame = f.SetRole(alice.next_op(), group, bob.account, role)
            assert await refusal(alice, frame) == NO


async def test_removed_member_invited_again_reads_both_intervals(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        group = await alice.create_group(bob)
        await alice.message(group, b"seen")
        removal = f.Remove(alice.next_op(), group, bob.account)
        removed = await alice.request(removal, f.Accepted)
        await alice.message(group, b"missed")
        invitation = f.Invite(alice.next_op(), group, (bob.account,))
        await alice.request(invitation, f.Accepted)
        joined = await bob.request(f.Accept(bob.next_op(), group), f.Accepted)
        frames, following = await history(bob, group)
        run = briefly(frames)
        assert following == 0
        assert run[0] == (1, "skip", 3)
        assert (joined.seq - 1, "skip", 3) in run
        numbers = [number for number, *_ in run]
        assert numbers == [1, 2, 3, removed.seq, joined.seq - 1, joined.seq]


async def test_invite_into_a_full_group_is_refused(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("wxserve.store.") and hasattr(module, "GROUP_ACCOUNTS_MAX"):
            monkeypatch.setattr(module, "GROUP_ACCOUNTS_MAX", 3)
    async with memory_server(tmp_path) as server:
        alice, bob, carol, dave = [
            await TestDevice(server, name).enrol() for name in ("alice", "bob", "carol", "dave")
        ]
        everybody = f.Create(alice.next_op(), 2, (bob.account, carol.account, dave.account), b"")
        assert await refusal(alice, everybody) == ErrorCode.CONVERSATION_FULL
        group = await alice.create_group(bob)
        invite_two = f.Invite(alice.next_op(), group, (carol.account, dave.account))
        assert await refusal(alice, invite_two) == ErrorCode.CONVERSATION_FULL
        # The invited take a place too; who is in already takes none.
        invite_one = f.Invite(alice.next_op(), group, (bob.account, carol.account))
        assert await refusal(alice, invite_one) is None
        third = f.Invite(alice.next_op(), group, (dave.account,))
        assert await refusal(alice, third) == ErrorCode.CONVERSATION_FULL
        assert await refusal(carol, f.Leave(carol.next_op(), group)) is None
        again = f.Invite(alice.next_op(), group, (dave.account,))
        assert await refusal(alice, again) is None


async def test_invite_twice_gives_one_notice_and_keeps_the_role(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await bob.sync()
        group = await alice.create_group(bob)
        await give_role(alice, group, bob, ADMINISTRATOR)
        await alice.request(f.Invite(alice.next_op(), group, (bob.account,)), f.Accepted)
        heard = await settle(bob)
        notices = [
            frame
            for frame in heard
            if isinstance(frame, f.Deliver)
            and decode_envelope(frame.envelope).kind == Kind.NOTICE
            and b"invited" in frame.envelope
        ]
        assert len(notices) == 1
        members = (await alice.request(f.Members(group, b"", 10), f.MemberList)).members
        assert [m.role for m in members if m.account == bob.account] == [ADMINISTRATOR]


async def test_redact_entry_comes_as_skip_in_history_and_catch_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        direct = await alice.create_direct(bob)
        secret = await alice.message(direct, b"secret")
        await alice.message(direct, b"public")
        redaction = f.Redact(alice.next_op(), direct, secret.seq)
        first = await alice.request(redaction, f.Accepted)
        assert await alice.request(redaction, f.Accepted) == first
        again = f.Redact(alice.next_op(), direct, secret.seq)
        assert await refusal(alice, again) == ErrorCode.ENTRY_GONE
        await bob.sync()
        await bob.wait_for(f.Synced)
        for run in (pushed(bob, direct), (await history(bob, direct))[0]):
            assert [number for number, *_ in briefly(run)] == [1, 2, 3, 4]
            assert briefly(run)[1:3] == [(2, "skip", 2), (3, b"public")]
            redacted = run[3]
            assert isinstance(redacted, f.Deliver)
            assert decode_envelope(redacted.envelope).kind == Kind.REDACTED
            assert not [part for part in run if b"secret" in getattr(part, "envelope", b"")]

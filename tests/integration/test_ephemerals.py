"""Ephemeral frames: who hears them, who does not, and that nothing of them stays."""

from pathlib import Path

from trio.testing import MockClock

from tests.integration.asking import settle
from wxserve.protocol import frames as f
from wxserve.protocol.identifiers import ConversationId, sender_of
from wxserve.router.ephemerals import EphemeralKind
from wxserve.router.limits import AdmissionLimits, Budget, Rate, RouterLimits
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer, memory_server

TYPING, PRESENCE = EphemeralKind.TYPING, EphemeralKind.PRESENCE


async def enrol(server: MemoryServer, *names: str) -> list[TestDevice]:
    """Return devices of accounts of their own that follow."""
    devices = [await TestDevice(server, name).enrol() for name in names]
    for device in devices:
        await device.sync()
    return devices


def ephemerals(frames: list[f.Frame]) -> list[f.Ephemeral]:
    return [frame for frame in frames if isinstance(frame, f.Ephemeral)]


async def heard_by(device: TestDevice) -> list[bytes]:
    return [frame.body for frame in ephemerals(await settle(device))]


def say(device: TestDevice, conversation: ConversationId, body: bytes, kind: int = TYPING) -> None:
    device.send_frame(f.Ephemeral(conversation, kind, body, None))


async def test_ephemeral_peers_and_own_other_device_hear_it_with_the_sender(
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, stranger = await enrol(server, "alice", "bob", "stranger")
        laptop = await TestDevice(server, "laptop").enrol(alice.account)
        await laptop.sync()
        direct = await alice.create_direct(bob)
        for kind in EphemeralKind:
            say(alice, direct, b"x", kind)
        sender = sender_of(alice.account, alice.device)
        expected = [f.Ephemeral(direct, int(kind), b"x", sender) for kind in EphemeralKind]
        assert ephemerals(await settle(bob)) == expected
        assert ephemerals(await settle(laptop)) == expected
        assert ephemerals(await settle(alice)) == []
        assert ephemerals(await settle(stranger)) == []


async def test_ephemeral_forged_sender_is_replaced_by_the_true_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob = await enrol(server, "alice", "bob")
        direct = await alice.create_direct(bob)
        forged = sender_of(bob.account, bob.device)
        alice.send_frame(f.Ephemeral(direct, TYPING, b"x", forged))
        heard = ephemerals(await settle(bob))
        assert [frame.sender for frame in heard] in (
            [],
            [sender_of(alice.account, alice.device)],
        )


async def test_ephemeral_from_and_to_those_outside_is_dropped(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, member, invited, removed, stranger = await enrol(
            server, "alice", "member", "invited", "removed", "stranger"
        )
        group = await alice.create_group(member, removed)
        await alice.request(f.Invite(alice.next_op(), group, (invited.account,)), f.Accepted)
        say(removed, group, b"while in")
        assert await heard_by(member) == [b"while in"]
        await alice.request(f.Remove(alice.next_op(), group, removed.account), f.Accepted)
        for outsider in (invited, removed, stranger):
            say(outsider, group, b"from outside")
        say(stranger, ConversationId(bytes(16)), b"nowhere")
        say(alice, group, b"from inside")
        assert await heard_by(member) == [b"while in", b"from inside"]
        assert await heard_by(alice) == [b"while in"]
        for outsider in (invited, removed, stranger):
            assert await heard_by(outsider) == []
            assert not outsider.link.closing


async def test_ephemeral_session_before_its_sync_hears_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob = await enrol(server, "alice", "bob")
        direct = await alice.create_direct(bob)
        await bob.log_in()
        say(alice, direct, b"x")
        assert await heard_by(bob) == []


async def test_ephemeral_unknown_kind_is_ignored(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob = await enrol(server, "alice", "bob")
        direct = await alice.create_direct(bob)
        for kind in (0, 5, 255):
            say(alice, direct, b"unknown", kind)
        say(alice, direct, b"known")
        assert await heard_by(bob) == [b"known"]
        assert not [x for x in await settle(alice) if isinstance(x, f.Error)]
        await alice.message(direct, b"the link lives")


async def test_ephemeral_above_the_budget_is_dropped_without_a_word(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    budgets = AdmissionLimits(ephemeral=Budget(device=Rate(1, 3)))
    async with memory_server(tmp_path, admission=budgets) as server:
        alice, bob = await enrol(server, "alice", "bob")
        direct = await alice.create_direct(bob)
        for number in range(10):
            say(alice, direct, b"%d" % number)
        assert await heard_by(bob) == [b"0", b"1", b"2"]
        assert not [x for x in await settle(alice, 10) if isinstance(x, f.Error)]
        say(alice, direct, b"later")
        assert (await heard_by(bob))[-1] == b"later"


async def test_ephemeral_to_a_slow_receiver_is_dropped(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = RouterLimits(outgoing_bytes_low=4096)
    async with memory_server(tmp_path, router_limits=limits) as server:
        alice, bob = await enrol(server, "alice", "bob")
        direct = await alice.create_direct(bob)
        await settle(bob)
        for _ in range(100):
            say(alice, direct, bytes(1000))
        assert bob.link.outgoing_bytes < 2 * 4096
        assert len(await heard_by(bob)) < 10
        await alice.message(direct, b"stored")
        assert await bob.bodies(direct, 1) == [b"stored"]


async def test_presence_peer_hears_offline_after_the_device_went_away(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, carol = await enrol(server, "alice", "bob", "carol")
        direct = await alice.create_direct(bob)
        await alice.create_direct(carol)
        say(alice, direct, b"\1", PRESENCE)
        assert await heard_by(bob) == [b"\1"]
        alice.disconnect()
        last = ephemerals(await settle(bob))[1:]
        sender = sender_of(alice.account, alice.device)
        assert last == [f.Ephemeral(direct, PRESENCE, b"\0", sender)]
        assert await heard_by(carol) == [], "she was not told it came"


async def test_presence_taken_back_is_not_told_again_when_the_device_goes(
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob = await enrol(server, "alice", "bob")
        direct = await alice.create_direct(bob)
        say(alice, direct, b"\1", PRESENCE)
        say(alice, direct, b"\0", PRESENCE)
        alice.disconnect()
        assert await heard_by(bob) == [b"\1", b"\0"]


async def test_presence_of_a_device_removed_meanwhile_tells_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob = await enrol(server, "alice", "bob")
        group = await alice.create_group(bob)
        say(bob, group, b"\1", PRESENCE)
        assert await heard_by(alice) == [b"\1"]
        await alice.request(f.Remove(alice.next_op(), group, bob.account), f.Accepted)
        bob.disconnect()
        assert await heard_by(alice) == [b"\1"]


async def test_ephemeral_is_never_stored(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob = await enrol(server, "alice", "bob")
        direct = await alice.create_direct(bob)
        bob.disconnect()
        position = server.store.position
        say(alice, direct, b"x")
        say(alice, direct, b"\1", PRESENCE)
        await settle(alice)
        assert server.store.position == position
        await bob.log_in()
        await bob.sync()
        assert await heard_by(bob) == []

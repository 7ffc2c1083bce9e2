"""Registers: the last value wins, the account's other sessions hear of it, nobody else does."""

from pathlib import Path

from trio.testing import MockClock

from tests.integration.asking import refusal, settle
from wxserve.protocol import frames as f
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId, self_conversation
from wxserve.router.limits import RouterLimits
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer, memory_server


async def write(
    device: TestDevice, conversation: ConversationId, key: str, version: int, value: bytes
) -> f.Register:
    return await device.request(f.SetRegister(conversation, key, version, value), f.Register)


async def enrol_two(server: MemoryServer) -> tuple[TestDevice, TestDevice, ConversationId]:
    """Return two devices of one account that follow, and its own conversation."""
    phone = await TestDevice(server, "phone").enrol()
    laptop = await TestDevice(server, "laptop").enrol(phone.account)
    for device in (phone, laptop):
        await device.sync()
        await device.wait_for(f.Synced)
    return phone, laptop, self_conversation(phone.account)


def registers(frames: list[f.Frame]) -> list[tuple[str, int, bytes]]:
    return [(r.key, r.version, r.value) for r in frames if isinstance(r, f.Register)]


async def test_set_register_higher_version_wins_whatever_comes_last(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, own = await enrol_two(server)
        await write(phone, own, "k", 5, b"five")
        stored = await write(laptop, own, "k", 4, b"four")
        assert (stored.version, stored.value) == (5, b"five")
        newer = await write(laptop, own, "k", 6, b"six")
        assert (newer.version, newer.value) == (6, b"six")
        assert newer.position > stored.position


async def test_set_register_equal_version_gets_the_stored_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, own = await enrol_two(server)
        first = await write(phone, own, "k", 5, b"first")
        assert await write(laptop, own, "k", 5, b"second") == first
        assert await write(phone, own, "k", 5, b"first") == first


async def test_set_register_version_zero_is_stored_when_there_is_none(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, _, own = await enrol_two(server)
        stored = await write(phone, own, "k", 0, b"zero")
        assert (stored.version, stored.value) == (0, b"zero")


async def test_set_register_many_times_other_session_hears_the_last_one_only(
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, own = await enrol_two(server)
        streams = []
        for version in range(1, 51):
            streams.append(phone.next_stream())
            phone.send_frame(f.SetRegister(own, "draft", version, b"%d" % version), streams[-1])
        phone.send_frame(f.SetRegister(own, "mute", 1, b"yes"), phone.next_stream())
        for stream in streams:
            await phone.wait_for(f.Register, stream)
        told = registers(await settle(laptop))
        assert told[-2:] == [("draft", 50, b"50"), ("mute", 1, b"yes")]
        assert len(told) < 10, "coalesced"
        assert registers(await settle(phone)) == [], "it has its answer"


async def test_set_register_that_lost_is_not_pushed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, own = await enrol_two(server)
        await write(phone, own, "k", 5, b"five")
        await settle(laptop)
        laptop.heard.clear()
        await write(phone, own, "k", 4, b"four")
        assert registers(await settle(laptop)) == []


async def test_set_register_peer_of_the_conversation_never_hears_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, _ = await enrol_two(server)
        bob = await TestDevice(server, "bob").enrol()
        await bob.sync()
        direct = await phone.create_direct(bob)
        await write(phone, direct, "read", 1, b"2")
        assert registers(await settle(laptop)) == [("read", 1, b"2")]
        assert registers(await settle(bob)) == []
        await bob.log_in()
        await bob.sync(0)
        assert registers(await settle(bob)) == []
        # His own register of the same name is another one.
        assert (await write(bob, direct, "read", 1, b"9")).value == b"9"


async def test_set_register_session_before_its_sync_hears_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, own = await enrol_two(server)
        await laptop.log_in()
        await write(phone, own, "k", 1, b"1")
        assert registers(await settle(laptop)) == []
        await laptop.sync()
        assert registers(await settle(laptop)) == [("k", 1, b"1")]


async def test_sync_after_absence_tells_only_the_registers_that_changed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, own = await enrol_two(server)
        await write(phone, own, "old", 1, b"1")
        await phone.message(own, b"so that SYNCED comes")
        position = server.store.position
        while (await laptop.wait_for(f.Synced)).position < position:
            pass
        laptop.disconnect()
        for version in (1, 2):
            await write(phone, own, "new", version, b"%d" % version)
        await laptop.log_in()
        await laptop.sync(position)
        heard = await settle(laptop)
        assert registers(heard) == [("new", 2, b"2")]
        kinds = [type(frame) for frame in heard]
        assert kinds.index(f.Register) < kinds.index(f.Synced)


async def test_sync_many_registers_come_all_once_and_before_synced(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(
        tmp_path, router_limits=RouterLimits(registers_pending_max=4)
    ) as server:
        phone, laptop, own = await enrol_two(server)
        laptop.disconnect()
        for number in range(40):
            await write(phone, own, f"key {number}", 1, bytes(100))
        await laptop.log_in()
        await laptop.sync()
        await laptop.wait_for(f.Synced)
        told = [key for key, _, _ in registers(laptop.heard)]
        assert sorted(told) == sorted(f"key {number}" for number in range(40))


async def test_set_register_sixty_fifth_key_is_limit_reached(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone, _, own = await enrol_two(server)
        bob = await TestDevice(server, "bob").enrol()
        direct = await phone.create_direct(bob)
        for number in range(64):
            await write(phone, own, f"key {number}", 1, b"")
        more = f.SetRegister(own, "one more", 1, b"")
        assert await refusal(phone, more) == ErrorCode.LIMIT_REACHED
        assert (await write(phone, own, "key 7", 2, b"x")).value == b"x"
        assert (await write(phone, direct, "one more", 1, b"y")).value == b"y"


async def test_set_register_survives_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with memory_server(tmp_path) as server:
        phone, laptop, own = await enrol_two(server)
        stored = await write(phone, own, "k", 7, b"seven")
    async with memory_server(tmp_path) as server:
        for device in (phone, laptop):
            device.server = server
            await device.log_in()
        assert await write(phone, own, "k", 6, b"six") == stored
        await laptop.sync()
        assert registers(await settle(laptop)) == [("k", 7, b"seven")]

"""Several devices of one account: joining, hearing each other, being named and revoked."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.integration.asking import briefly, history, pushed, refusal, settle
from wxserve.protocol import frames as f
from wxserve.protocol.credentials import (
    DEVICE_KEY,
    ENROLMENT,
    INVITE_VERIFIER,
    DeviceKey,
    Enrolment,
)
from wxserve.protocol.envelope import Kind, decode_envelope
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import (
    DeviceId,
    device_conversation,
    notice_conversation,
    self_conversation,
)
from wxserve.protocol.packing import unpack
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer, TestClock, memory_server

ACTIVE, REVOKED = 1, 2


async def link_code(device: TestDevice) -> f.LinkCode:
    return await device.request(f.LinkDevice(), f.LinkCode)


async def enrol_with(device: TestDevice, code: bytes) -> None:
    """Connect and enrol a device with a code."""
    device.connect()
    public = device.key.public_key().public_bytes_raw()
    await device.authenticate(
        Enrolment(ENROLMENT, INVITE_VERIFIER, code, public, "ignored", device.name)
    )


async def join(server: MemoryServer, account: TestDevice, name: str = "laptop") -> TestDevice:
    """Link a new device to the account of another one."""
    device = TestDevice(server, name)
    await enrol_with(device, (await link_code(account)).code)
    return device


async def list_devices(device: TestDevice) -> list[tuple[DeviceId, str, int]]:
    devices = await device.request(f.ListDevices(), f.Devices)
    return [(one.device, one.name, one.state) for one in devices.devices]


def notices(device: TestDevice) -> list[object]:
    """Return what a device has heard in its account's notices."""
    return [
        unpack(decode_envelope(frame.envelope).body)
        for frame in pushed(device, notice_conversation(device.account))
        if isinstance(frame, f.Deliver)
    ]


async def test_link_device_new_one_joins_and_the_others_are_told(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        bob = await TestDevice(server, "bob").enrol()
        for device in (phone, bob):
            await device.sync()
        laptop = await join(server, phone)
        assert laptop.account == phone.account
        assert laptop.device != phone.device
        await settle(phone)
        assert [*notices(phone)][-1] == ("device-added", laptop.device)
        await settle(bob)
        assert ("device-added", laptop.device) not in notices(bob)


async def test_link_device_new_one_sees_entries_from_its_enrolment_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        bob = await TestDevice(server, "bob").enrol()
        direct = await phone.create_direct(bob)
        group = await bob.create_group(phone)
        own = self_conversation(phone.account)
        for place in (direct, group, own):
            await phone.message(place, b"before")
        laptop = await join(server, phone)
        for place in (direct, group, own):
            await phone.message(place, b"after")
        await laptop.sync()
        await laptop.wait_for(f.Synced)
        for place in (direct, group, own):
            run = briefly(pushed(laptop, place))
            assert run[-1][1:] == (b"after",)
            assert [part[1:] for part in run[:-1]] == [("skip", 3)]
            assert briefly((await history(laptop, place))[0]) == run
            assert (len(briefly((await history(phone, place))[0]))) == run[-1][0], "the phone all"


async def test_link_device_new_one_reads_older_notices_too(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        laptop = await join(server, phone)
        await laptop.sync()
        await laptop.wait_for(f.Synced)
        added = [("device-added", phone.device), ("device-added", laptop.device)]
        assert notices(laptop) == added


async def test_message_both_devices_get_each_others(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        bob = await TestDevice(server, "bob").enrol()
        laptop = await join(server, phone)
        for device in (phone, laptop):
            await device.sync()
        direct = await phone.create_direct(bob)
        for number in range(3):
            await phone.message(direct, b"phone %d" % number)
            await laptop.message(direct, b"laptop %d" % number)
        await bob.message(direct, b"bob")
        assert await phone.bodies(direct, 4) == [b"laptop 0", b"laptop 1", b"laptop 2", b"bob"]
        assert await laptop.bodies(direct, 4) == [b"phone 0", b"phone 1", b"phone 2", b"bob"]


async def test_acknowledgement_of_one_device_is_not_the_others(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        laptop = await join(server, phone)
        own = self_conversation(phone.account)
        for device in (phone, laptop):
            await device.sync()
        sent = await phone.message(own, b"note")
        await laptop.bodies(own, 1)
        laptop.send_frame(f.Ack(((own, sent.seq),), 0))
        for device, unread in ((phone, 1), (laptop, 0)):
            await device.log_in()
            states = {state.conversation: state.unread for state in await device.sync()}
            assert states[own] == unread


async def test_device_conversation_is_seen_by_its_device_only(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        laptop = await join(server, phone)
        mine, others = (device_conversation(one.device) for one in (phone, laptop))
        listed = await phone.request(f.ListConversations(b"", 256), f.Conversations)
        ids = {state.conversation for state in listed.conversations}
        assert mine in ids
        assert others not in ids
        assert await refusal(phone, f.History(others, 1, 9, 9)) == ErrorCode.FORBIDDEN
        assert await refusal(phone, f.History(mine, 1, 9, 9)) is None


async def test_list_devices_tells_all_of_the_account_oldest_first(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock) as server:
        phone = await TestDevice(server, "phone").enrol()
        await TestDevice(server, "bob").enrol()
        clock.offset_ms += 60_000
        laptop = await join(server, phone, "laptop")
        clock.offset_ms += 60_000
        tablet = await join(server, laptop, "tablet")
        await phone.request(f.RevokeDevice(laptop.device), f.Done)
        expected = [
            (phone.device, "phone", ACTIVE),
            (laptop.device, "laptop", REVOKED),
            (tablet.device, "tablet", ACTIVE),
        ]
        assert await list_devices(phone) == expected
        assert await list_devices(tablet) == expected


async def test_rename_device_own_and_the_accounts_other_ones(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        bob = await TestDevice(server, "bob").enrol()
        laptop = await join(server, phone)
        await phone.request(f.RenameDevice(phone.device, "old phone"), f.Done)
        await phone.request(f.RenameDevice(laptop.device, "Überall ☎"), f.Done)
        assert {name for _, name, _ in await list_devices(laptop)} == {"old phone", "Überall ☎"}
        for foreign in (bob.device, DeviceId(bytes(8))):
            rename = f.RenameDevice(foreign, "mine now")
            assert await refusal(phone, rename) == ErrorCode.FORBIDDEN
        assert [name for _, name, _ in await list_devices(bob)] == ["bob"]


async def test_revoke_device_its_session_ends_at_once_and_never_comes_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        laptop = await join(server, phone)
        await phone.sync()
        await phone.request(f.RevokeDevice(laptop.device), f.Done)
        assert laptop.link.closing
        laptop.pump()
        last = laptop.heard[-1]
        assert isinstance(last, f.Error)
        assert last.code == ErrorCode.DEVICE_REVOKED
        await settle(phone)
        assert notices(phone)[-1] == ("device-revoked", laptop.device)
        await phone.request(f.RevokeDevice(laptop.device), f.Done)
        await settle(phone)
        assert notices(phone).count(("device-revoked", laptop.device)) == 1
    async with memory_server(tmp_path) as server:
        laptop.server = server
        laptop.connect()
        with pytest.raises(AssertionError, match="2002"):
            await laptop.authenticate(DeviceKey(DEVICE_KEY, laptop.account, laptop.device))


async def test_revoke_device_nothing_more_is_delivered_to_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        laptop = await join(server, phone)
        await laptop.sync()
        own = self_conversation(phone.account)
        await phone.request(f.RevokeDevice(laptop.device), f.Done)
        await phone.message(own, b"secret")
        laptop.pump()
        assert not any(b"secret" in getattr(x, "envelope", b"") for x in laptop.heard)


async def test_revoke_device_own_one_and_foreign_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        bob = await TestDevice(server, "bob").enrol()
        for foreign in (bob.device, DeviceId(bytes(8))):
            assert await refusal(phone, f.RevokeDevice(foreign)) == ErrorCode.FORBIDDEN
        assert not bob.link.closing
        await bob.log_in()


async def test_link_code_holds_ten_minutes_and_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock) as server:
        phone = await TestDevice(server, "phone").enrol()
        codes = [await link_code(phone) for _ in range(2)]
        for code in codes:
            assert 599_000 <= code.expires_ms - clock.now_ms() <= 600_000
        clock.offset_ms = codes[0].expires_ms - clock.now_ms() + clock.offset_ms - 500
        await enrol_with(TestDevice(server, "in time"), codes[0].code)
        with pytest.raises(AssertionError, match="2004"):
            await enrol_with(TestDevice(server, "second"), codes[0].code)
        clock.offset_ms += 1000
        with pytest.raises(AssertionError, match="2005"):
            await enrol_with(TestDevice(server, "late"), codes[1].code)
        assert len(await list_devices(phone)) == 2


async def test_created_by_one_device_other_one_hears_of_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        phone = await TestDevice(server, "phone").enrol()
        bob = await TestDevice(server, "bob").enrol()
        laptop = await join(server, phone)
        await laptop.sync()
        group = await phone.create_group(bob)
        await settle(laptop)
        run = pushed(laptop, group)
        assert [frame.seq for frame in run if isinstance(frame, f.Deliver)] == [1, 2]
        first = run[0]
        assert isinstance(first, f.Deliver)
        assert decode_envelope(first.envelope).kind == Kind.CREATED

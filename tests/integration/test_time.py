"""What time does: deadlines, heartbeats, draining, budgets that fill again, clocks that jump."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.integration.asking import briefly, history, pushed, refusal, settle
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.credentials import DEVICE_KEY, DeviceKey, encode_credential
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId
from wxserve.protocol.transcript import NO_BINDING
from wxserve.router.limits import AdmissionLimits, Budget, Rate, RouterLimits
from wxserve.testing.device import RefusedError, TestDevice
from wxserve.testing.memory import MemoryServer, TestClock, memory_server


def send(device: TestDevice, conversation: ConversationId, body: bytes = b"x") -> f.Send:
    return f.Send(encode_envelope(message(conversation, device.next_op(), body)))


async def enrol_pair(server: MemoryServer) -> tuple[TestDevice, TestDevice, ConversationId]:
    alice = await TestDevice(server, "alice").enrol()
    bob = await TestDevice(server, "bob").enrol()
    for device in (alice, bob):
        await device.sync()
    return alice, bob, await alice.create_direct(bob)


# -- deadlines and heartbeats ------------------------------------------------------------------


async def test_handshake_bytes_that_trickle_do_not_move_its_deadline(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        device = TestDevice(server, "slow")
        device.connect()
        began = trio.current_time()
        for byte in encode(f.Hello(((1, 0),), bytes(32), "test"))[:-1]:
            device.link.receive(bytes([byte]))
            await trio.sleep(0.5)
            if device.link.closing:
                break
        assert device.link.closing
        assert trio.current_time() - began <= 12
        device.pump()
        assert isinstance(device.heard[-1], f.Error)
        assert device.heard[-1].code == ErrorCode.HANDSHAKE_TIMEOUT


async def test_handshake_finished_late_but_in_time_opens_a_session_that_stays(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        device = await TestDevice(server, "slow").enrol()
        device.connect()
        await trio.sleep(9)
        await device.authenticate(DeviceKey(DEVICE_KEY, device.account, device.device))
        await trio.sleep(100)
        assert not device.link.closing


async def test_ping_is_answered_and_keeps_a_silent_session(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = RouterLimits(heartbeat_max_s=20)
    async with memory_server(tmp_path, router_limits=limits) as server:
        device = await TestDevice(server, "quiet").enrol()
        for _ in range(50):
            await trio.sleep(49)
            assert not device.link.closing
            device.send_frame(f.Ping())
            await device.wait_for(f.Pong)
        await trio.sleep(53)
        assert device.link.closing
        device.pump()
        assert isinstance(device.heard[-1], f.Error)
        assert device.heard[-1].code == ErrorCode.IDLE_TIMEOUT


async def test_heartbeat_part_of_a_frame_is_a_sign_of_life(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = RouterLimits(heartbeat_max_s=20)
    async with memory_server(tmp_path, router_limits=limits) as server:
        device = await TestDevice(server, "slow").enrol()
        for byte in device.connection.send(f.Ping()):
            await trio.sleep(45)
            device.link.receive(bytes([byte]))
        await device.wait_for(f.Pong)


async def test_heartbeat_what_the_server_pushes_is_no_sign_of_life(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = RouterLimits(heartbeat_max_s=20)
    async with memory_server(tmp_path, router_limits=limits) as server:
        alice, bob, direct = await enrol_pair(server)
        for _ in range(8):
            await alice.message(direct, b"are you there?")
            await trio.sleep(10)
        assert bob.link.closing
        assert not alice.link.closing


# -- draining ----------------------------------------------------------------------------------


async def test_drain_what_is_under_way_is_answered_and_delivered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, direct = await enrol_pair(server)
        streams = []
        for number in range(50):
            streams.append(alice.next_stream())
            alice.send_frame(send(alice, direct, b"%d" % number), streams[-1])
        server.router.start_drain(4.0)
        accepted = [await alice.wait_for(f.Accepted, stream) for stream in streams]
        assert [one.seq for one in accepted] == [*range(2, 52)]
        assert await bob.bodies(direct, 50) == [b"%d" % number for number in range(50)]
        bob.send_frame(f.Ack(((direct, 51),), 0))
        for device in (alice, bob):
            goodbye = await device.wait_for(f.GoAway)
            assert goodbye.deadline_ms == 4000
            device.disconnect()
        with trio.fail_after(4):
            server.router.dirty.take()
            await server.router.wait_drained()
    async with memory_server(tmp_path) as server:
        bob.server = server
        await bob.log_in()
        unread = {state.conversation: state.unread for state in await bob.sync()}
        assert unread[direct] == 0, "the last acknowledgement was kept"


async def test_drain_new_work_is_refused_for_now_and_pings_are_answered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice, bob, direct = await enrol_pair(server)
        server.router.start_drain(10.0)
        for frame in (
            send(alice, direct),
            f.Create(alice.next_op(), 2, (bob.account,), b""),
            f.SetRegister(direct, "k", 1, b""),
            f.History(direct, 1, 9, 9),
            f.ListConversations(b"", 9),
            f.LinkDevice(),
        ):
            stream = alice.next_stream()
            alice.send_frame(frame, stream)
            with pytest.raises(RefusedError) as refused:
                await alice.wait_for(f.Done, stream)
            assert refused.value.error.code == ErrorCode.SHUTTING_DOWN, frame
            assert refused.value.error.temporary
        alice.send_frame(f.Ping())
        await alice.wait_for(f.Pong)


async def test_drain_handshake_under_way_is_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        alice.disconnect()
        alice.connect()
        alice.send_frame(f.Hello(((1, 0),), bytes(32), "test"))
        await alice.wait_for(f.Challenge)
        server.router.start_drain(4.0)
        alice.pump()
        assert alice.link.closing
        last = alice.heard[-1]
        assert isinstance(last, f.Error)
        assert (last.code, last.temporary) == (ErrorCode.SHUTTING_DOWN, True)


async def test_drain_log_in_whose_proof_is_being_checked_is_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        alice.disconnect()

        alice.connect()
        alice.send_frame(f.Hello(((1, 0),), bytes(32), "test"))
        await alice.wait_for(f.Challenge)
        data = encode_credential(DeviceKey(DEVICE_KEY, alice.account, alice.device))
        signed = alice.connection.transcript.to_sign(NO_BINDING, data)
        alice.send_frame(f.Auth(data, alice.key.sign(signed)))
        server.router.start_drain(4.0)
        with pytest.raises(AssertionError, match="4003"):
            await alice.wait_for(f.Welcome)
        await trio.sleep(1)
        assert server.router.statistics().sessions == 0


# -- budgets -----------------------------------------------------------------------------------


async def test_rate_limited_administration_comes_after_dedupe_and_authorisation(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    budgets = AdmissionLimits(administer=Budget(device=Rate(1, 3)))
    async with memory_server(tmp_path, admission=budgets) as server:
        alice, bob, _ = await enrol_pair(server)
        create = f.Create(alice.next_op(), 2, (bob.account,), b"")
        first = await alice.request(create, f.Accepted)
        await alice.create_group()
        invite = f.Invite(alice.next_op(), first.conversation, (bob.account,))
        assert await refusal(alice, invite) == ErrorCode.RATE_LIMITED
        assert await alice.request(create, f.Accepted) == first
        nowhere = f.Close(alice.next_op(), ConversationId(bytes(16)))
        assert await refusal(alice, nowhere) == ErrorCode.FORBIDDEN
        await trio.sleep(10)
        assert await refusal(alice, invite) is None


async def test_rate_limited_account_shares_one_budget_among_its_devices(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    budgets = AdmissionLimits(send=Budget(account=Rate(1, 4)))
    async with memory_server(tmp_path, admission=budgets) as server:
        phone, bob, direct = await enrol_pair(server)
        laptop = await TestDevice(server, "laptop").enrol(phone.account)
        for device in (phone, laptop, phone, laptop):
            await device.message(direct, b"x")
        for device in (phone, laptop):
            assert await refusal(device, send(device, direct)) == ErrorCode.RATE_LIMITED
        await phone.log_in()
        assert await refusal(phone, send(phone, direct)) == ErrorCode.RATE_LIMITED
        await bob.message(direct, b"others are not held back")


async def test_rate_limited_budget_fills_to_its_burst_and_no_further(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    budgets = AdmissionLimits(send=Budget(device=Rate(0.1, 3)))
    async with memory_server(tmp_path, admission=budgets) as server:
        alice, _, direct = await enrol_pair(server)
        frame = send(alice, direct)
        for wait_s, expected in ((0, 3), (11, 1), (25, 2), (100, 3)):
            await trio.sleep(wait_s)
            accepted = 0
            while await refusal(alice, frame) is None:
                accepted += 1
                frame = send(alice, direct)
            assert accepted == expected


@pytest.mark.parametrize(
    ("action", "budgets"),
    [
        ("read", AdmissionLimits(read=Budget(device=Rate(0.5, 2)))),
        ("register", AdmissionLimits(register=Budget(device=Rate(0.5, 2)))),
    ],
)
async def test_rate_limited_requests_tell_when_to_come_back(
    tmp_path: Path, autojump_clock: MockClock, action: str, budgets: AdmissionLimits
) -> None:
    async with memory_server(tmp_path, admission=budgets) as server:
        alice = await TestDevice(server, "alice").enrol()
        group = await alice.create_group()
        frame: f.Frame = f.Members(group, b"", 9)
        if action == "register":
            frame = f.SetRegister(group, "k", 1, b"")
        assert [await refusal(alice, frame) for _ in range(2)] == [None, None]
        with pytest.raises(RefusedError) as refused:
            await alice.request(frame, f.Done)
        error = refused.value.error
        assert (error.code, error.temporary) == (ErrorCode.RATE_LIMITED, True)
        assert 1000 < error.retry_after_ms <= 2000
        await trio.sleep(error.retry_after_ms / 1000)
        assert await refusal(alice, frame) is None


# -- clocks ------------------------------------------------------------------------------------


async def test_clock_jumping_back_keeps_times_rising(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock) as server:
        alice, bob, direct = await enrol_pair(server)
        times = [(await alice.message(direct, b"before")).time_ms]
        clock.offset_ms -= 3_600_000
        for number in range(3):
            times.append((await alice.message(direct, b"after %d" % number)).time_ms)
            await trio.sleep(1)
        assert times == sorted(times)
        await settle(bob)
        assert [
            frame.time_ms for frame in pushed(bob, direct)[-4:] if isinstance(frame, f.Deliver)
        ] == times


async def test_clock_behind_the_log_after_a_restart_keeps_times_rising(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock) as server:
        alice, _, direct = await enrol_pair(server)
        before = await alice.message(direct, b"before")
    clock.offset_ms -= 3_600_000
    async with memory_server(tmp_path, clock=clock) as server:
        alice.server = server
        await alice.log_in()
        after = await alice.message(direct, b"after")
        assert after.position > before.position
        assert after.time_ms >= before.time_ms


async def test_clock_jumping_moves_no_deadline_and_no_budget(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    budgets = AdmissionLimits(send=Budget(device=Rate(1, 2)))
    async with memory_server(tmp_path, clock=clock, admission=budgets) as server:
        alice, _, direct = await enrol_pair(server)
        for _ in range(2):
            await alice.message(direct, b"x")
        clock.offset_ms += 365 * 86_400_000
        assert await refusal(alice, send(alice, direct)) == ErrorCode.RATE_LIMITED
        await trio.sleep(5)
        assert not alice.link.closing


async def test_clock_jumping_back_brings_nothing_back_that_expired(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock) as server:
        alice, _, direct = await enrol_pair(server)
        envelope = encode_envelope(message(direct, alice.next_op(), b"brief", ttl_s=60))
        await alice.request(f.Send(envelope), f.Accepted)
        clock.offset_ms += 120_000
        await trio.sleep(130)  # until it was looked for
        await alice.log_in()
        clock.offset_ms -= 120_000 + 130_000
        assert briefly((await history(alice, direct))[0])[1:] == [(2, "skip", 1)]

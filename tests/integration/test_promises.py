"""What must hold whatever happens: retries, long absences, many conversations, slow readers."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId
from wxserve.router.limits import AdmissionLimits, Budget, Rate, RouterLimits
from wxserve.store.limits import StoreLimits
from wxserve.testing.device import RefusedError, TestDevice
from wxserve.testing.memory import MemoryServer, TestClock, memory_server

DAY_MS = 86_400_000
FORGETFUL = StoreLimits(
    ballast_bytes=0,
    merge_entries=1,
    merge_slice_rows=4,
    keep_acknowledged_s=0.0,
    maintenance_s=1.0,
    cursor_flush_s=0.5,
)
"""Keeps nothing that everybody has acknowledged."""


async def acknowledge(device: TestDevice, conversation: ConversationId, seq: int) -> None:
    """Wait until an entry was pushed, then acknowledge it."""
    while device.link.session is None or device.link.session.sent.get(conversation, 0) < seq:
        await trio.sleep(0.01)
        device.pump()
    device.send_frame(f.Ack(((conversation, seq),), 0))


async def wait_pruned(server: MemoryServer, conversation: ConversationId, through: int) -> None:
    """Wait until entries through a number are gone from the log."""
    while True:
        state = server.store.cached(conversation)
        if state is not None and state.floor >= through:
            return
        await trio.sleep(0.5)


async def test_entries_of_one_who_was_removed_and_invited_again_wait_for_him(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path, store_limits=FORGETFUL) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await alice.sync()
        group = await alice.create_group(bob)
        bob.disconnect()
        kept = await alice.message(group, b"for both")
        remove = f.Remove(alice.next_op(), group, bob.account)
        await alice.request(remove, f.Accepted)
        invite = f.Invite(alice.next_op(), group, (bob.account,))
        last = await alice.request(invite, f.Accepted)
        await acknowledge(alice, group, last.seq)
        await trio.sleep(5)
        await bob.log_in()
        await bob.sync()
        assert await bob.bodies(group, 1) == [b"for both"]
        assert kept.seq < last.seq


async def test_retry_after_the_entry_was_acknowledged_and_pruned_gets_the_first_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path, store_limits=FORGETFUL) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await alice.sync()
        await bob.sync()
        conversation = await alice.create_direct(bob)
        op = alice.next_op()
        first = await alice.message(conversation, b"once", op)
        for device in (alice, bob):
            await acknowledge(device, conversation, first.seq)
        await wait_pruned(server, conversation, first.seq)
        assert await alice.message(conversation, b"once", op) == first
    async with memory_server(tmp_path, store_limits=FORGETFUL) as server:
        alice.server = server
        await alice.log_in()
        assert await alice.message(conversation, b"once", op) == first
        after = await alice.message(conversation, b"next")
        assert after.seq == first.seq + 1


async def test_retry_after_being_removed_gets_the_first_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        group = await alice.create_group(bob)
        op = bob.next_op()
        first = await bob.message(group, b"mine", op)
        await alice.request(f.Remove(alice.next_op(), group, bob.account), f.Accepted)
        assert await bob.message(group, b"mine", op) == first
        with pytest.raises(RefusedError) as refused:
            await bob.message(group, b"new")
        assert refused.value.error.code == ErrorCode.FORBIDDEN


async def test_device_away_for_sixty_days_is_told_too_far_and_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock, store_limits=FORGETFUL) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await alice.sync()
        conversation = await alice.create_direct(bob)
        bob.disconnect()
        for number in range(5):
            await alice.message(conversation, b"old %d" % number)
        await acknowledge(alice, conversation, 6)
        clock.let_pass(60 * DAY_MS)
        await alice.log_in()
        await alice.sync()
        await wait_pruned(server, conversation, 6)
        new = await alice.message(conversation, b"new")
        await bob.log_in()
        states = await bob.sync()
        assert conversation in {state.conversation for state in states}
        gone = await bob.wait_for(f.TooFar)
        while gone.conversation != conversation:
            gone = await bob.wait_for(f.TooFar)
        assert gone.first == new.seq
        assert await bob.bodies(conversation, 1) == [b"new"]
        await bob.wait_for(f.Synced)


async def test_two_thousand_conversations_resume_by_one_number_without_a_read(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    unlimited = AdmissionLimits(administer=Budget())
    async with memory_server(tmp_path, admission=unlimited) as server:
        alice = await TestDevice(server, "alice").enrol()
        streams = []
        for number in range(2000):
            streams.append(alice.next_stream())
            alice.send_frame(f.Create(alice.next_op(), 2, (), b""), streams[-1])
            if number % 500 == 499:
                await alice.wait_for(f.Accepted, streams[-1])
                alice.send_frame(f.Ack((), alice.counter + 1))
        other = await TestDevice(server, "alice's other").enrol(alice.account)
        other.send_frame(f.Credit(1 << 20, 4000))
        states = await other.sync(0, 256)
        assert len(states) >= 2000
        position = (await other.wait_for(f.Synced)).position
        other.disconnect()

        reads = 0
        read = server.store.read

        def counted(*arguments: object) -> bool:
            nonlocal reads
            reads += 1
            return read(*arguments)  # type: ignore[arg-type]

        server.store.read = counted  # type: ignore[assignment,method-assign]
        await other.log_in()
        assert await other.sync(position) == []
        assert (await other.wait_for(f.Synced)).position == position
        assert reads == 0

        other.disconnect()
        changed = states[1234].conversation
        sent = await alice.message(changed, b"one of two thousand")
        await other.log_in()
        assert [s.conversation for s in await other.sync(position)] == [changed]
        assert (await other.wait_for(f.Deliver)).seq == sent.seq


async def test_same_device_twice_the_newest_connection_wins(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        first_link, first_connection = alice.link, alice.connection
        await alice.log_in()
        assert first_link.closing
        first_connection.receive_data(first_link.take())
        frames = []
        while (event := first_connection.next_event()) is not None:
            frames.append(event.frame)
        assert frames[-1] == f.Replaced()
        await alice.sync()


async def test_slow_reader_costs_bounded_memory_and_gets_everything_later(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    limits = RouterLimits(outgoing_bytes_max=32 * 1024, outgoing_bytes_low=8 * 1024)
    async with memory_server(tmp_path, router_limits=limits) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await bob.sync()
        conversation = await alice.create_direct(bob)
        await bob.wait_for(f.Synced)
        body = bytes(1000)
        for _ in range(400):
            await alice.message(conversation, body)
            alice.send_frame(f.Ack((), alice.counter + 1))
            # Bob takes nothing from his connection meanwhile.
            assert bob.link.outgoing_bytes < 34 * 1024
        received = 0
        while received < 400:
            for event in bob.pump():
                if isinstance(event.frame, f.Deliver) and body in event.frame.envelope:
                    received += 1
                    bob.send_frame(f.Credit(len(encode(event.frame)), 1))
            await trio.sleep(0.01)


async def test_flooding_sender_is_told_to_wait_and_others_are_served(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    budgets = AdmissionLimits(send=Budget(device=Rate(10, 100)))
    async with memory_server(tmp_path, admission=budgets) as server:
        mallory = await TestDevice(server, "mallory").enrol()
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        loud = await mallory.create_direct(bob)
        quiet = await alice.create_direct(bob)
        streams = []
        for _ in range(1000):
            envelope = encode_envelope(message(loud, mallory.next_op(), bytes(200)))
            streams.append(mallory.next_stream())
            mallory.send_frame(f.Send(envelope), streams[-1])
        assert (await alice.message(quiet, b"me too")).seq == 2
        answers = [mallory.answers(stream)[0].frame for stream in streams]
        accepted = [frame for frame in answers if isinstance(frame, f.Accepted)]
        errors = [frame.code for frame in answers if isinstance(frame, f.Error)]
        assert len(accepted) == 100
        assert errors[0] == ErrorCode.RATE_LIMITED
        assert set(errors[1:]) == {ErrorCode.RETRY_ORDER}

"""How sessions begin, what ends them, and what does not."""

from pathlib import Path

import pytest
import trio

from tests.unit.router.scenes import (
    answers,
    ended,
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
from wxserve.protocol.identifiers import ConversationId
from wxserve.router.limits import RouterLimits
from wxserve.router.link import PAUSE_BYTES
from wxserve.testing.device import TestDevice

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_connection_second_one_of_a_device_replaces_the_first(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        first, connection = alice.link, alice.connection
        await alice.log_in()
        connection.receive_data(first.take())
        events = []
        while (event := connection.next_event()) is not None:
            events.append(event.frame)
        assert events == [f.Replaced()]
        assert first.closing
        assert not alice.link.closing
        first.lost()
        await follow(alice)


async def test_connection_too_many_are_refused(tmp_path: Path) -> None:
    limits = RouterLimits(connections_max=1)
    async with scene(tmp_path, "alice", router_limits=limits) as (server, _):
        with pytest.raises(Refusal) as caught:
            server.connect()
        assert caught.value.code is ErrorCode.TOO_MANY_CONNECTIONS


async def test_pushes_before_sync_there_are_none(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"early")
        await trio.sleep(2)
        bob.pump()
        assert bob.heard == []


# -- acknowledgements and credit ---------------------------------------------------------------


async def test_ack_beyond_sent_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        await follow(alice, bob)
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        await bob.bodies(conversation, 1)
        bob.send_frame(f.Ack(((conversation, 3),), 0))
        assert await ended(bob) is ErrorCode.ACK_BEYOND_SENT


async def test_ack_of_a_strangers_conversation_does_not_tell_that_it_exists(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "alice", "bob", "eve") as (_, (alice, bob, eve)):
        conversation = await alice.create_direct(bob)
        await follow(eve)
        for one in (conversation, ConversationId(bytes(16))):
            eve.send_frame(f.Ack(((one, 1), (one, 1000)), 0))
            eve.pump()
            assert not eve.link.closing


async def test_ack_of_what_came_before_a_second_sync_is_taken(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        await follow(alice, bob)
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        await bob.bodies(conversation, 1)
        stream = bob.next_stream()
        bob.send_frame(f.Sync(0, 256), stream)
        bob.send_frame(f.Ack(((conversation, 2),), 0))
        await bob.wait_for(f.Changes, stream)
        assert not bob.link.closing


async def test_ack_of_what_an_earlier_session_was_sent_is_taken_while_it_comes_again(
    tmp_path: Path,
) -> None:
    limits = RouterLimits(credit_entries=3)
    async with scene(tmp_path, "alice", "bob", router_limits=limits) as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        for _ in range(4):
            await alice.message(conversation, b"x")
        await bob.log_in()
        await bob.sync()
        bob.send_frame(f.Credit(0, 100))
        await bob.wait_for(f.Synced)
        await bob.log_in()
        await bob.sync()
        await trio.sleep(1)
        assert numbers(pushed(bob, conversation)) == [1, 2]
        bob.send_frame(f.Ack(((conversation, 5),), 0))
        await trio.sleep(1)
        bob.pump()
        assert not bob.link.closing
        await bob.log_in()
        await bob.sync()
        await trio.sleep(1)
        assert pushed(bob, conversation) == []


async def test_ack_before_sync_spares_the_redelivery(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        await follow(bob)
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        await bob.bodies(conversation, 1)
        await bob.log_in()
        bob.send_frame(f.Ack(((conversation, 2),), 0))
        await bob.sync()
        await trio.sleep(1)
        assert pushed(bob, conversation) == []


async def test_credit_more_than_can_be_counted_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        alice.send_frame(f.Credit((1 << 32) - 1, 1))
        assert await ended(alice) is ErrorCode.CREDIT_OVERFLOW


async def test_sync_second_one_before_the_answer_is_refused_for_now(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        first, second = alice.next_stream(), alice.next_stream()
        alice.send_frame(f.Sync(0, 256), first)
        alice.send_frame(f.Sync(0, 256), second)
        await alice.wait_for(f.Changes, first)
        (refusal,) = alice.answers(second)
        assert isinstance(refusal.frame, f.Error)
        assert refusal.frame.temporary
        await follow(alice)


async def test_sync_again_while_reading_from_the_log_goes_on(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        for _ in range(10):
            await alice.message(conversation, b"x")
        first = bob.next_stream()
        bob.send_frame(f.Sync(0, 256), first)
        await bob.wait_for(f.Changes, first)
        bob.heard.clear()
        await bob.sync()  # a read for the first one is still under way
        await bob.wait_for(f.Synced)
        assert numbers(pushed(bob, conversation))[-11:] == list(range(1, 12))


# -- time --------------------------------------------------------------------------------------


async def test_handshake_not_finished_in_time_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, _):
        device = TestDevice(server)
        device.connect()
        device.send_frame(f.Hello(((1, 0),), bytes(32), "test"))
        began = trio.current_time()
        assert await ended(device) is ErrorCode.HANDSHAKE_TIMEOUT
        assert 10 <= trio.current_time() - began <= 12


async def test_silence_of_two_and_a_half_intervals_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", router_limits=RouterLimits(heartbeat_max_s=10)) as (
        _,
        (alice,),
    ):
        await trio.sleep(20)
        assert not alice.link.closing
        began = trio.current_time()
        alice.send_frame(f.Ping())
        await alice.wait_for(f.Pong)
        assert await ended(alice) is ErrorCode.IDLE_TIMEOUT
        assert 25 <= trio.current_time() - began <= 28


async def test_reads_asked_at_once_and_not_taken_wait_as_requests(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        conversation = await alice.create_group()
        for _ in range(3):
            await alice.message(conversation, b"x" * 60_000)
        streams = [alice.next_stream() for _ in range(100)]
        for stream in streams:
            alice.send_frame(f.History(conversation, 1, 100, 100), stream)
        alice.send_frame(f.Members(conversation, b"", 10), members := alice.next_stream())
        await trio.sleep(5)
        assert 0 < alice.link.outgoing_bytes <= 256 * 1024
        for stream in streams:
            assert (await alice.wait_for(f.Done, stream)).value in {0, 3, 4}
        assert len((await alice.wait_for(f.MemberList, members)).members) == 1


async def test_slow_reader_that_is_not_listened_to_is_not_taken_for_silent(tmp_path: Path) -> None:
    limits = RouterLimits(heartbeat_max_s=10, history_bytes=PAUSE_BYTES)
    async with scene(tmp_path, "alice", router_limits=limits) as (_, (alice,)):
        conversation = await alice.create_group()
        for _ in range(12):
            await alice.message(conversation, b"x" * 60_000)
        for _ in range(4):
            alice.send_frame(f.History(conversation, 1, 100, 100), alice.next_stream())
        await trio.sleep(1)
        assert alice.link.paused
        for _ in range(5):
            await trio.sleep(20)
            assert not alice.link.closing
            taken = alice.link.take()  # it reads, slowly: what it took makes room for more
            assert taken or not alice.link.paused
            for _ in range(4):
                alice.link.write(b"\0" * PAUSE_BYTES)
        await trio.sleep(30)
        assert alice.link.closing, "one that takes nothing any more is gone"


# -- the end -----------------------------------------------------------------------------------


async def test_drain_tells_everybody_refuses_new_work_and_answers_retries(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (server, (alice, bob)):
        await follow(alice, bob)
        conversation = await alice.create_direct(bob)
        op = alice.next_op()
        accepted = await alice.message(conversation, b"one", op)
        server.router.start_drain(2.0)
        goodbye = await bob.wait_for(f.GoAway)
        assert goodbye.deadline_ms == 2000
        assert goodbye.retry_after_ms >= 500
        with pytest.raises(Refusal) as caught:
            server.connect()
        assert caught.value.code is ErrorCode.SHUTTING_DOWN
        new = await refused(alice, send(conversation, alice.next_op()))
        assert new is ErrorCode.SHUTTING_DOWN
        assert await alice.message(conversation, b"one", op) == accepted
        assert await refused(bob, f.Sync(0, 1)) is ErrorCode.SHUTTING_DOWN


async def test_drain_ends_when_everybody_left_or_at_its_deadline(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (server, (alice, bob)):
        server.router.start_drain(10.0)
        alice.disconnect()
        bob.disconnect()
        server.router.dirty.take()
        began = trio.current_time()
        await server.router.wait_drained()
        assert trio.current_time() - began < 1


async def test_drain_who_stays_is_closed_at_half_of_the_deadline(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (server, (alice,)):
        server.router.start_drain(10.0)
        began = trio.current_time()
        with trio.move_on_after(5.5):
            await server.router.wait_drained()
        assert alice.link.closing
        alice.link.take()
        assert trio.current_time() - began <= 6


async def test_reading_for_a_lagging_session_that_failed_is_tried_again(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        server.store._reads_waiting = 1 << 30  # the queue is full
        stream = bob.next_stream()
        bob.send_frame(f.Sync(0, 256), stream)
        refusal = await error_on(bob, stream)
        assert refusal is ErrorCode.OVERLOADED
        server.store._reads_waiting = 0
        await bob.sync()
        server.store._reads_waiting = 1 << 30
        await trio.sleep(3)
        server.store._reads_waiting = 0
        assert await bob.bodies(conversation, 1) == [b"one"]
        await bob.wait_for(f.Synced)


async def error_on(device: TestDevice, stream: int) -> ErrorCode:
    (answer,) = await answers(device, stream)
    assert isinstance(answer.frame, f.Error)
    return ErrorCode(answer.frame.code)


async def test_requests_too_many_at_once_are_refused_for_now(tmp_path: Path) -> None:
    limits = RouterLimits(requests_pending_max=2)
    async with scene(tmp_path, "alice", router_limits=limits) as (_, (alice,)):
        streams = [alice.next_stream() for _ in range(3)]
        for stream in streams:
            alice.send_frame(f.ListConversations(b"", 10), stream)
        await alice.wait_for(f.Conversations, streams[1])
        assert await error_on(alice, streams[2]) is ErrorCode.OVERLOADED
        await alice.request(f.ListConversations(b"", 10), f.Conversations)


async def test_request_about_nothing_is_forbidden_like_one_about_anothers(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob", "eve") as (_, (alice, bob, eve)):
        conversation = await alice.create_direct(bob)
        nowhere = ConversationId(bytes(16))
        told = [
            await error(eve, request)
            for place in (conversation, nowhere)
            for request in (
                f.History(place, 1, 9, 9),
                f.Members(place, b"", 9),
                f.SetRegister(place, "a", 1, b""),
                send(place, eve.next_op()),
                f.Redact(eve.next_op(), place, 1),
            )
        ]
        assert len({tuple(one) for one in told}) == 1
        assert told[0].code == ErrorCode.FORBIDDEN

"""Operations: recognised before anything else, refused without a trace, kept in order."""

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.unit.router.scenes import answers, error, follow, numbers, pushed, refused, scene, send
from wxserve.protocol import frames as f
from wxserve.protocol.envelope import Kind, encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId, OpId, notice_conversation, op_id
from wxserve.router.limits import AdmissionLimits, Budget, Rate
from wxserve.store.appends import OPS_IN_FLIGHT_MAX
from wxserve.store.limits import StoreLimits
from wxserve.testing.device import TestDevice

pytestmark = pytest.mark.usefixtures("autojump_clock")

FEW = AdmissionLimits(send=Budget(Rate(1, 2), None, None))
"""Two messages at once, then one a second."""


async def codes(device: TestDevice, *requests: f.Frame) -> list[ErrorCode | None]:
    """Send requests at once; return what each was refused with, None if it was not."""
    streams = [device.next_stream() for _ in requests]
    for stream, request in zip(streams, requests, strict=True):
        device.send_frame(request, stream)
    frames = [one.frame for one in await answers(device, *streams)]
    return [ErrorCode(one.code) if isinstance(one, f.Error) else None for one in frames]


# -- recognised --------------------------------------------------------------------------------


async def test_conflict_other_content_names_the_entry_that_is_there(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        op = alice.next_op()
        accepted = await alice.message(conversation, b"one", op)
        for other in (send(conversation, op, b"two"), f.Close(op, conversation)):
            refusal = await error(alice, other)
            assert (refusal.code, refusal.seq) == (ErrorCode.CONFLICT, accepted.seq)


async def test_op_expired_below_the_floor_that_the_client_declared(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        op = alice.next_op()
        await alice.message(conversation, b"one", op)
        alice.send_frame(f.Ack((), alice.counter + 1))
        assert await refused(alice, send(conversation, op, b"one")) is ErrorCode.OP_EXPIRED


@pytest.mark.parametrize("counter", [0, 1 << 63, (1 << 64) - 1])
async def test_op_foreign_counter_out_of_range(tmp_path: Path, counter: int) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        op = OpId(alice.device + counter.to_bytes(8, "big"))
        assert await refused(alice, send(conversation, op)) is ErrorCode.OP_FOREIGN


async def test_op_foreign_of_another_device(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        for frame in (send(conversation, bob.next_op()), f.Leave(bob.next_op(), conversation)):
            assert await refused(alice, frame) is ErrorCode.OP_FOREIGN


async def test_ops_in_flight_too_far_above_the_floor_until_it_is_raised(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        far = op_id(alice.device, 1 + OPS_IN_FLIGHT_MAX)
        later = op_id(alice.device, 2 + OPS_IN_FLIGHT_MAX)
        assert await refused(alice, send(conversation, far)) is ErrorCode.OPS_IN_FLIGHT
        alice.send_frame(f.Ack((), 5))
        assert await codes(alice, send(conversation, later)) == [ErrorCode.RETRY_ORDER]
        assert await codes(alice, send(conversation, far), send(conversation, later)) == [None] * 2


async def test_floor_above_operations_that_were_all_refused_is_believed(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        nowhere = ConversationId(bytes(16))
        for _ in range(OPS_IN_FLIGHT_MAX):
            assert await refused(alice, send(nowhere, alice.next_op())) is ErrorCode.FORBIDDEN
        alice.send_frame(f.Ack((), alice.counter + 1))
        await alice.message(conversation, b"at last")


async def test_floor_of_a_device_that_is_not_in_memory_is_kept(tmp_path: Path) -> None:
    tiny = StoreLimits(ballast_bytes=0, devices_cached_max=0, merge_entries=1)
    async with scene(tmp_path, "alice", "bob", store_limits=tiny) as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        await trio.sleep(3)
        assert server.store.device(alice.device) is None
        alice.send_frame(f.Ack((), 3))
        await trio.sleep(3)
        await alice.log_in()
        assert alice.welcome is not None
        assert alice.welcome.op_floor == 3


# -- refused for good --------------------------------------------------------------------------


async def test_send_kinds_that_clients_may_not_write_are_refused(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        for kind in (Kind.PROPOSAL, Kind.COMMIT, Kind.CREATED, Kind.NOTICE, 200):
            plain = message(conversation, alice.next_op(), b"x")
            frame = f.Send(encode_envelope(plain._replace(kind=kind)))
            assert await refused(alice, frame) is ErrorCode.KIND_NOT_ALLOWED


async def test_send_into_ones_notices_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        frame = send(notice_conversation(alice.account), alice.next_op())
        assert await refused(alice, frame) is ErrorCode.KIND_NOT_ALLOWED


async def test_send_what_is_no_envelope_is_refused_and_the_connection_lives(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        assert await refused(alice, f.Send(b"\xc0")) is ErrorCode.ENVELOPE_INVALID
        assert await refused(alice, f.Send(b"\x90")) is ErrorCode.ENVELOPE_INVALID
        await follow(alice)


async def test_refusal_for_good_lets_later_operations_pass(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        accept = f.Accept(alice.next_op(), conversation)
        told = await codes(alice, accept, send(conversation, alice.next_op()))
        assert told == [ErrorCode.FORBIDDEN, None]


# -- refused for now ---------------------------------------------------------------------------


async def test_rate_limited_comes_after_recognition_and_authorisation(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob", admission=FEW) as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        op = alice.next_op()
        accepted = await alice.message(conversation, b"one", op)
        await alice.message(conversation, b"two")
        new = send(conversation, alice.next_op())
        assert await refused(alice, new) is ErrorCode.RATE_LIMITED
        assert await alice.message(conversation, b"one", op) == accepted
        nowhere = send(ConversationId(bytes(16)), alice.next_op())
        assert await refused(alice, nowhere) is ErrorCode.FORBIDDEN


async def test_rate_limited_says_when_and_then_it_goes(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob", admission=FEW) as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        for _ in range(2):
            await alice.message(conversation, b"x")
        op = alice.next_op()
        refusal = await error(alice, send(conversation, op))
        assert refusal.temporary
        assert 0 < refusal.retry_after_ms <= 1000
        await trio.sleep(refusal.retry_after_ms / 1000)
        await alice.message(conversation, b"x", op)


async def test_retry_order_later_ones_wait_for_the_one_refused_for_now(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob", admission=FEW) as (_, (alice, bob)):
        await follow(bob)
        conversation = await alice.create_direct(bob)
        elsewhere = await alice.create_group()
        messages = [send(conversation, alice.next_op()) for _ in range(5)]
        told = await codes(alice, *messages)
        assert told == [None, None, ErrorCode.RATE_LIMITED, *[ErrorCode.RETRY_ORDER] * 2]
        await trio.sleep(4)
        late = send(elsewhere, alice.next_op())
        assert await codes(alice, messages[4], late) == [ErrorCode.RETRY_ORDER, None]
        await trio.sleep(4)
        assert await codes(alice, *messages[2:4]) == [None, None]
        await trio.sleep(4)
        assert await codes(alice, messages[4]) == [None]
        await bob.bodies(conversation, 5)


async def test_retry_order_holds_for_what_was_refused_because_of_it(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob", admission=FEW) as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        first, second, third, fourth, fifth = (
            send(conversation, alice.next_op()) for _ in range(5)
        )
        told = await codes(alice, first, second, third, fourth)
        assert told == [None, None, ErrorCode.RATE_LIMITED, ErrorCode.RETRY_ORDER]
        await trio.sleep(4)
        assert await codes(alice, third, fifth) == [None, ErrorCode.RETRY_ORDER]
        await trio.sleep(4)
        assert await codes(alice, fourth, fifth) == [None, None]


async def test_retry_order_ends_when_the_client_gives_the_operation_up(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob", admission=FEW) as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        messages = [send(conversation, alice.next_op()) for _ in range(4)]
        told = await codes(alice, *messages)
        assert told[2:] == [ErrorCode.RATE_LIMITED, ErrorCode.RETRY_ORDER]
        alice.send_frame(f.Ack((), alice.counter))
        await trio.sleep(2)
        assert await codes(alice, messages[3]) == [None]


async def test_retry_order_is_forgotten_with_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob", admission=FEW) as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        messages = [send(conversation, alice.next_op()) for _ in range(4)]
        await codes(alice, *messages)
        await alice.log_in()
        assert await codes(alice, messages[3]) == [None]


async def test_old_connection_overtakes_nothing_while_the_new_one_logs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path, "alice", "bob", admission=FEW) as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        messages = [send(conversation, alice.next_op()) for _ in range(4)]
        assert await codes(alice, *messages) == [
            None, None, ErrorCode.RATE_LIMITED, ErrorCode.RETRY_ORDER,
        ]  # fmt: skip
        await trio.sleep(2)
        again = TestDevice(server)
        again.key, again.account, again.device = alice.key, alice.account, alice.device
        submit = server.store.submit

        def submit_and_send(*unit: Any, **how: Any) -> None:
            submit(*unit, **how)
            monkeypatch.undo()
            alice.send_frame(send(conversation, alice.next_op()), 9)

        monkeypatch.setattr(server.store, "submit", submit_and_send)
        await again.log_in()
        state = server.store.cached(conversation)
        assert state is not None
        assert state.head == 3, "CREATED and two messages"
        assert await codes(again, messages[2]) == [None]


async def test_full_queue_holds_back_what_follows_the_creation(tmp_path: Path) -> None:
    limits = StoreLimits(ballast_bytes=0, queue_units_max=1)
    async with scene(tmp_path, "alice", "bob", store_limits=limits) as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        create = f.Create(alice.next_op(), 2, (), b"")
        group = await codes(alice, send(conversation, alice.next_op()), create)
        assert group == [None, ErrorCode.OVERLOADED]
        accepted = await alice.request(create, f.Accepted)
        await alice.message(accepted.conversation, b"one")


async def test_full_disk_operation_is_recognised_and_order_kept(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        op = alice.next_op()
        accepted = await alice.message(conversation, b"one", op)
        create, known = f.Create(alice.next_op(), 2, (), b""), alice.counter
        first = await alice.request(create, f.Accepted)
        server.store.writer.full = True
        assert await alice.message(conversation, b"one", op) == accepted
        assert await alice.request(create, f.Accepted) == first, known
        invite = f.Invite(alice.next_op(), first.conversation, (bob.account,))
        later = send(first.conversation, alice.next_op())
        stranger = f.Leave(alice.next_op(), ConversationId(bytes(16)))
        told = await codes(alice, invite, later, stranger)
        assert told[0] is ErrorCode.STORAGE_FULL
        assert told[2] is ErrorCode.FORBIDDEN
        assert told[1] in {ErrorCode.STORAGE_FULL, ErrorCode.RETRY_ORDER}
        await trio.sleep(1)  # there is space again
        assert await codes(alice, later) == [ErrorCode.RETRY_ORDER]
        assert await codes(alice, invite, later) == [None, None]


async def test_full_disk_devices_log_in_and_read(tmp_path: Path) -> None:
    tiny = StoreLimits(ballast_bytes=0, conversations_cached_max=0, merge_entries=1)
    async with scene(tmp_path, "alice", "bob", store_limits=tiny) as (server, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        await trio.sleep(5)
        server.store.writer.full = True
        await bob.log_in()
        server.store.writer.full = True
        await bob.sync()
        assert await bob.bodies(conversation, 1) == [b"one"]
        server.store.writer.full = True
        await bob.request(f.History(conversation, 1, 9, 9), f.Done)
        await bob.request(f.Members(conversation, b"", 9), f.MemberList)


# -- what ACCEPTED stands for ------------------------------------------------------------------


async def test_current_stands_for_the_delivery_of_a_message(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await follow(alice)
        stream = alice.next_stream()
        alice.send_frame(send(conversation, alice.next_op()), stream)
        await trio.sleep(1)
        (answer,) = await answers(alice, stream)
        assert answer.flags == f.CURRENT
        assert pushed(alice, conversation) == []
        alice.send_frame(f.Ack(((conversation, 2),), 0))
        await bob.message(conversation, b"two")
        await trio.sleep(1)
        assert numbers(pushed(alice, conversation)) == [3]


async def test_current_is_not_said_before_sync(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        stream = alice.next_stream()
        alice.send_frame(send(conversation, alice.next_op()), stream)
        await trio.sleep(1)
        assert alice.answers(stream)[0].flags == 0
        await alice.sync()
        await alice.wait_for(f.Synced)
        assert numbers(pushed(alice, conversation)) == [1, 2]


async def test_decline_of_an_invitation_is_accepted_and_nothing_is_pushed(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        await follow(alice, bob)
        create = f.Create(alice.next_op(), 2, (bob.account,), b"")
        group = (await alice.request(create, f.Accepted)).conversation
        stream = bob.next_stream()
        bob.send_frame(f.Leave(bob.next_op(), group), stream)
        await bob.wait_for(f.Accepted, stream)
        assert pushed(bob, group) == []
        await bob.log_in()
        assert group not in {state.conversation for state in await bob.sync()}

"""Messages from device to device through the real rooms, on virtual time."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from wxserve.protocol import frames as f
from wxserve.protocol.envelope import Kind, decode_envelope
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import direct_conversation, notice_conversation
from wxserve.testing.device import RefusedError, TestDevice
from wxserve.testing.memory import memory_server


async def test_message_online_peer_gets_the_same_bytes_and_sender_is_answered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await bob.sync()
        await alice.sync()
        conversation = await alice.create_direct(bob)
        assert conversation == direct_conversation(alice.account, bob.account)
        accepted = await alice.message(conversation, b"hello")
        assert accepted.seq == 2
        assert await bob.bodies(conversation, 1) == [b"hello"]


async def test_message_offline_peer_gets_all_after_sync_without_hole(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        bob.disconnect()
        conversation = await alice.create_direct(bob)
        for number in range(300):
            await alice.message(conversation, b"%d" % number)
            alice.send_frame(f.Ack((), alice.counter + 1))
        await bob.log_in()
        states = await bob.sync()
        assert conversation in {state.conversation for state in states}
        assert await bob.bodies(conversation, 300) == [b"%d" % n for n in range(300)]
        await bob.wait_for(f.Synced)


async def test_retry_same_op_gets_the_first_answer_and_makes_no_entry(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        conversation = await alice.create_direct(bob)
        op = alice.next_op()
        first = await alice.message(conversation, b"once", op)
        assert await alice.message(conversation, b"once", op) == first
        with pytest.raises(RefusedError) as refused:
            await alice.message(conversation, b"other", op)
        assert refused.value.error.code == ErrorCode.CONFLICT
        assert refused.value.error.seq == first.seq


async def test_group_joiner_sees_nothing_from_before_and_removed_nothing_after(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await bob.sync()
        conversation = await alice.create_group()
        await alice.message(conversation, b"before")
        invite = f.Invite(alice.next_op(), conversation, (bob.account,))
        await alice.request(invite, f.Accepted)
        notice = await bob.wait_for(f.Deliver)
        assert notice.conversation == notice_conversation(bob.account)
        while decode_envelope(notice.envelope).kind != Kind.NOTICE or (
            b"invited" not in notice.envelope
        ):
            notice = await bob.wait_for(f.Deliver)
        await bob.request(f.Accept(bob.next_op(), conversation), f.Accepted)
        skip = await bob.wait_for(f.Skip)
        assert (skip.conversation, skip.through) == (conversation, 3)
        await alice.message(conversation, b"during")
        assert await bob.bodies(conversation, 1) == [b"during"]
        await alice.request(f.Remove(alice.next_op(), conversation, bob.account), f.Accepted)
        removal = await bob.wait_for(f.Deliver)
        assert decode_envelope(removal.envelope).kind == Kind.MEMBERSHIP
        await alice.message(conversation, b"after")
        assert not [frame for frame in bob.heard if isinstance(frame, f.Deliver)]
        with pytest.raises(RefusedError) as refused:
            await bob.message(conversation, b"still there?")
        assert refused.value.error.code == ErrorCode.FORBIDDEN


async def test_create_the_creator_gets_the_first_entry_because_the_server_wrote_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with memory_server(tmp_path) as server:
        alice = await TestDevice(server, "alice").enrol()
        bob = await TestDevice(server, "bob").enrol()
        await alice.sync()
        await alice.wait_for(f.Synced)
        alice.heard.clear()
        stream = alice.next_stream()
        alice.send_frame(f.Create(alice.next_op(), 1, (bob.account,), b"hi"), stream)
        accepted = await alice.wait_for(f.Accepted, stream)
        deliver = await alice.wait_for(f.Deliver)
        assert (deliver.conversation, deliver.seq) == (accepted.conversation, 1)
        assert decode_envelope(deliver.envelope).kind == Kind.CREATED

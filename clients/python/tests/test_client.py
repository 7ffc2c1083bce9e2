"""``Client`` over a real loopback socket, under asyncio and trio."""

from pathlib import Path

import anyio
import pytest

import wxclient
from wxclient import ConnectionState
from wxclient._protocol import frames as f
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import Refusal
from wxclient._protocol.transcript import spki_binding
from wxclient.refusals import DeviceRevoked, Forbidden, InviteInvalid

from .backends import on_both_backends
from .fake_listener import QUICK, identity, listening, pin
from .fake_server import FakeServer


@on_both_backends
async def test_client_sends_and_hands_over(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        await client.wait_connected()
        log = client.self_conversation
        accepted = await client.send(log, b"mine")
        assert (accepted.seq, accepted.conversation) == (1, log)
        server.say(log, b"theirs")
        fake.push()
        async for entry in client.entries():
            assert entry.body == b"theirs"
            await entry.done()
            break
        history = await client.history(log)
        assert [(entry.body, entry.own) for entry in history] == [
            (b"mine", True), (b"theirs", False),
        ]  # fmt: skip
        assert client.statistics().accepted == 1


@on_both_backends
async def test_client_over_tls_checks_the_pin(tmp_path: Path) -> None:
    context, spki = identity(tmp_path)
    server = FakeServer(spki_binding(spki))
    async with listening(server, context, pins=(bytes(32), pin(spki))) as fake:
        async with wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client:
            await client.send(client.self_conversation, b"hello")
        assert len(server.devices) == 1


@on_both_backends
async def test_client_with_wrong_pin_sends_nothing(tmp_path: Path) -> None:
    context, spki = identity(tmp_path)
    server = FakeServer(spki_binding(spki))
    async with listening(server, context, pins=(pin(spki),)) as fake:
        invite = fake.invite(pins=(bytes(32),))
        with pytest.raises(wxclient.PinMismatch) as caught:
            async with wxclient.connect(invite, state=tmp_path / "a", options=QUICK):
                pytest.fail("it must not be opened")
        assert caught.value.found == pin(spki)
        assert fake.bytes_received == 0


@on_both_backends
async def test_client_with_bad_invite_raises_the_refusal(tmp_path: Path) -> None:
    async with listening(FakeServer()) as fake:
        invite = fake.invite(b"unknown")
        with pytest.raises(InviteInvalid, match=r"InviteInvalid \(\d+\): \w"):
            async with wxclient.connect(invite, state=tmp_path / "a", options=QUICK):
                pytest.fail("it must not be opened")


@on_both_backends
async def test_client_killed_while_enrolling_is_the_same_device_later(tmp_path: Path) -> None:
    server = FakeServer()
    async with listening(server) as fake:
        server.behaviour.lose_welcome = True
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(open_for_ever, fake.invite(), tmp_path / "a")
                while not server.devices:  # noqa: ASYNC110 - nothing tells when
                    await anyio.lowlevel.checkpoint()
                scope.cancel()
        server.behaviour.lose_welcome = False
        async with wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client:
            assert list(server.devices) == [client.device]


async def open_for_ever(invite: str, state: Path) -> None:
    """Be a program that never gets further than enrolling."""
    async with wxclient.connect(invite, state=state, options=QUICK):
        pytest.fail("WELCOME never comes")


@on_both_backends
async def test_client_without_state_or_invite_says_so(tmp_path: Path) -> None:
    with pytest.raises(wxclient.StateMissing):
        async with wxclient.connect(state=tmp_path / "a"):
            pytest.fail("it must not be opened")


@on_both_backends
async def test_client_state_is_private_and_open_once(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK),
    ):
        with pytest.raises(wxclient.StateInUse):
            async with wxclient.connect(state=tmp_path / "a"):
                pytest.fail("it must not be opened")
        for name in ("device.sqlite3", "device.sqlite3-wal", "lock"):
            assert (tmp_path / "a" / name).stat().st_mode & 0o777 == 0o600


@on_both_backends
async def test_client_reconnects_and_loses_nothing(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        log = client.self_conversation
        ops = []
        for number in range(60):
            ops.append(client.send_nowait(log, b"%d" % number))
            if number % 20 == 10:
                server.behaviour.lose_accepted = 1
                await client.wait_accepted(ops[0])
                fake.cut()
        accepted = [await client.wait_accepted(op) for op in ops]
        assert [answer.seq for answer in accepted] == list(range(1, 61))
        assert len(server.ops_log) == 60
        assert [e.body for e in await client.history(log, limit=100)] == [
            b"%d" % number for number in range(60)
        ]
        assert client.statistics().reconnects >= 3


@on_both_backends
async def test_client_opens_offline_and_sends_later(tmp_path: Path) -> None:
    server = FakeServer()
    async with listening(server) as fake:
        async with wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK):
            pass
        fake.accepting = False
        async with wxclient.connect(state=tmp_path / "a", options=QUICK) as client:
            op = client.send_nowait(client.self_conversation, b"later")
            assert not client.connected
        fake.accepting = True
        async with wxclient.connect(state=tmp_path / "a", options=QUICK) as client:
            accepted = await client.wait_accepted(op)
            assert accepted.seq == 1
        async with wxclient.connect(state=tmp_path / "a", options=QUICK) as client:
            assert await client.wait_accepted(op) == accepted


@on_both_backends
async def test_client_replaced_elsewhere_raises_from_the_block(tmp_path: Path) -> None:
    server = FakeServer()
    async with listening(server) as fake:
        with pytest.raises(wxclient.ConnectionReplaced):  # noqa: PT012 - one block is the subject
            async with wxclient.connect(
                fake.invite(), state=tmp_path / "a", options=QUICK
            ) as client:
                await client.wait_connected()
                server.links[0].tell(f.Replaced())
                fake.push()
                await anyio.sleep_forever()


@on_both_backends
async def test_client_revoked_raises_from_the_iterator(tmp_path: Path) -> None:
    server = FakeServer()
    async with listening(server) as fake:
        with pytest.raises(DeviceRevoked):  # noqa: PT012 - one block is the subject
            async with wxclient.connect(
                fake.invite(), state=tmp_path / "a", options=QUICK
            ) as client:
                await client.wait_connected()
                with anyio.CancelScope(shield=True):
                    await client.revoke_device(client.device)
                async for _entry in client.entries():
                    pytest.fail("there is none")


@on_both_backends
async def test_client_error_in_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    async with listening(FakeServer()) as fake:
        with pytest.raises(KeyError):
            async with wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK):
                raise KeyError("mine")


@on_both_backends
async def test_client_refused_operation_raises_its_class(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        op = client.send_nowait(wxclient.ConversationId(b"x" * 16), b"to nobody")
        with pytest.raises(Forbidden):
            await client.wait_accepted(op)
        with pytest.raises(Forbidden):  # and again, from the file
            await client.wait_accepted(op)


@on_both_backends
async def test_client_retries_what_is_refused_for_now(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        server.behaviour.refusals = [Refusal(ErrorCode.OVERLOADED)] * 3
        accepted = await client.send(client.self_conversation, b"in the end")
        assert accepted.seq == 1
        assert client.statistics().retries == 3


@on_both_backends
async def test_registers_conversations_and_devices(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        peer = server.new_account()
        conversation = await client.create_direct(peer)
        assert await client.create_direct(peer) == conversation
        server.say(conversation, b"hello")
        server.say(conversation, b"hello?")
        fake.push()
        updates = client.updates()
        while (await client.conversations())[0].head < 3:
            await anext(updates)
        view = (await client.conversations())[0]
        assert (view.conversation, view.unread, view.head) == (conversation, 2, 3)
        assert view.kind is wxclient.ConversationKind.DIRECT
        assert await client.read_through(conversation, 2) == 2
        assert (await client.conversations())[0].unread == 1
        assert await client.read_through(conversation, 1) == 2
        written = await client.set_register(conversation, "draft", b"hm")
        assert (written.version, written.value) == (1, b"hm")
        assert [register.key for register in await client.registers(conversation)] == [
            "draft", "read",
        ]  # fmt: skip
        assert {member.account for member in await client.members(conversation)} == {
            client.account, peer,
        }  # fmt: skip
        await client.rename_device(client.device, "new name")
        (device,) = await client.devices()
        assert (device.device, device.name) == (client.device, "new name")
        entries, after = await client.fetch_history(conversation, 1, 2, 10)
        assert ([entry.seq for entry in entries], after) == ([1, 2], 3)


@on_both_backends
async def test_linked_device_shares_account_registers_and_ephemerals(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as one,
        wxclient.connect(await one.link_device(), state=tmp_path / "b", options=QUICK) as two,
    ):
        await one.wait_connected()
        await two.wait_connected()
        assert one.account == two.account
        ephemerals, updates = two.ephemerals(), two.updates()
        assert one.typing(one.self_conversation, on=True)
        assert (await anext(ephemerals)).body == b"\x01"
        await one.set_register(one.self_conversation, "x", b"1")
        while not await two.registers(one.self_conversation):
            await anext(updates)
        await one.send(one.self_conversation, b"to my other device")
        async for entry in two.entries():
            assert (entry.body, entry.device, entry.own) == (
                b"to my other device", one.device, False,
            )  # fmt: skip
            break


@on_both_backends
async def test_state_changes_are_told(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        await client.wait_connected()
        changes = client.state_changes()
        fake.cut()
        seen = [(await anext(changes)).state for _change in range(4)]
        assert seen == [
            ConnectionState.WAITING, ConnectionState.CONNECTING, ConnectionState.SYNCING,
            ConnectionState.ONLINE,
        ]  # fmt: skip


@on_both_backends
async def test_no_task_and_no_thread_outlives_the_client(tmp_path: Path) -> None:
    server = FakeServer()
    async with listening(server) as fake:
        with anyio.move_on_after(5) as scope:
            async with wxclient.connect(
                fake.invite(), state=tmp_path / "a", options=QUICK
            ) as client:
                await client.wait_connected()
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        with pytest.raises(wxclient.ClientClosed):
            client.send_nowait(client.self_conversation, b"too late")
        while server.links:  # noqa: ASYNC110 - nothing tells when
            await anyio.lowlevel.checkpoint()

"""The client SDK against the real server process, over TLS."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import copytree

import anyio
import pytest

import wxclient
from clients.python.tests.backends import on_both_backends
from tests.wire.server_process import ServerProcess
from wxclient import Client, HandedEntry, Kind, Options, ShellLimits
from wxclient.facts import Change, Closed, Created, Invited, Membership
from wxclient.limits import CoreLimits
from wxclient.refusals import ConversationClosed, DeviceRevoked, Forbidden, InviteUsed
from wxserve.protocol.invites import format_invite

pytestmark = pytest.mark.wire

QUICK = Options(
    core=CoreLimits(reconnect_min_s=0.05, reconnect_max_s=0.2),
    shell=ShellLimits(handover_retry_min_s=0.05),
)
Collected = list[HandedEntry]


def invites(server: ServerProcess, count: int) -> list[str]:
    return [format_invite(invite) for invite in server.invites(count)]


async def people(
    stack: AsyncExitStack, server: ServerProcess, directory: Path, *names: str
) -> list[Client]:
    """Open a new account for each name."""
    codes = invites(server, len(names))
    return [
        await stack.enter_async_context(
            wxclient.connect(
                code, state=directory / name, account_name=name, device_name=name, options=QUICK
            )
        )
        for name, code in zip(names, codes, strict=True)
    ]


async def collect(
    client: Client, until: Callable[[Collected], bool], conversation: bytes | None = None
) -> Collected:
    """Handle entries until ``until`` says that it is enough; of one conversation or of all."""
    found: Collected = []
    async for entry in client.entries():
        await entry.done()
        if conversation in {None, entry.conversation}:
            found.append(entry)
            if until(found):
                return found
    raise AssertionError("the entries ended")


async def eventually(check: Callable[[], Awaitable[bool]], client: Client) -> None:
    """Wait until ``check`` holds, looking again whenever something happens."""
    updates = client.updates()
    while not await check():
        await anext(updates)


@on_both_backends
async def test_sdk_direct_messages_arrive_in_order_on_both_sides(
    server: ServerProcess, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        anna, boris = await people(stack, server, tmp_path, "anna", "boris")
        await anna.wait_connected()
        await boris.wait_connected()
        conversation = await anna.create_direct(boris.account)
        assert await boris.create_direct(anna.account) == conversation
        ops = [anna.send_nowait(conversation, b"a%d" % number) for number in range(200)]
        reply = await boris.send(conversation, b"reply")
        assert [(await anna.wait_accepted(op)).op for op in ops] == ops
        found = await collect(boris, lambda e: e[-1].body == b"a199", conversation)
        assert isinstance(found[0].fact, Created)
        assert [entry.body for entry in found[1:]] == [b"a%d" % number for number in range(200)]
        await eventually(anna_has(anna, conversation, reply.seq), anna)
        history = await anna.history(conversation, limit=1000)
        assert [entry.seq for entry in history] == list(range(1, 203))
        assert sum(entry.own for entry in history) == 201, "its messages, and the creation"
        for client in (anna, boris):
            assert client.statistics().violations == client.statistics().reconnects == 0


def anna_has(client: Client, conversation: bytes, seq: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        found = await client.history(wxclient.ConversationId(conversation), first=seq, last=seq)
        return bool(found)

    return check


@on_both_backends
async def test_sdk_group_from_creation_to_closing(server: ServerProcess, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        anna, boris, carla = await people(stack, server, tmp_path, "anna", "boris", "carla")
        group = await anna.create_group([boris.account], b"title")
        await anna.send(group, b"before anybody joined")
        await anna.invite(group, [carla.account])
        notices = await collect(boris, lambda e: isinstance(e[-1].fact, Invited))
        assert notices[-1].fact == Invited(group, anna.account)
        await boris.accept(group)
        await carla.accept(group)
        await anna.send(group, b"welcome")
        for client in (boris, carla):
            await collect(client, lambda e: e[-1].body == b"welcome", group)
            first = (await client.history(group))[0]
            assert first.fact == Membership(Change.JOINED, (client.account,), 1), "no earlier entry"
            assert [gap.through for gap in await client.gaps(group)] == [first.seq - 1]
        assert {member.account for member in await boris.members(group)} == {
            anna.account, boris.account, carla.account,
        }  # fmt: skip
        with pytest.raises(Forbidden):
            await boris.remove(group, carla.account)
        await anna.set_role(group, boris.account, 2)
        await boris.remove(group, carla.account)
        found = await collect(carla, lambda e: is_removed(e[-1]), group)
        with pytest.raises(Forbidden):
            await carla.send(group, b"still there?")
        sent = await boris.send(group, b"a slip")
        await boris.redact(group, sent.seq)
        await anna.close(group)
        found = await collect(boris, lambda e: isinstance(e[-1].fact, Closed), group)
        assert [e.seq for e in found] == sorted({e.seq for e in found})
        with pytest.raises(ConversationClosed):
            await anna.send(group, b"too late")
        (slip,) = await boris.history(group, first=sent.seq, last=sent.seq)
        assert slip.redacted
        view = {v.conversation: v for v in await carla.conversations()}[group]
        assert (view.kind, view.joined) == (wxclient.ConversationKind.GROUP, False)


def is_removed(entry: HandedEntry) -> bool:
    return isinstance(entry.fact, Membership) and entry.fact.change is Change.REMOVED


@on_both_backends
async def test_sdk_second_device_registers_ephemerals_and_revocation(
    server: ServerProcess, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        anna, boris = await people(stack, server, tmp_path, "anna", "boris")
        conversation = await anna.create_direct(boris.account)
        with pytest.raises(DeviceRevoked):
            async with wxclient.connect(
                await anna.link_device(), state=tmp_path / "tablet", options=QUICK
            ) as tablet:
                await use_second_device(anna, tablet, boris, conversation)
        assert [device.state for device in await anna.devices()].count(2) == 1


async def use_second_device(
    anna: Client, tablet: Client, boris: Client, conversation: wxclient.ConversationId
) -> None:
    assert tablet.account == anna.account
    await tablet.wait_connected()
    await anna.wait_connected()
    await boris.wait_connected()
    first = await boris.send(conversation, b"for both")
    for client in (anna, tablet):
        found = await collect(client, lambda e: e[-1].body == b"for both", conversation)
        assert found[-1].seq == first.seq
    await anna.read_through(conversation, first.seq)

    async def known() -> bool:
        return bool(await tablet.registers(conversation))

    await eventually(known, tablet)
    ephemerals = boris.ephemerals()
    while not tablet.typing(conversation, on=True):  # noqa: ASYNC110 - nothing tells when
        await anyio.lowlevel.checkpoint()
    typing = await anext(ephemerals)
    assert (typing.kind, typing.body, typing.sender) == (
        1, b"\x01", tablet.account + tablet.device,
    )  # fmt: skip
    await anna.rename_device(tablet.device, "tablet")
    names = {device.device: device.name for device in await anna.devices()}
    assert names[tablet.device] == "tablet"
    await anna.revoke_device(tablet.device)
    await anyio.sleep_forever()


@on_both_backends
async def test_sdk_invite_serves_one_device(server: ServerProcess, tmp_path: Path) -> None:
    (code,) = invites(server, 1)
    for _attempt in range(2):
        async with wxclient.connect(code, state=tmp_path / "a", options=QUICK) as client:
            account = client.account
            await client.wait_connected()
            assert client.account == account
    with pytest.raises(InviteUsed):
        async with wxclient.connect(code, state=tmp_path / "b", options=QUICK):
            pytest.fail("it must not be opened")


@on_both_backends
async def test_sdk_refuses_a_server_with_another_key(server: ServerProcess, tmp_path: Path) -> None:
    (invite,) = server.invites(1)
    code = format_invite(invite._replace(pins=(bytes(32),)))
    with pytest.raises(wxclient.PinMismatch):
        async with wxclient.connect(code, state=tmp_path / "a", options=QUICK):
            pytest.fail("it must not be opened")
    async with wxclient.connect(format_invite(invite), state=tmp_path / "a", options=QUICK):
        pass  # the code was not spent


@on_both_backends
async def test_sdk_notices_a_state_restored_from_a_copy(
    server: ServerProcess, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        (anna,) = await people(stack, server, tmp_path, "anna")
        await anna.wait_connected()
    copytree(tmp_path / "anna", tmp_path / "copy")
    async with wxclient.connect(state=tmp_path / "anna", options=QUICK) as anna:
        await anna.send(anna.self_conversation, b"after the copy")
    with pytest.raises(wxclient.StateRolledBack):
        async with wxclient.connect(state=tmp_path / "copy", options=QUICK):
            await anyio.sleep_forever()


@on_both_backends
async def test_sdk_second_use_of_a_device_replaces_the_first(
    server: ServerProcess, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        (anna,) = await people(stack, server, tmp_path, "anna")
        await anna.wait_connected()
    copytree(tmp_path / "anna", tmp_path / "copy")
    with pytest.raises(wxclient.ConnectionReplaced):  # noqa: PT012 - one block is the subject
        async with wxclient.connect(state=tmp_path / "anna", options=QUICK) as anna:
            await anna.wait_connected()
            async with wxclient.connect(state=tmp_path / "copy", options=QUICK) as copy:
                await copy.wait_connected()
                await anyio.sleep_forever()


@on_both_backends
async def test_sdk_answers_exactly_once_inside_the_transaction(
    server: ServerProcess, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        anna, echo = await people(stack, server, tmp_path, "anna", "echo")
        conversation = await anna.create_direct(echo.account)
        for number in range(30):
            anna.send_nowait(conversation, b"%d" % number)
        handled = 0
        async for entry in echo.entries():
            async with entry.commit() as tx:
                if entry.kind == Kind.MESSAGE:
                    tx.send(conversation, b"re " + entry.body)
                    handled += 1
            if handled == 30:
                break
        found = await collect(anna, lambda e: e[-1].body == b"re 29", conversation)
        assert [e.body for e in found] == [b"re %d" % number for number in range(30)]

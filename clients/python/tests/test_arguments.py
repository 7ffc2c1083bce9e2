"""What cannot be sent is refused at once; it never reaches the outbox, where it would stay."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

import wxclient
from wxclient import AccountId, Client, ConversationId, InvalidArgument

from .backends import on_both_backends
from .fake_listener import QUICK, listening
from .fake_server import FakeServer

SHORT: Any = b"abc"
TEXT: Any = "0123456789abcdef"
LOG = ConversationId(bytes(16))
Call = Callable[[Client], Awaitable[object]]
OPERATIONS: dict[str, Call] = {
    "text as a body": lambda c: c.send(c.self_conversation, TEXT),
    "body too large": lambda c: c.send(c.self_conversation, bytes(300_000)),
    "negative lifetime": lambda c: c.send(c.self_conversation, b"", ttl_s=-1),
    "priority out of range": lambda c: c.send(c.self_conversation, b"", priority=2**70),
    "short conversation": lambda c: c.send(ConversationId(SHORT), b""),
    "text as a conversation": lambda c: c.send(TEXT, b""),
    "short account": lambda c: c.create_direct(AccountId(SHORT)),
    "text as an account": lambda c: c.create_direct(TEXT),
    "text among members": lambda c: c.create_group([TEXT]),
    "too many members": lambda c: c.create_group([AccountId(bytes(16))] * 2_000),
    "nobody invited": lambda c: c.invite(LOG, []),
    "role out of range": lambda c: c.set_role(LOG, AccountId(bytes(16)), 999),
    "negative seq": lambda c: c.redact(LOG, -1),
    "text to leave": lambda c: c.leave(TEXT),
}  # fmt: skip
REQUESTS: dict[str, Call] = {
    "long register key": lambda c: c.set_register(LOG, "k" * 65, b""),
    "long register value": lambda c: c.set_register(LOG, "k", bytes(4_097)),
    "text as a register value": lambda c: c.set_register(LOG, "k", TEXT),
    "half a character": lambda c: c.rename_device(c.device, "\ud800"),
    "long device name": lambda c: c.rename_device(c.device, "n" * 65),
    "negative limit": lambda c: c.fetch_history(LOG, 1, 2, -1),
    "text as members": lambda c: c.members(TEXT),
}  # fmt: skip


@pytest.mark.parametrize("call", [*OPERATIONS, *REQUESTS])
@on_both_backends
async def test_call_with_impossible_argument_is_refused_and_the_client_goes_on(
    tmp_path: Path, call: str
) -> None:
    async with listening(FakeServer()) as fake:
        async with wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client:
            with pytest.raises(InvalidArgument):
                await (OPERATIONS | REQUESTS)[call](client)
            await client.send(client.self_conversation, b"goes on")
            assert client.statistics().reconnects == client.statistics().outbox_size == 0
        async with wxclient.connect(state=tmp_path / "a", options=QUICK) as client:
            await client.send(client.self_conversation, b"and after a restart")
            assert client.statistics().reconnects == 0


@on_both_backends
async def test_impossible_argument_in_a_transaction_leaves_the_transaction_usable(
    tmp_path: Path,
) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        async with client.transaction() as tx:
            with pytest.raises(InvalidArgument):
                tx.send(client.self_conversation, TEXT)
            op = tx.send(client.self_conversation, b"fits")
        assert (await client.wait_accepted(op)).seq == 1


@on_both_backends
async def test_impossible_ephemeral_is_refused_and_the_connection_stays(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        await client.wait_connected()
        for conversation, body in ((TEXT, b""), (client.self_conversation, bytes(100_000))):
            with pytest.raises(InvalidArgument):
                client.send_ephemeral(cast("ConversationId", conversation), 1, body)
        await client.send(client.self_conversation, b"goes on")
        assert client.statistics().reconnects == 0


@on_both_backends
async def test_connect_with_names_that_do_not_fit_keeps_nothing(tmp_path: Path) -> None:
    async with listening(FakeServer()) as fake:
        for names in ({"account_name": "n" * 65}, {"device_name": "\0"}, {"device_name": "\ud800"}):
            with pytest.raises(InvalidArgument):
                async with wxclient.connect(
                    fake.invite(), state=tmp_path / "a", options=QUICK, **cast("Any", names)
                ):
                    pytest.fail("it must not be opened")
        assert not (tmp_path / "a").exists()

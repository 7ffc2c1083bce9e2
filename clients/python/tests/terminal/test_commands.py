"""Commands: what they ask of the server, what they answer, what they refuse."""

import pytest

from wxclient import ConversationKind
from wxclient._protocol.frames import Error
from wxclient.refusals import Forbidden
from wxclient.terminal.addresses import format_address
from wxclient.terminal.bodies import Title, read_body, write_text, write_title
from wxclient.terminal.commands.outcome import CommandError, Here, Outcome
from wxclient.terminal.commands.table import (
    COMMANDS,
    is_command,
    matching,
    run_command,
    unescape,
)
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.model.items import Message

from .desk_at_work import running_desk, settled
from .fake_client import ME, FakeClient
from .fake_log import FakeLog, account, device
from .loops import on_asyncio

BOB, CEM = account(2), account(3)
BOBS, CEMS = format_address(BOB), format_address(CEM)


async def here_in(desk: Desk, log: FakeLog) -> Here:
    rows = {row.conversation: row for row in await desk.rows.make()}
    row = rows[log.conversation]
    pages = desk.pages(row)
    own = [item for item in await pages.load() if isinstance(item, Message) and item.account == ME]
    return Here(row, None, own[-1] if own else None, pages.newest)


@on_asyncio
async def test_me_is_one_s_address_and_copied() -> None:
    async with running_desk(FakeClient()) as desk:
        outcome = await run_command(desk, Here(), "/me")
        assert outcome.text == outcome.copied == format_address(ME)


@on_asyncio
async def test_chat_opens_and_names() -> None:
    client = FakeClient()
    async with running_desk(client) as desk:
        outcome = await run_command(desk, Here(), f"/chat {BOBS} Bob the builder")
        await settled()
        assert outcome.opened is not None
        assert desk.people.name(BOB) == "Bob the builder"
        again = await run_command(desk, Here(), "/chat Bob the builder")
        assert again.opened == outcome.opened
        assert [one for one in client.asked if one[0] == "create_direct"] == [
            ("create_direct", BOB)
        ]


@on_asyncio
async def test_chat_with_oneself_opens_the_notes() -> None:
    client = FakeClient()
    async with running_desk(client) as desk:
        outcome = await run_command(desk, Here(), f"/chat {format_address(ME)}")
        assert outcome.opened == client.self_conversation


@on_asyncio
async def test_group_has_a_title_of_any_words_and_members_by_address_or_name() -> None:
    client = FakeClient()
    client.direct(BOB, "Bob")
    async with running_desk(client) as desk:
        await settled()
        for line in (f"/group Bob's boats {CEMS} @Bob", f'/group "Bob\'s boats" {CEMS} Bob'):
            client.asked.clear()
            outcome = await run_command(desk, Here(), line)
            (asked,) = [about for what, about in client.asked if what == "create_group"]
            assert asked == ((CEM, BOB), write_title("Bob's boats"))
            assert outcome.opened in client.logs
        outcome = await run_command(desk, Here(), "/group Alone")
        assert outcome.opened is not None


@on_asyncio
async def test_group_commands_ask_for_what_they_say() -> None:
    client = FakeClient()
    group = client.group(BOB, body=write_title("Boats"))
    async with running_desk(client) as desk:
        here = await here_in(desk, group)
        await run_command(desk, here, f"/invite {CEMS}")
        await run_command(desk, here, f"/remove {BOBS}")
        await run_command(desk, here, "/title Ships and boats")
        await run_command(desk, here, "/leave")
        asked = [one for one in client.asked if one[0] != "members"]
        place = group.conversation
        assert asked == [
            ("invited", (place, (CEM,))),
            ("removed", (place, (BOB,))),
            ("left", (place, (ME,))),
        ]
        assert Title("Ships and boats") in [read_body(one.body) for one in group.entries]


@on_asyncio
async def test_invitation_is_accepted_or_declined() -> None:
    client = FakeClient()
    invitations = [client.invited_by(BOB) for _ in range(3)]
    async with running_desk(client) as desk:
        await settled()
        rows = {row.conversation: row for row in await desk.rows.make()}
        outcome = await run_command(desk, Here(rows[invitations[0]]), "/accept")
        assert outcome.opened == invitations[0]
        await run_command(desk, Here(rows[invitations[1]]), "/leave")
        client.refusal = Forbidden(Error(3001, False, 0, "", 0))
        with pytest.raises(CommandError, match="not open any more"):
            await run_command(desk, Here(rows[invitations[2]]), "/accept")
        await settled()
        assert not [row for row in await desk.rows.make() if row.invitation]


@on_asyncio
async def test_name_is_for_the_other_the_group_or_an_address() -> None:
    client = FakeClient()
    log, group = client.direct(BOB, "Bob"), client.group(BOB, body=write_title("Boats"))
    async with running_desk(client) as desk:
        await settled()
        await run_command(desk, await here_in(desk, log), "/name Bobby Tables")
        await run_command(desk, await here_in(desk, group), "/name Our boats")
        await run_command(desk, Here(), f"/name {CEMS} Cem")
        assert desk.people.name(BOB) == "Bobby Tables"
        assert desk.people.name(CEM) == "Cem"
        assert desk.people.name_of(group.conversation, group.kind) == "Our boats"


@on_asyncio
async def test_members_are_listed_with_role_and_address() -> None:
    client = FakeClient()
    group = client.group(BOB)
    client.names[BOB] = "Bob"
    client.rolls[group.conversation][CEM] = (1, 1)
    async with running_desk(client) as desk:
        outcome = await run_command(desk, await here_in(desk, group), "/members")
        assert outcome.title == "3 members"
        assert "You, owner" in outcome.text
        assert f"Bob\n    {BOBS}" in outcome.text
        assert ", invited" in outcome.text


@on_asyncio
async def test_devices_are_listed_linked_and_revoked() -> None:
    client = FakeClient()
    async with running_desk(client) as desk:
        listed = await run_command(desk, Here(), "/devices")
        assert "desk (this one)" in listed.text
        linked = await run_command(desk, Here(), "/link")
        assert linked.text.startswith("wxserve://")
        assert linked.sheet
        await run_command(desk, Here(), f"/revoke {device(2).hex()}")
        assert ("revoke_device", device(2)) in client.asked
        for wrong in ("/revoke", "/revoke zz", "/revoke 00"):
            with pytest.raises(CommandError, match="Which device"):
                await run_command(desk, Here(), wrong)


@on_asyncio
async def test_redact_takes_the_selected_message_or_the_latest_own() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    async with running_desk(client) as desk:
        await desk.sending.send(log.conversation, "oops")
        log.append(BOB, write_text("what?"))
        await settled()
        here = await here_in(desk, log)
        await run_command(desk, here, "/redact")
        assert ("redact", (log.conversation, 2)) in client.asked
        with pytest.raises(CommandError, match="Choose a message"):
            await run_command(desk, here._replace(latest_own=None), "/redact")


@on_asyncio
async def test_read_marks_one_or_all() -> None:
    client = FakeClient()
    for peer in (BOB, CEM):
        client.direct(peer, "x").append(peer, write_text("hi"))
    async with running_desk(client) as desk:
        log = next(iter(client.logs.values()))
        await run_command(desk, await here_in(desk, log), "/read")
        await run_command(desk, Here(), "/read all")
        assert not [view for view in await client.conversations() if view.unread]


@on_asyncio
async def test_commands_that_do_not_fit_say_why() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    async with running_desk(client) as desk:
        here = await here_in(desk, log)
        for line, complaint in (
            ("/nonsense", "no command /nonsense"),
            ("/re", "Did you mean /remove, /redact, /read, /retry, /revoke"),
            ("/chat", "With whom"),
            ("/chat wx-123", "28 characters"),
            ("/group", "needs a name"),
            ("/group Boats wx-oops", "28 characters"),
            ("/invite", "not a group"),
            ("/accept", "not an invitation"),
            ("/leave", "not a group"),
            ("/title x", "not a group"),
            ("/retry", "Nothing was refused"),
            ("/discard", "Nothing was refused"),
        ):
            with pytest.raises(CommandError, match=complaint):
                await run_command(desk, here, line)
        with pytest.raises(CommandError, match="Open a conversation"):
            await run_command(desk, Here(), "/members")
        group = client.group(BOB)
        with pytest.raises(CommandError, match="Whom"):
            await run_command(desk, await here_in(desk, group), "/invite")


@on_asyncio
async def test_command_may_be_cut_short_while_it_is_clear() -> None:
    async with running_desk(FakeClient()) as desk:
        assert await run_command(desk, Here(), "/q") == Outcome(quit=True)
        assert await run_command(desk, Here(), "/help") == Outcome(asked="help")


def test_slash_begins_a_command_two_a_message() -> None:
    assert is_command("/me")
    assert not is_command("//me")
    assert not is_command("/etc/hosts\nhas lines")
    assert not is_command("me")
    assert unescape("//etc") == "/etc"
    assert unescape("plain") == "plain"


def test_hint_narrows_down_while_typing() -> None:
    assert len(matching("/")) == len(COMMANDS)
    assert [one.name for one in matching("/gr")] == ["/group"]
    assert [one.name for one in matching("/group Bo")] == ["/group"]
    assert matching("/nonsense x") == []
    assert matching("hello") == []


def test_summaries_fit_the_help_on_eighty_columns() -> None:
    assert all(len(f"{one.name} {one.usage}") <= 21 for one in COMMANDS)
    assert all(len(one.summary) <= 45 for one in COMMANDS)


@on_asyncio
async def test_kind_of_conversation_is_known_without_asking() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    async with running_desk(client) as desk:
        await settled()
        kinds = [
            desk.kind_of(one)
            for one in (client.self_conversation, client.notice_conversation, log.conversation)
        ]
        assert kinds == [ConversationKind.SELF, ConversationKind.NOTICE, ConversationKind.DIRECT]

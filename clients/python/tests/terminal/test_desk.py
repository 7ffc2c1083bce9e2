"""What the desk does with entries, names and messages under way, without a screen."""

import sqlite3

import pytest

from wxclient import Change, ConnectionState, ConversationKind, OutboxFull
from wxclient._protocol.frames import Error
from wxclient.refusals import Forbidden
from wxclient.terminal.bodies import Title, read_body, write_text, write_title
from wxclient.terminal.limits import PAGE_ENTRIES, TEXT_BYTES_MAX
from wxclient.terminal.model.items import Message, Progress, Unread
from wxclient.terminal.model.sending import TooLongError

from .desk_at_work import running_desk, settled
from .fake_client import ME, FakeClient
from .fake_log import account
from .loops import on_asyncio

BOB, CEM = account(2), account(3)
FORBIDDEN = Forbidden(Error(3001, False, 0, "", 0))


@on_asyncio
async def test_rows_are_latest_first_with_names_and_unread_counts() -> None:
    client = FakeClient()
    with_bob = client.direct(BOB, "Bob\x1b[31m")
    with_bob.append(BOB, write_text("one"))
    with_bob.append(BOB, write_text("two\nlines"))
    group = client.group(BOB, CEM, body=write_title("Boat club"))
    async with running_desk(client) as desk:
        rows = await desk.rows.make()
        assert [row.name for row in rows[:2]] == ["Boat club", "Bob␛[31m"]
        assert (rows[1].preview, rows[1].unread) == ("two lines", 2)
        group.append(CEM, write_text("hello"))
        client.names[CEM] = "Cem Bey"
        await desk.people.ask(group.conversation)
        rows = await desk.rows.make()
        assert (rows[0].name, rows[0].preview) == ("Boat club", "Cem: hello")


@on_asyncio
async def test_group_without_title_is_named_by_its_members() -> None:
    client = FakeClient()
    client.names |= {BOB: "Bob", CEM: "Cem", account(4): "Dee", account(5): "Eve"}
    group = client.group(BOB, CEM, account(4), account(5))
    async with running_desk(client) as desk:
        await settled()
        assert desk.people.name_of(group.conversation, group.kind) == "Bob, Cem, Dee +1"


@on_asyncio
async def test_given_name_goes_before_all_others_and_survives() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    async with running_desk(client) as desk:
        await settled()
        assert desk.people.name_of(log.conversation, log.kind) == "Bob"
        await desk.rename(BOB, "Bobby")
    again = client.restarted()
    async with running_desk(again) as desk:
        assert desk.people.name_of(log.conversation, log.kind) == "Bobby"
        await desk.rename(BOB, "")
        assert desk.people.name_of(log.conversation, log.kind) == "Bob"


@on_asyncio
async def test_invitation_is_an_item_until_one_has_joined() -> None:
    client = FakeClient()
    client.names[BOB] = "Bob"
    invited = client.invited_by(BOB)
    async with running_desk(client) as desk:
        await settled()
        (row,) = [row for row in await desk.rows.make() if row.invitation]
        assert (row.conversation, row.preview, row.writable) == (invited, "from Bob", False)
        await client.accept(invited)
        await settled()
        assert not [row for row in await desk.rows.make() if row.invitation]
        assert invited not in desk.notebook.invitations


@on_asyncio
async def test_title_is_sent_again_to_those_whom_this_device_invited() -> None:
    client = FakeClient()
    group = client.group(BOB, body=write_title("Boat club"))
    async with running_desk(client):
        await settled()
        for joiner in (BOB, CEM):  # Cem was invited by somebody else
            group.member(Change.JOINED, joiner, (joiner,))
            client.touch()
            await settled()
        titles = [one for one in group.entries if isinstance(read_body(one.body), Title)]
        assert [read_body(one.body) for one in titles] == [Title("Boat club")]
        assert titles[0].seq > group.entries[1].seq
    async with running_desk(client.restarted()) as desk:
        assert not desk.notebook.invited


@on_asyncio
async def test_title_of_others_is_kept() -> None:
    client = FakeClient()
    group = client.group(BOB)
    async with running_desk(client) as desk:
        group.append(BOB, write_title("Ships\n\x1b"))
        client.touch()
        await settled()
        assert desk.people.name_of(group.conversation, group.kind) == "Ships ␛"


@on_asyncio
async def test_entry_that_was_handled_has_no_effect_again() -> None:
    client = FakeClient()
    group = client.group(BOB, body=write_title("Boat club"))
    async with running_desk(client) as desk:
        await settled()
        group.member(Change.JOINED, BOB, (BOB,))
        joined = client.unhandled()
        for entry in joined * 2:
            await desk.clerk.handle(entry)
        titles = [one for one in group.entries if isinstance(read_body(one.body), Title)]
        assert len(titles) == 1


@on_asyncio
async def test_message_is_pending_until_it_is_accepted() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    client.be(ConnectionState.WAITING, 3)
    async with running_desk(client) as desk:
        await desk.sending.send(log.conversation, "later")
        row = (await desk.rows.make())[0]
        pages = desk.pages(row)
        (message,) = [item for item in await pages.load() if isinstance(item, Message)]
        assert (message.progress, desk.sending.waiting) == (Progress.SENDING, 1)
        client.be(ConnectionState.ONLINE)
        await settled()
        (accepted,) = [item for item in await pages.load() if isinstance(item, Message)]
        assert (accepted.progress, accepted.key) == (Progress.ACCEPTED, message.key)
        assert not desk.notebook.sent


@on_asyncio
async def test_message_of_a_killed_run_is_pending_after_a_restart() -> None:
    client = FakeClient()
    conversation = client.direct(BOB, "Bob").conversation
    client.be(ConnectionState.WAITING)
    async with running_desk(client) as desk:
        await desk.sending.send(conversation, "written before the kill")
    again = client.restarted()
    again.be(ConnectionState.WAITING)
    async with running_desk(again) as desk:
        (sent,) = desk.sending.under_way(conversation)
        assert sent.body == write_text("written before the kill")
        assert desk.sending.waiting == 1


@on_asyncio
async def test_refused_message_stays_until_it_is_sent_again_or_given_up() -> None:
    client = FakeClient()
    conversation = client.direct(BOB, "Bob").conversation
    async with running_desk(client) as desk:
        client.refusal = FORBIDDEN
        await desk.sending.send(conversation, "no")
        await settled()
        (sent,) = desk.sending.under_way(conversation)
        assert "not permitted" in sent.refused
        assert await desk.sending.retry(conversation) == 1
        await settled()
        assert [one.op for one in desk.sending.under_way(conversation)] != [sent.op]
        assert await desk.sending.discard(conversation) == 1
        assert not desk.sending.under_way(conversation)
    async with running_desk(client.restarted()) as desk:
        assert not desk.notebook.sent


@on_asyncio
async def test_message_that_cannot_be_sent_leaves_nothing() -> None:
    client = FakeClient()
    conversation = client.direct(BOB, "Bob").conversation
    async with running_desk(client) as desk:
        with pytest.raises(TooLongError, match="bytes too long"):
            await desk.sending.send(conversation, "x" * (TEXT_BYTES_MAX + 1))
        client.outbox_error = OutboxFull("full")
        with pytest.raises(OutboxFull):
            await desk.sending.send(conversation, "x")
        assert not desk.notebook.sent


@on_asyncio
async def test_accepted_message_that_the_log_skips_is_not_shown_for_ever() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    client.be(ConnectionState.WAITING)
    async with running_desk(client) as desk:
        op = await desk.sending.send(log.conversation, "gone")
        log.skip(2, 2)
        desk.notebook.sent[op] = desk.notebook.sent[op]._replace(accepted_seq=2)
        items = await desk.pages((await desk.rows.make())[0]).load()
        assert not [item for item in items if isinstance(item, Message)]
        assert not desk.notebook.sent


@on_asyncio
async def test_direct_conversation_can_be_written_to_before_it_exists() -> None:
    client = FakeClient()
    client.names[BOB] = "Bob"
    async with running_desk(client) as desk:
        conversation = await desk.open_direct(BOB)
        rows = await desk.rows.make()
        assert rows[0].conversation == conversation
        assert rows[0].kind is ConversationKind.DIRECT
        await settled()
        assert ("create_direct", BOB) in client.asked


@on_asyncio
async def test_direct_conversation_of_a_killed_run_is_created_after_the_restart() -> None:
    client = FakeClient()
    async with running_desk(client) as desk:
        conversation = await desk.open_direct(BOB)
    again = FakeClient(client.sql)
    async with running_desk(again) as desk:
        await settled()
        assert again.asked.count(("create_direct", BOB)) == 1
        assert conversation in again.logs
    async with running_desk(again) as desk:
        await settled()
        assert again.asked.count(("create_direct", BOB)) == 1


@on_asyncio
async def test_direct_conversation_that_is_refused_goes_away_with_a_word() -> None:
    client = FakeClient()
    complaints: list[str] = []
    async with running_desk(client) as desk:
        desk.complain = complaints.append
        client.refusal = FORBIDDEN
        conversation = await desk.open_direct(BOB)
        await settled()
        assert "no such account" in complaints[0]
        assert conversation not in {row.conversation for row in await desk.rows.make()}


@on_asyncio
async def test_history_loads_page_after_page() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    for number in range(PAGE_ENTRIES * 2):
        log.append(BOB, write_text(str(number)))
    async with running_desk(client) as desk:
        pages = desk.pages((await desk.rows.make())[0])
        items = await pages.load()
        shown = [item for item in items if isinstance(item, Message)]
        assert len(shown) == PAGE_ENTRIES
        assert not pages.complete
        assert [item for item in items if isinstance(item, Unread)]
        await pages.load_older()
        shown = [item for item in await pages.load_older() if isinstance(item, Message)]
        assert [item.text for item in shown] == [str(n) for n in range(PAGE_ENTRIES * 2)]
        assert pages.complete


@on_asyncio
async def test_typing_is_shown_until_it_stops() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    async with running_desk(client) as desk:
        client.hear(log.conversation, BOB, typing=True)
        await settled()
        assert desk.typists.typing(log.conversation) == [BOB]
        client.hear(log.conversation, BOB, typing=False)
        await settled()
        assert desk.typists.typing(log.conversation) == []


@on_asyncio
async def test_reading_is_told_and_counts_at_once() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    log.append(BOB, write_text("hi"))
    async with running_desk(client) as desk:
        assert (await desk.rows.make())[0].unread == 1
        await desk.read(log.conversation, 2)
        assert ("read_through", (log.conversation, 2)) in client.asked
        assert (await desk.rows.make())[0].unread == 0


@on_asyncio
async def test_full_disk_while_handling_is_not_the_end() -> None:
    client = FakeClient()
    async with running_desk(client) as desk:
        client.disk_error = sqlite3.OperationalError("database or disk is full")
        log = client.direct(BOB, "Bob")
        client.touch()
        await settled()
        client.disk_error = None
        client.touch()
        await settled()
        assert desk.people.peer(log.conversation) == BOB
        assert ME != BOB

"""The application as a person uses it, with keys and mouse, on small and large screens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events

from wxclient import Change, ConnectionState
from wxclient._protocol.frames import Error
from wxclient.refusals import Forbidden
from wxclient.terminal.addresses import format_address
from wxclient.terminal.bodies import Text, read_body, write_text, write_title
from wxclient.terminal.limits import PAGE_ENTRIES

from .fake_client import ME, FakeClient
from .fake_log import account
from .loops import on_asyncio
from .screen_at_work import LARGE, SMALL, screen_on
from .test_sanitising import HOSTILE, is_harmless

BOB, CEM = account(2), account(3)
pytestmark = pytest.mark.slow
both_sizes = pytest.mark.parametrize("size", [SMALL, LARGE])


def talk() -> FakeClient:
    """Return a client with a conversation and a group."""
    client = FakeClient()
    client.names |= {CEM: "Cem"}
    client.direct(BOB, "Bob").append(BOB, write_text("Good morning"))
    client.group(BOB, CEM, body=write_title("Boat club")).append(CEM, write_text("Who drives?"))
    return client


def sent_texts(client: FakeClient) -> list[str]:
    bodies = [
        read_body(one.body)
        for log in client.logs.values()
        for one in log.entries
        if one.account == ME and one.fact is None
    ]
    return [body.text for body in bodies if isinstance(body, Text)]


@both_sizes
@on_asyncio
async def test_screen_shows_conversations_messages_and_status(size: tuple[int, int]) -> None:
    async with screen_on(talk(), size) as screen:
        await screen.sees("# Boat club  3 members")
        await screen.sees("Who drives?")
        await screen.until(lambda: "@ Bob" in screen.part("#sidebar"))
        await screen.until(lambda: " 1" in screen.part("#sidebar"))
        assert "● connected" in screen.part("#status")
        assert format_address(ME) in screen.part("#status")
        assert "Today" in screen.part("#timeline")
        assert all(len(line) == size[0] for line in screen.lines)
        assert len(screen.lines) == size[1]


@both_sizes
@on_asyncio
async def test_first_start_says_what_is_not_encrypted_and_never_again(
    size: tuple[int, int],
) -> None:
    client = talk()
    async with screen_on(client, size, greeted=False) as screen:
        await screen.sees("not yet encrypted end to end")
        assert format_address(ME) in screen.text
        await screen.pilot.press("enter")
        await screen.loses("not yet encrypted")
        await screen.write("/help")
        await screen.sees("Keys and commands")
        await screen.pilot.press("end")
        await screen.sees("not yet encrypted end to end")
    again = client.restarted()
    async with screen_on(again, size, greeted=False) as screen:
        assert "not yet encrypted" not in screen.text


@on_asyncio
async def test_message_goes_from_pending_to_accepted() -> None:
    client = talk()
    async with screen_on(client) as screen:
        client.be(ConnectionState.WAITING, retry_in_s=7)
        await screen.sees("back in")
        await screen.write("I do")
        await screen.sees("I do ◌")
        assert "1 waiting" in screen.part("#status")
        client.be(ConnectionState.ONLINE)
        await screen.sees("I do ✓")
        await screen.sees("● connected")
        assert screen.text.count("I do ") == 2  # once in the messages, once in the list
        assert sent_texts(client) == ["I do"]


@on_asyncio
async def test_messages_keep_the_order_of_writing() -> None:
    client = talk()
    async with screen_on(client) as screen:
        for number in range(20):
            await screen.write(f"number {number}")
        await screen.sees("number 19 ✓")
        assert sent_texts(client) == [f"number {number}" for number in range(20)]


@on_asyncio
async def test_refused_message_says_why() -> None:
    client = talk()
    async with screen_on(client) as screen:
        client.refusal = Forbidden(Error(3001, False, 0, "", 0))
        await screen.write("hello?")
        await screen.sees("not sent: not permitted")
        await screen.write("/discard")
        await screen.loses("hello?")


@on_asyncio
async def test_pasted_lines_stay_lines_and_are_not_sent_by_themselves() -> None:
    client = talk()
    async with screen_on(client) as screen:
        composer = screen.app.pane.composer
        composer.focus()
        screen.app.post_message(events.Paste("one\r\ntwo\rthree\n"))
        await screen.until(lambda: composer.text == "one\ntwo\nthree\n")
        assert sent_texts(client) == []
        await screen.pilot.press("ctrl+j", "x", "enter")
        await screen.until(lambda: sent_texts(client) == ["one\ntwo\nthree\n\nx"])
        assert composer.text == ""


@on_asyncio
async def test_keys_move_between_conversations() -> None:
    async with screen_on(talk()) as screen:
        await screen.until(lambda: "Boat club" in screen.part("#heading"))
        await screen.pilot.press("ctrl+n")
        await screen.until(lambda: "Bob" in screen.part("#heading"))
        await screen.pilot.press("ctrl+p")
        await screen.until(lambda: "Boat club" in screen.part("#heading"))
        await screen.pilot.press("ctrl+k")
        await screen.sees("Go to")
        await screen.pilot.press("b", "o", "b", "enter")
        await screen.until(lambda: "Bob" in screen.part("#heading"))
        await screen.pilot.press("ctrl+k", "escape")
        await screen.loses("Go to")


@on_asyncio
async def test_mouse_opens_a_conversation_and_selects_a_message() -> None:
    async with screen_on(talk()) as screen:
        await screen.sees("@ Bob")
        row = next(y for y, line in enumerate(screen.lines) if "@ Bob" in line[:26])
        await screen.pilot.click(offset=(5, row))
        await screen.sees("Good morning")
        await screen.until(lambda: "Good morning" in screen.part("#timeline"))
        row = next(y for y, line in enumerate(screen.lines) if "Good morning" in line[26:])
        await screen.pilot.click(offset=(32, row))
        selected = screen.app.pane.timeline.selected
        assert selected is not None
        assert selected.text == "Good morning"


@on_asyncio
async def test_what_is_visible_is_read_and_the_rest_is_not() -> None:
    client = talk()
    async with screen_on(client) as screen:
        await screen.until(lambda: any(what == "read_through" for what, _ in client.asked))
        read = [about[0] for what, about in client.asked if what == "read_through"]
        assert set(read) == {screen.app.pane.conversation}
        await screen.until(
            lambda: [row.unread for row in screen.app.rows if row.name == "Bob"] == [1]
        )


@on_asyncio
async def test_typing_is_told_and_shown() -> None:
    client = talk()
    async with screen_on(client) as screen:
        group = screen.app.pane.conversation
        assert group is not None
        client.hear(group, CEM, typing=True)
        await screen.sees("Cem is typing…")
        client.hear(group, CEM, typing=False)
        await screen.loses("Cem is typing…")
        screen.app.pane.composer.focus()
        await screen.pilot.press("h", "i")
        told = [about for what, about in client.asked if what == "typing"]
        assert told == [(group, True)]
        await screen.pilot.press("enter")
        await screen.until(lambda: ("typing", (group, False)) in client.asked)


@on_asyncio
async def test_commands_show_a_hint_while_they_are_typed() -> None:
    async with screen_on(talk()) as screen:
        screen.app.pane.composer.focus()
        await screen.pilot.press("slash", "g")
        await screen.sees("/group NAME ADDRESS…  create a group")
        await screen.pilot.press("escape")


@on_asyncio
async def test_invitation_is_answered_with_the_buttons() -> None:
    client = talk()
    invited = client.invited_by(CEM)
    async with screen_on(client) as screen:
        await screen.sees("from Cem")
        await screen.go_to(invited)
        await screen.sees("Cem invites you to a group.")
        assert "Write to" not in screen.part("#main")
        await screen.pilot.press("enter")
        await screen.until(lambda: ("joined", (invited, (ME,))) in client.asked)
        await screen.sees("Write to")


@on_asyncio
async def test_group_that_one_was_removed_from_cannot_be_written_to() -> None:
    client = talk()
    async with screen_on(client) as screen:
        group = client.logs[screen.app.pane.conversation or client.self_conversation]
        group.member(Change.REMOVED, BOB, (ME,))
        group.joined = False
        client.touch()
        await screen.sees("Nothing can be written here.")
        await screen.sees("Bob removed You")


@on_asyncio
async def test_scrolling_up_loads_older_messages_and_keeps_the_place() -> None:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    for number in range(PAGE_ENTRIES * 2):
        log.append(BOB, write_text(f"message {number}."))
    async with screen_on(client) as screen:
        timeline = screen.app.pane.timeline
        await screen.sees(f"message {PAGE_ENTRIES * 2 - 1}.")
        for _ in range(40):
            if "message 0." in screen.text:
                break
            before = screen.part("#timeline").splitlines()[1]
            await screen.pilot.press("pageup")
            await screen.pilot.pause(0.02)
            assert before.split()[-1] in screen.text or "message" not in before
        await screen.sees("message 0.")
        log.append(BOB, write_text("the newest"))
        client.touch()
        await screen.pilot.pause(0.1)
        assert "message 0." in screen.text  # who reads back is not thrown to the end
        assert not timeline.at_end
        await screen.pilot.press("escape")
        await screen.until(lambda: "the newest" in screen.part("#timeline"))


@on_asyncio
async def test_selected_message_opens_whole_and_is_redacted() -> None:
    client = talk()
    async with screen_on(client) as screen:
        await screen.write("x" * 5000)
        await screen.sees("1,000 more characters")
        await screen.pilot.press("up")
        await screen.pilot.press("enter")
        await screen.sees("Esc closes")
        await screen.pilot.press("escape")
        await screen.loses("Esc closes")
        await screen.write("/redact")
        await screen.sees("message deleted")


@on_asyncio
async def test_resizing_keeps_everything_in_its_place() -> None:
    async with screen_on(talk()) as screen:
        await screen.sees("Who drives?")
        for width, height in ((50, 16), (200, 60), (20, 6), (80, 24)):
            await screen.pilot.resize_terminal(width, height)
            await screen.until(lambda: [len(line) for line in screen.lines] == [width] * height)  # noqa: B023
        await screen.sees("Who drives?")
        await screen.pilot.press("f2")
        await screen.loses("@ Bob")


@on_asyncio
async def test_theme_is_changed_and_remembered() -> None:
    client = talk()
    async with screen_on(client) as screen:
        await screen.pilot.press("f3")
        await screen.until(lambda: screen.app.theme == "wx-light")
    async with screen_on(client.restarted()) as screen:
        assert screen.app.theme == "wx-light"


@on_asyncio
async def test_typing_anywhere_is_written_into_the_input() -> None:
    async with screen_on(talk()) as screen:
        screen.app.pane.timeline.focus()
        await screen.pilot.press("h", "i")
        assert screen.app.pane.composer.text == "hi"


@on_asyncio
async def test_draft_waits_in_its_conversation() -> None:
    async with screen_on(talk()) as screen:
        screen.app.pane.composer.text = "half a"
        await screen.pilot.press("ctrl+n")
        await screen.until(lambda: "Bob" in screen.part("#heading"))
        assert screen.app.pane.composer.text == ""
        await screen.pilot.press("ctrl+p")
        await screen.until(lambda: screen.app.pane.composer.text == "half a")


@on_asyncio
async def test_quit_leaves() -> None:
    async with screen_on(talk()) as screen:
        await screen.write("/quit")
        await screen.until(lambda: screen.app._exit)


@settings(max_examples=6)
@given(st.lists(HOSTILE, min_size=10, max_size=20), HOSTILE)
def test_screen_of_hostile_texts_holds_nothing_that_acts(texts: list[str], name: str) -> None:
    @on_asyncio
    async def look() -> None:
        client = FakeClient()
        log = client.direct(BOB, name.encode(errors="replace").decode())
        group = client.group(BOB, body=write_title(name))
        for text in texts:
            log.append(BOB, write_text(text))
            group.append(BOB, write_text(text))
        async with screen_on(client) as screen:
            for key in ("pageup", "ctrl+n", "pageup"):
                await screen.pilot.press(key)
                await screen.pilot.pause(0.06)
                assert all(map(is_harmless, screen.text)), ascii(screen.text)
                assert {len(screen.lines)} == {24}

    look()

"""A conversation longer than the window on it: every message can be reached, in both directions."""

import pytest

from wxclient.terminal.bodies import write_text
from wxclient.terminal.limits import PAGE_ENTRIES
from wxclient.terminal.model import pages as pages_module
from wxclient.terminal.model.items import Item, Message

from .desk_at_work import running_desk
from .fake_client import FakeClient
from .fake_log import FakeLog, account
from .loops import on_asyncio
from .screen_at_work import screen_on

BOB = account(2)
WINDOW = 2 * PAGE_ENTRIES
LENGTH = WINDOW + 3 * PAGE_ENTRIES - 10


@pytest.fixture(autouse=True)
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scroll through less than a person would have to."""
    monkeypatch.setattr(pages_module, "WINDOW_ENTRIES_MAX", WINDOW)


def long_talk() -> tuple[FakeClient, FakeLog]:
    client = FakeClient()
    log = client.direct(BOB, "Bob")
    for number in range(LENGTH):
        log.append(BOB, write_text(f"m{number}"))
    return client, log


def numbers(items: list[Item]) -> list[int]:
    return [int(item.text[1:]) for item in items if isinstance(item, Message)]


@on_asyncio
async def test_window_moves_back_to_the_first_message_and_forth_to_the_newest() -> None:
    client, log = long_talk()
    async with running_desk(client) as desk:
        pages = desk.pages((await desk.rows.make())[0])
        shown = numbers(await pages.load())
        while not pages.complete:
            before, shown = shown, numbers(await pages.load_older())
            assert shown[0] < before[0] <= shown[-1], "it goes on where it was"
            assert len(shown) <= WINDOW
        assert shown == list(range(WINDOW - 1)), "and the creation"
        log.append(BOB, write_text(f"m{LENGTH}"))
        while not pages.follows:
            before, shown = shown, numbers(await pages.load_newer())
            assert shown[0] <= before[-1] < shown[-1], "it goes on where it was"
        assert shown[-1] == LENGTH


@on_asyncio
async def test_window_that_moved_back_returns_to_the_newest_at_once() -> None:
    client, _log = long_talk()
    async with running_desk(client) as desk:
        pages = desk.pages((await desk.rows.make())[0])
        await pages.load()
        while pages.follows:
            await pages.load_older()
        pages.follow()
        assert numbers(await pages.load()) == list(range(LENGTH - PAGE_ENTRIES, LENGTH))


@pytest.mark.slow
@on_asyncio
async def test_screen_scrolls_to_the_first_message_and_returns_with_escape() -> None:
    client, _log = long_talk()
    async with screen_on(client) as screen:
        await screen.sees(f"m{LENGTH - 1}")
        while "m0" not in screen.part("#timeline").split():
            await screen.pilot.press("pageup")
        while f"m{WINDOW + 20}" not in screen.part("#timeline").split():
            await screen.pilot.press("pagedown")
        assert f"m{LENGTH - 1}" not in _texts(screen.app.pane.items), "one step at a time"
        await screen.pilot.press("escape")
        await screen.until(lambda: f"m{LENGTH - 1}" in screen.part("#timeline"))


def _texts(items: list[Item]) -> set[str]:
    return {item.text for item in items if isinstance(item, Message)}

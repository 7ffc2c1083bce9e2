"""The application on a fake client, headless, with what is on the screen as text."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from textual.geometry import Region
from textual.pilot import Pilot

from wxclient import ConversationId
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.views.app import TerminalApp

from .desk_at_work import noon
from .fake_client import FakeClient

SMALL, LARGE = (80, 24), (140, 45)


class Screen:
    """What a person sees and does."""

    def __init__(self, app: TerminalApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        """Return the lines of the screen."""
        screen = self.app.screen
        update = screen._compositor.render_strips()
        return [strip.text for strip in update]

    @property
    def text(self) -> str:
        """Return the whole screen."""
        return "\n".join(self.lines)

    def part(self, selector: str) -> str:
        """Return what stands in one widget's place."""
        region: Region = self.app.screen.query_one(selector).region
        rows = self.lines[region.y : region.bottom]
        return "\n".join(row[region.x : region.right].rstrip() for row in rows)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds of the screen."""
        try:
            with anyio.fail_after(10):
                while not condition():
                    await self.pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"it never came to that:\n{self.text}") from None

    async def sees(self, text: str) -> None:
        """Wait until a text is on the screen."""
        await self.until(lambda: text in self.text)

    async def loses(self, text: str) -> None:
        """Wait until a text is not on the screen."""
        await self.until(lambda: text not in self.text)

    async def write(self, text: str) -> None:
        """Put a text into the input and press Enter."""
        self.app.pane.composer.focus()
        self.app.pane.composer.text = text
        await self.pilot.press("enter")

    async def go_to(self, conversation: ConversationId) -> None:
        """Open a conversation."""
        await self.app.go_to(conversation)
        await self.pilot.pause()


@asynccontextmanager
async def screen_on(
    client: FakeClient, size: tuple[int, int] = SMALL, *, greeted: bool = True
) -> AsyncIterator[Screen]:
    """Show the application while the block runs."""
    desk = Desk(client, noon)
    await desk.open()
    if greeted:
        await desk.set("greeted", "yes")
    app = TerminalApp(desk)
    async with app.run_test(size=size) as pilot:
        screen = Screen(app, pilot)
        await screen.until(lambda: app.pane.row is not None)
        yield screen

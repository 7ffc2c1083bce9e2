"""The application: lays the views out, and passes on what happens between them and the desk."""

from pathlib import Path, PurePath
from typing import ClassVar, Final

import anyio
from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static
from textual.worker import Worker

from wxclient import ClientError, ConversationId, ServerError
from wxclient.terminal.addresses import format_address
from wxclient.terminal.commands.outcome import CommandError, Outcome
from wxclient.terminal.commands.table import run_command
from wxclient.terminal.limits import REFRESH_PAUSE_S
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.model.items import Message
from wxclient.terminal.model.refusals import refusal_words
from wxclient.terminal.model.rows import Row

from .pane import ConversationPane
from .sheets import Greeting, Help, Sheet, Switcher
from .sidebar import Sidebar
from .status import status_content
from .themes import DARK, LIGHT, THEMES
from .timeline import Timeline

_TICK_S: Final = 1.0
"""How often what changes by itself is drawn: a countdown, the end of typing."""
_PATIENCE_S: Final = 1.0
"""How long a command may take before it is said that it waits."""
_BREAKPOINTS: Final = [(0, "-narrow"), (60, "-normal"), (110, "-wide")]
"""From how many columns on each layout holds."""
_THEME: Final = "theme"
_GREETED: Final = "greeted"


class TerminalApp(App[None]):
    """``wx`` on the screen.

    Args:
        desk: opened; it is run by the application.
    """

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = Path(__file__).with_name(
        "wx.tcss"
    )
    TITLE: str | None = "wx"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = _BREAKPOINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", priority=True),
        Binding("f2", "toggle_sidebar", "Conversations", priority=True),
        Binding("f3", "toggle_theme", "Light or dark", priority=True),
        Binding("ctrl+k", "switch", "Go to", priority=True),
        Binding("ctrl+n", "step(1)", "Next", priority=True),
        Binding("ctrl+p", "step(-1)", "Previous", priority=True),
        Binding("escape", "back", "Back"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.pane = ConversationPane(desk, id="main")
        self.rows: list[Row] = []
        self._sidebar = Sidebar(desk.clock, id="sidebar")
        self._status = Static(id="status")
        self._dirty = anyio.Event()
        self._address = format_address(desk.client.account)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Horizontal(id="body"):
            yield self._sidebar
            yield self.pane
        yield self._status

    async def on_mount(self) -> None:
        """Begin."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = LIGHT.name if self.desk.setting(_THEME) == LIGHT.name else DARK.name
        self.desk.changed = self._mark_dirty
        self.desk.complain = self.warn
        self._run_desk()
        self._draw_changes()
        self.set_interval(_TICK_S, self._tick)
        self._mark_dirty()
        if not self.desk.setting(_GREETED):
            greeting = Greeting(self.desk.people.own_name, self._address)
            _ = self.push_screen(greeting, self._greeted)

    @work(group="desk")
    async def _run_desk(self) -> None:
        await self.desk.run()

    async def _greeted(self, _result: None) -> None:
        await self.desk.set(_GREETED, "yes")

    # -- what is shown -------------------------------------------------------------------------

    def _mark_dirty(self) -> None:
        self._dirty.set()

    @work(group="drawing")
    async def _draw_changes(self) -> None:
        """Draw what changed, again and again, with a pause in which more may change."""
        while True:
            await self._dirty.wait()
            self._dirty = anyio.Event()
            await self.redraw()
            await anyio.sleep(REFRESH_PAUSE_S)

    async def redraw(self) -> None:
        """Draw everything that may have changed."""
        self.rows = await self.desk.rows.make()
        if self.pane.row is None and self.rows:
            writable = [row for row in self.rows if row.writable]
            await self.pane.open((writable or self.rows)[0])
        await self.pane.redraw(self.rows)
        self._show_sidebar()
        self._tick()

    def _show_sidebar(self) -> None:
        self._sidebar.show(self.rows, self.pane.conversation)

    def _tick(self) -> None:
        """Draw what changes by itself."""
        width = max(self.size.width - 2, 1)
        self._status.update(status_content(self.desk, self._address, width))
        self.pane.show_lines()

    def on_resize(self, _event: events.Resize) -> None:
        """Draw in the new size."""
        self._mark_dirty()

    def warn(self, complaint: str) -> None:
        """Say what did not work."""
        self.notify(complaint, severity="warning", markup=False)

    # -- going somewhere -----------------------------------------------------------------------

    async def go_to(self, conversation: ConversationId) -> None:
        """Open a conversation."""
        self.rows = await self.desk.rows.make()
        for row in self.rows:
            if row.conversation == conversation:
                await self.pane.open(row)
                self._show_sidebar()
                self._mark_dirty()

    async def on_sidebar_chosen(self, event: Sidebar.Chosen) -> None:
        """Open what was chosen in the list."""
        await self.go_to(event.conversation)

    async def action_step(self, step: int) -> None:
        """Open the next or previous conversation."""
        keys = [row.conversation for row in self.rows]
        if keys and len(self.screen_stack) == 1:
            at = keys.index(self.pane.conversation) if self.pane.conversation in keys else -step
            await self.go_to(keys[(at + step) % len(keys)])

    def action_switch(self) -> None:
        """Open the quick switcher."""
        if len(self.screen_stack) == 1:
            _ = self.push_screen(Switcher(lambda: self.rows), self._switched)
        elif isinstance(self.screen, Switcher):
            _ = self.screen.dismiss(None)

    async def _switched(self, chosen: ConversationId | None) -> None:
        if chosen is not None:
            await self.go_to(chosen)

    def action_help(self) -> None:
        """Open the help, or close it."""
        if isinstance(self.screen, Help):
            _ = self.screen.dismiss(None)
        elif len(self.screen_stack) == 1:
            _ = self.push_screen(Help())

    def action_toggle_sidebar(self) -> None:
        """Hide or show the conversations."""
        self.screen_stack[0].toggle_class("no-sidebar")
        self._mark_dirty()

    async def action_toggle_theme(self) -> None:
        """Change between light and dark, for good."""
        self.theme = DARK.name if self.theme == LIGHT.name else LIGHT.name
        await self.desk.set(_THEME, self.theme)

    async def action_back(self) -> None:
        """Return to the input and to the newest message."""
        self.pane.timeline.deselect()
        self.pane.to_end()
        self.pane.focus_input()

    def on_key(self, event: events.Key) -> None:
        """Let what is typed anywhere be written."""
        if event.is_printable and isinstance(self.focused, Sidebar | Timeline):
            event.stop()
            self.pane.type_into(event)

    def on_app_focus(self) -> None:
        """Note what is visible as read."""
        self._mark_dirty()

    # -- commands ------------------------------------------------------------------------------

    def on_conversation_pane_commanded(self, event: ConversationPane.Commanded) -> None:
        """Carry a command out, and say so if it has to wait."""
        worker = self._command(event.text)
        self.set_timer(_PATIENCE_S, lambda: self._explain_wait(worker))

    def _explain_wait(self, worker: Worker[None]) -> None:
        if not worker.is_finished and not self.desk.online:
            self.notify("That will be done when there is a connection.", markup=False)

    @work(group="commands")
    async def _command(self, text: str) -> None:
        try:
            outcome = await run_command(self.desk, self.pane.here, text)
        except CommandError as error:
            self.warn(str(error))
        except (ServerError, ClientError) as error:
            self.notify(f"Refused: {refusal_words(error)}.", severity="error", markup=False)
        else:
            await self._follow(outcome)

    async def _follow(self, outcome: Outcome) -> None:
        """Do what a command left to do."""
        if outcome.quit:
            self.exit()
            return
        if outcome.asked == "help":
            self.action_help()
        if outcome.opened is not None:
            await self.go_to(outcome.opened)
        if outcome.copied:
            self._copy(outcome.copied)
        if outcome.sheet:
            _ = self.push_screen(Sheet(outcome.title, outcome.text))
        elif outcome.text:
            self.pane.note(outcome.title, outcome.text)
        self._mark_dirty()

    async def on_timeline_opened(self, event: Timeline.Opened) -> None:
        """Show a message whole."""
        conversation = self.pane.conversation
        if conversation is not None:
            text = await self.desk.whole_text(conversation, event.item)
            heading = f"{event.item.name}, {event.item.time:%d %b %Y %H:%M}"
            _ = self.push_screen(Sheet(heading, text))

    async def on_timeline_copied(self, event: Timeline.Copied) -> None:
        """Copy a message."""
        item: Message = event.item
        if self.pane.conversation is not None:
            self._copy(await self.desk.whole_text(self.pane.conversation, item))

    def _copy(self, text: str) -> None:
        """Have the terminal put a text onto its clipboard; whether it does, nobody can know."""
        self.copy_to_clipboard(text)
        self.notify("Copied, if your terminal allows it.", markup=False, timeout=3)

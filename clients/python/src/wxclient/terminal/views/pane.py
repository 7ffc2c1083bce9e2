"""The open conversation: heading, messages, input; what is written there is sent from here."""

from collections.abc import Awaitable, Callable
from typing import Final

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message as Posted
from textual.widgets import Button, Static, TextArea

from wxclient import ClientError, ConversationId, ServerError
from wxclient.terminal.commands.outcome import Here
from wxclient.terminal.commands.table import is_command, unescape
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.model.items import Item, Message
from wxclient.terminal.model.pages import Pages
from wxclient.terminal.model.rows import Row
from wxclient.terminal.model.sending import TooLongError
from wxclient.terminal.sanitising import clean_line

from .composer import Composer
from .status import heading_content, hint_content
from .timeline import Timeline

_NAME_CHARS_MAX: Final = 18
"""Of the name in the empty input, which is one line on 80 columns."""


class ConversationPane(Vertical):
    """Shows one conversation at a time.

    Args:
        desk: what it works with.
    """

    class Commanded(Posted):
        """A command was typed, or stands for a button that was pressed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, desk: Desk, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._desk = desk
        self._drafts: dict[ConversationId, str] = {}
        self.items: list[Item] = []
        """What is shown of the open conversation."""
        self._heading = Static(id="heading")
        self._hint = Static(id="hint")
        self._unwritable = Static("Nothing can be written here.", id="unwritable")
        self._answer = Horizontal(id="answer")
        self._accept = Button("Accept", id="accept", compact=True)
        self.timeline = Timeline(desk.clock, id="timeline")
        self.composer = Composer(id="composer")
        self.row: Row | None = None
        self.pages: Pages | None = None

    def compose(self) -> ComposeResult:
        """Lay it out."""
        self._unwritable.display = self._answer.display = False
        yield self._heading
        yield self.timeline
        yield self._hint
        yield self.composer
        yield self._unwritable
        with self._answer:
            yield Static("Join this group?")
            yield self._accept
            yield Button("Decline", id="decline", compact=True)

    @property
    def conversation(self) -> ConversationId | None:
        """Return the open conversation."""
        return None if self.row is None else self.row.conversation

    @property
    def here(self) -> Here:
        """Return where a command that is typed now stands."""
        account = self._desk.client.account
        own = [
            item
            for item in self.items
            if isinstance(item, Message) and item.account == account and item.seq and item.plain
        ]
        newest = self.pages.newest if self.pages is not None else 0
        return Here(self.row, self.timeline.selected, own[-1] if own else None, newest)

    # -- what is shown -------------------------------------------------------------------------

    async def open(self, row: Row) -> None:
        """Show another conversation, from its newest message."""
        if self.row is not None:
            self._drafts[self.row.conversation] = self.composer.text
        draft = self._drafts.pop(row.conversation, "")
        pages = self.pages = self._desk.pages(row)
        self.row = row
        self.composer.text = draft
        self.composer.move_cursor(self.composer.document.end)
        items = await pages.load()
        if pages is self.pages:
            self._show(items, fresh=True)
            self.focus_input()

    async def redraw(self, rows: list[Row]) -> None:
        """Show what changed; the open conversation may have left the list."""
        if self.row is None or self.pages is None:
            return
        pages = self.pages
        follows = pages.follows
        items = await pages.load()
        if pages is not self.pages or self.row is None:
            return
        found = {row.conversation: row for row in rows}.get(self.row.conversation)
        self.row = found or self.row._replace(writable=False, invitation=False)
        self._show(items, fresh=False, follow=follows)
        self.look()

    def _show(self, items: list[Item], *, fresh: bool, follow: bool = True) -> None:
        self.items = items
        self.timeline.show(items, fresh=fresh, follow=follow)
        self.show_lines()

    def show_lines(self) -> None:
        """Show heading, hint, and what stands at the place of the input."""
        row, width = self.row, max(self.size.width - 2, 1)
        self._heading.update(heading_content(self._desk, row, width))
        self._hint.update(hint_content(self._desk, row, self.composer.text, width))
        name = "" if row is None else f"Write to {clean_line(row.name, _NAME_CHARS_MAX)}    "
        self.composer.placeholder = f"{name}/ commands, F1 help"
        invitation = row is not None and row.invitation
        writable = row is not None and row.writable
        self.composer.display = writable or row is None
        self._answer.display = invitation
        self._unwritable.display = row is not None and not writable and not invitation

    def focus_input(self) -> None:
        """Put the cursor to where one writes or answers."""
        if self.row is not None and self.row.invitation:
            self._accept.focus()
        elif self.composer.display:
            self.composer.focus()
        else:
            self.timeline.focus()

    def look(self) -> None:
        """Note as read what is visible, if somebody is there to see it."""
        row, pages = self.row, self.pages
        if row is None or pages is None or not row.unread or not pages.newest:
            return
        if self.app.app_focus and pages.follows and self.timeline.at_end:
            self.row = row._replace(unread=0)
            self._read(row.conversation, pages.newest)

    @work(group="reading", exclusive=True)
    async def _read(self, conversation: ConversationId, seq: int) -> None:
        await self._desk.read(conversation, seq)

    def note(self, title: str, text: str) -> None:
        """Show an answer to a command below the messages."""
        if self.pages is not None:
            self.pages.add_note(title, text)
            self.to_end()
            self._desk.changed()

    # -- scrolling -----------------------------------------------------------------------------

    def to_end(self) -> None:
        """Go to the newest message."""
        if self.pages is None or self.pages.follows:
            self.timeline.to_end()
        else:
            self.pages.follow()
            self._load(self.pages, self.pages.load, fresh=True)

    def on_timeline_older_wanted(self) -> None:
        """Load older messages."""
        if self.pages is not None and not self.pages.complete:
            self._load(self.pages, self.pages.load_older)

    def on_timeline_end_reached(self) -> None:
        """Load newer messages, or note what is visible now."""
        if self.pages is not None and not self.pages.follows:
            self._load(self.pages, self.pages.load_newer)
        else:
            self.look()

    @work(group="loading", exclusive=True)
    async def _load(
        self, pages: Pages, load: Callable[[], Awaitable[list[Item]]], *, fresh: bool = False
    ) -> None:
        items = await load()
        if pages is self.pages:
            self._show(items, fresh=fresh, follow=False)

    def on_composer_scrolled(self, event: Composer.Scrolled) -> None:
        """Scroll the messages."""
        self.timeline.turn(event.pages)

    def on_composer_left_upwards(self) -> None:
        """Select the newest message."""
        self.timeline.focus()
        self.timeline.action_select(0)

    # -- writing -------------------------------------------------------------------------------

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Show a hint, and tell others that one is typing."""
        if event.text_area is not self.composer:
            return
        self.show_lines()
        text = self.composer.text
        self._tell_typing(on=bool(text) and not is_command(text))

    def _tell_typing(self, *, on: bool) -> None:
        if self.row is not None and self._desk.typists.tell(self.row.conversation, on=on):
            self._desk.tell_typing(self.row.conversation, on=on)

    def on_composer_submitted(self, event: Composer.Submitted) -> None:
        """Send what was written, or pass a command on."""
        if is_command(event.text):
            self.post_message(self.Commanded(event.text))
        elif self.row is None:
            self.composer.text = event.text
            self.notify("Open a conversation first: Ctrl-K, or /chat ADDRESS", markup=False)
        else:
            if self.pages is not None:
                self.pages.forget_unread()
            self.to_end()
            self._send(self.row.conversation, unescape(event.text))

    @work(group="sending")
    async def _send(self, conversation: ConversationId, text: str) -> None:
        try:
            await self._desk.sending.send(conversation, text)
        except (TooLongError, ClientError, ServerError) as error:
            self.notify(f"Not sent: {error}", severity="error", markup=False)
            if conversation == self.conversation and not self.composer.text:
                self.composer.text = text

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer an invitation."""
        event.stop()
        self.post_message(self.Commanded("/accept" if event.button.id == "accept" else "/leave"))

    def type_into(self, event: events.Key) -> None:
        """Take a character that was typed elsewhere."""
        if self.composer.display and event.character is not None:
            self.composer.focus()
            self.composer.insert(event.character)

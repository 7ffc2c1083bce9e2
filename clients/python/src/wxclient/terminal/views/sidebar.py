"""The conversations, at the left."""

from datetime import datetime
from typing import ClassVar, Final

from textual.content import Content
from textual.message import Message as Posted
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from wxclient import ConversationId, ConversationKind
from wxclient.terminal.model.rows import Row
from wxclient.terminal.ports import Clock

GLYPHS: Final = {
    ConversationKind.DIRECT: "@",
    ConversationKind.GROUP: "#",
    ConversationKind.SELF: "✎",
    ConversationKind.SERVICE: "◇",
    ConversationKind.CHANNEL: "◇",
    ConversationKind.NOTICE: "!",
}
_UNREAD_MAX: Final = 99
_MARGIN: Final = 2
"""Cells at the sides of an option."""


def glyph(row: Row) -> str:
    """Return one character for what a conversation is."""
    return "+" if row.invitation else GLYPHS.get(row.kind, "·") if row.kind else "·"


def time_words(time: datetime | None, now: datetime) -> str:
    """Return when, as short as it can be said."""
    if time is None:
        return ""
    days = (now.astimezone().date() - time.date()).days
    if days <= 0:
        return f"{time:%H:%M}"
    return f"{time:%a}" if days < 7 else f"{time.day} {time:%b}"


def row_content(row: Row, width: int, now: datetime) -> Content:
    """Return two lines: name and time, preview and unread count.

    Args:
        row: the conversation.
        width: cells of each line.
        now: for the time.
    """
    when = time_words(row.time, now)
    count = f"{min(row.unread, _UNREAD_MAX)}{'+' if row.unread > _UNREAD_MAX else ''}"
    badge = f" {count} " if row.unread else ""
    name_style = "bold $foreground" if row.unread or row.invitation else "$foreground"
    kind_style = "$warning" if row.invitation else "$primary"
    first = Content.assemble(
        (glyph(row), kind_style),
        " ",
        _filled(row.name, width - 3 - len(when)).stylize(name_style),
        " ",
        (when, "$foreground 50%"),
    )
    preview_style = "$warning" if row.invitation else "$foreground 60%"
    second = Content.assemble(
        "  ",
        _filled(row.preview, width - 2 - len(badge)).stylize(preview_style),
        (badge, "bold $background on $primary"),
    )
    return Content("\n").join([first, second])


def _filled(text: str, width: int) -> Content:
    """Return a text that takes exactly ``width`` cells."""
    return Content(text).truncate(max(width, 1), ellipsis=True, pad=True)


class Sidebar(OptionList):
    """The list of conversations."""

    DEFAULT_CLASSES: ClassVar[str] = "sidebar"

    class Chosen(Posted):
        """A conversation is to be opened."""

        def __init__(self, conversation: ConversationId) -> None:
            super().__init__()
            self.conversation = conversation

    def __init__(self, clock: Clock, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id, markup=False)
        self._clock = clock
        self._rows: list[Row] = []
        self._drawn: tuple[list[Row], int, str, ConversationId | None] | None = None

    def show(self, rows: list[Row], opened: ConversationId | None) -> None:
        """Show conversations, the open one highlighted unless the cursor is elsewhere."""
        width = self.scrollable_content_region.width - _MARGIN
        now = self._clock()
        drawn = (rows, width, f"{now:%j}", opened)
        self._rows = rows
        if drawn == self._drawn or width <= 0:
            return
        self._drawn = drawn
        key = opened.hex() if opened is not None else None
        if self.has_focus and self.highlighted_option is not None:
            key = self.highlighted_option.id
        top = self.scroll_offset.y
        self.set_options([
            Option(row_content(row, width, now), row.conversation.hex()) for row in rows
        ])
        keys = [row.conversation.hex() for row in rows]
        self.highlighted = keys.index(key) if key in keys else None
        self.scroll_to(y=top, animate=False, immediate=True)

    def on_resize(self) -> None:
        """Draw the rows in the new width."""
        if self._rows:
            self.call_after_refresh(self._redraw)

    def _redraw(self) -> None:
        option = self.highlighted_option
        opened = None if option is None or option.id is None else bytes.fromhex(option.id)
        self.show(self._rows, ConversationId(opened) if opened else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open what was chosen."""
        event.stop()
        if event.option.id is not None:
            self.post_message(self.Chosen(ConversationId(bytes.fromhex(event.option.id))))

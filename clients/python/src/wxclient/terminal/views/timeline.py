"""The messages of a conversation: scrolled, selected, copied. Only what is visible is rendered."""

from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message as Posted
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.theme import Theme

from wxclient.terminal.model.items import Day, Item, Message, Unread
from wxclient.terminal.ports import Clock

from .painting import SENDERS, Line, Page, Painter

_OLDER_LINES: Final = 3
"""So near to the top, older entries are loaded."""
_OVERLAP_LINES: Final = 2
_AIRY_LINES: Final = 26
"""From this height on, an empty line stands between people."""
_PARTS: Final = (
    "day", "unread", "happening", "hole", "note", "note-title", "note-bar", "own", "text", "time",
    "sending", "mark", "refused", "cursor",
    *(f"sender-{number}" for number in range(SENDERS)),
)  # fmt: skip


class Timeline(ScrollView, can_focus=True):
    """A list of items that keeps its place: at the end if it was there, else at what was on top."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"timeline--{part}" for part in _PARTS}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "select(-1)", "Earlier message", show=False),
        Binding("down", "select(1)", "Later message", show=False),
        Binding("pageup", "turn(-1)", "Scroll up", show=False),
        Binding("pagedown", "turn(1)", "Scroll down", show=False),
        Binding("enter", "open", "Show whole message", show=False),
        Binding("ctrl+c", "copy", "Copy message", show=False),
    ]

    class OlderWanted(Posted):
        """The top is near."""

    class EndReached(Posted):
        """The newest item is visible."""

    class Opened(Posted):
        """A message is to be shown whole."""

        def __init__(self, item: Message) -> None:
            super().__init__()
            self.item = item

    class Copied(Posted):
        """A message is to be copied."""

        def __init__(self, item: Message) -> None:
            super().__init__()
            self.item = item

    def __init__(self, clock: Clock, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._clock = clock
        self._items: list[Item] = []
        self._lines: list[Line] = []
        self._styles: dict[str, Style] = {}
        self._selected: str | None = None
        self._painted = (0, False)

    # -- what is shown -------------------------------------------------------------------------

    def show(self, items: list[Item], *, fresh: bool, follow: bool = True) -> None:
        """Show items.

        Args:
            items: all of them.
            fresh: another conversation than before, so from its end.
            follow: stay at the end if it was there.
        """
        if items == self._items and not fresh:
            return
        at_end = fresh or (follow and self.at_end)
        anchor = None if at_end or not self._lines else self._anchor()
        if fresh:
            self._selected = None
        self._items = items
        self._repaint()
        if anchor is not None:
            self._return_to(*anchor)
        else:
            self.to_end()

    @property
    def at_end(self) -> bool:
        """Whether the newest line is visible."""
        return self.scroll_offset.y >= self.max_scroll_y

    def to_end(self) -> None:
        """Scroll to the newest item."""
        self.scroll_end(animate=False, immediate=True, x_axis=False, force=True)

    def turn(self, pages: int) -> None:
        """Scroll by pages that overlap, as one reads; ask for more where there is nowhere to go."""
        if pages < 0 and self.scroll_offset.y == 0:
            self.post_message(self.OlderWanted())
        elif pages > 0 and self.at_end:
            self.post_message(self.EndReached())
        lines = max(self.size.height - _OVERLAP_LINES, 1) * pages
        self.scroll_relative(y=lines, animate=False, immediate=True)

    def action_turn(self, pages: int) -> None:
        """Scroll by pages."""
        self.turn(pages)

    @property
    def selected(self) -> Message | None:
        """Return the message under the cursor."""
        for item in self._items:
            if isinstance(item, Message) and item.key == self._selected:
                return item
        return None

    def deselect(self) -> None:
        """Take the cursor away."""
        self._selected = None
        self.refresh()

    def _anchor(self) -> tuple[str, int]:
        """Return which item is on top, and how many of its lines are above the top.

        Not a separator: those move when older items come.
        """
        top = min(self.scroll_offset.y, len(self._lines) - 1)
        index = self._lines[top].item
        while index < len(self._items) - 1 and isinstance(self._items[index], Day | Unread):
            index += 1
        return self._items[index].key, top - self._first_line(index)

    def _first_line(self, index: int) -> int:
        return next(y for y, line in enumerate(self._lines) if line.item == index)

    def _return_to(self, key: str, below: int) -> None:
        for index, item in enumerate(self._items):
            if item.key == key:
                y = self._first_line(index) + below
                self.scroll_to(y=y, animate=False, immediate=True, force=True)
                return

    # -- painting ------------------------------------------------------------------------------

    def _repaint(self) -> None:
        width = self.scrollable_content_region.width
        self._painted = (width, self.size.height >= _AIRY_LINES)
        self._styles = {
            part: self.get_visual_style(f"timeline--{part}", partial=True) for part in _PARTS
        }
        page = Page(width, self.size.height >= _AIRY_LINES, self._clock().astimezone().date())
        self._lines = Painter(self._styles.__getitem__, page).lines(self._items)
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def on_mount(self) -> None:
        """Follow the theme: lines are painted in its colours."""
        super().on_mount()  # type: ignore[no-untyped-call]
        self.app.theme_changed_signal.subscribe(self, self._recolour)

    def _recolour(self, _theme: Theme) -> None:
        self.call_after_refresh(self._repaint)

    def on_resize(self, _event: events.Resize) -> None:
        """Wrap anew, and stay where one was."""
        shape = (self.scrollable_content_region.width, self.size.height >= _AIRY_LINES)
        if not self._items or shape == self._painted:
            return
        at_end = self.at_end
        anchor = self._anchor() if self._lines else None
        self._repaint()
        if at_end or anchor is None:
            self.call_after_refresh(self.to_end)
        else:
            self._return_to(*anchor)

    def render_line(self, y: int) -> Strip:
        """Return line ``y`` of what is visible."""
        width = self.size.width
        base = self.visual_style
        row = y + self.scroll_offset.y
        if row >= len(self._lines):
            return Strip.blank(width, base.rich_style)
        index, content = self._lines[row]
        if self._selected is not None and self._items[index].key == self._selected:
            cursor = self.get_visual_style("timeline--cursor")
            base += Style(background=cursor.background)
        content = self._with_selection(content, row)
        strip = Strip(content.render_segments(base), content.cell_length)
        return strip.crop_extend(0, width, base.rich_style).apply_offsets(0, row)

    def _with_selection(self, content: Content, row: int) -> Content:
        selection = self.text_selection
        span = None if selection is None else selection.get_span(row)
        if span is None:
            return content
        start, end = span
        end = len(content) if end == -1 else end
        return content.stylize(self.screen.get_visual_style("screen--selection"), start, end)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text without the bars at its left."""
        text = "\n".join(line.content.plain for line in self._lines)
        lines = selection.extract(text).split("\n")
        return "\n".join(line.removeprefix("▎ ").rstrip() for line in lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Show what is selected."""
        del selection
        self.refresh()

    # -- moving --------------------------------------------------------------------------------

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for older entries near the top, and tell when the end is reached."""
        super().watch_scroll_y(old_value, new_value)
        if not self._items:
            return
        if new_value < old_value and new_value <= _OLDER_LINES:
            self.post_message(self.OlderWanted())
        elif new_value > old_value and self.at_end:
            self.post_message(self.EndReached())

    def action_select(self, step: int) -> None:
        """Move the cursor to the next message up or down."""
        keys = [item.key for item in self._items if isinstance(item, Message)]
        if not keys:
            return
        if self._selected in keys:
            at = max(0, min(keys.index(self._selected) + step, len(keys) - 1))
        else:
            at = len(keys) - 1
        self._select(keys[at])
        if at == 0 and step < 0:
            self.post_message(self.OlderWanted())

    def _select(self, key: str) -> None:
        self._selected = key
        rows = [y for y, line in enumerate(self._lines) if self._items[line.item].key == key]
        if rows and rows[0] < self.scroll_offset.y:
            self.scroll_to(y=rows[0], animate=False, immediate=True)
        elif rows and rows[-1] >= self.scroll_offset.y + self.size.height:
            self.scroll_to(y=rows[-1] - self.size.height + 1, animate=False, immediate=True)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor onto the message that was clicked."""
        row = event.y + self.scroll_offset.y
        if row < len(self._lines):
            item = self._items[self._lines[row].item]
            if isinstance(item, Message):
                self._select(item.key)

    def action_open(self) -> None:
        """Show the selected message whole."""
        if self.selected is not None:
            self.post_message(self.Opened(self.selected))

    def action_copy(self) -> None:
        """Copy what was selected with the mouse, else the message under the cursor."""
        if self.screen.get_selected_text():
            self.screen.action_copy_text()
        elif self.selected is not None:
            self.post_message(self.Copied(self.selected))

"""The input: as many lines as one writes, Enter sends."""

from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message as Posted
from textual.widgets import TextArea

_NEWLINES: Final = frozenset({"ctrl+j", "shift+enter", "alt+enter"})


class Composer(TextArea):
    """Takes text; what is pasted keeps its lines and is not sent by itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "scroll_timeline(-1)", "Scroll up", show=False),
        Binding("pagedown", "scroll_timeline(1)", "Scroll down", show=False),
    ]

    class Submitted(Posted):
        """A text is to be sent, or a command to be carried out."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Scrolled(Posted):
        """The timeline is to be scrolled by so many pages."""

        def __init__(self, pages: int) -> None:
            super().__init__()
            self.pages = pages

    class LeftUpwards(Posted):
        """The cursor left the empty input upwards."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id, compact=True, highlight_cursor_line=False, tab_behavior="focus")

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.submit()
        elif event.key in _NEWLINES:
            event.stop()
            event.prevent_default()
            self.insert("\n")
            self.scroll_cursor_visible()
        elif event.key == "up" and not self.text:
            event.stop()
            event.prevent_default()
            self.post_message(self.LeftUpwards())
        else:
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        """Insert what was pasted, whatever its line ends are."""
        event.stop()
        event.prevent_default()
        self.insert(event.text.replace("\r\n", "\n").replace("\r", "\n"))
        self.scroll_cursor_visible()

    def submit(self) -> None:
        """Send what was written."""
        text = self.text.strip("\n")
        if text.strip():
            self.post_message(self.Submitted(text))
            self.clear()

    def action_scroll_timeline(self, pages: int) -> None:
        """Scroll what one answers to."""
        self.post_message(self.Scrolled(pages))

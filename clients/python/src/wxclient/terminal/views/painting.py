"""Items of a timeline as lines of styled text of a given width.

Foreign text is always given as plain ``Content``: textual's markup is never interpreted in it.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Final, NamedTuple

from textual.content import Content
from textual.style import Style

from wxclient.terminal.model.items import (
    Day,
    Happening,
    Hole,
    Item,
    Message,
    Note,
    Progress,
    Unread,
)

GUTTER: Final = "▎ "
SENDERS: Final = 6
"""Colours among which those of senders are chosen."""
_WIDTH_MIN: Final = 10
_MARKS: Final = {
    Progress.OTHERS: "",
    Progress.SENDING: " ◌",
    Progress.ACCEPTED: " ✓",
    Progress.REFUSED: " ✗",
}

Styles = Callable[[str], Style]
"""Gives the style of a part: "day", "happening", "own", "sender-3" …"""


class Line(NamedTuple):
    """One line, and the number of the item it belongs to."""

    item: int
    content: Content


class Page(NamedTuple):
    """On what is drawn.

    Attributes:
        width: cells of a line.
        airy: whether there is room for empty lines.
        today: for "Today" and "Yesterday".
    """

    width: int
    airy: bool
    today: date


class Painter:
    """Makes lines of items.

    Args:
        styles: of the parts.
        page: on what they are drawn.
    """

    def __init__(self, styles: Styles, page: Page) -> None:
        self._styles = styles
        self._width = max(page.width, _WIDTH_MIN)
        self._airy = page.airy
        self._today = page.today

    def lines(self, items: list[Item]) -> list[Line]:
        """Return all lines, top to bottom."""
        lines: list[Line] = []
        before: Item | None = None
        for index, item in enumerate(items):
            if self._airy and _begins(item, before):
                lines.append(Line(index, Content("")))
            lines.extend(Line(index, content) for content in self._paint(item))
            before = item
        return lines

    def _paint(self, item: Item) -> Iterator[Content]:
        match item:
            case Day(_, day):
                yield self._rule(day_words(day, self._today), "day")
            case Unread():
                yield self._rule("new", "unread")
            case Happening(_, time, words):
                yield from self._wrapped(f"{time:%H:%M}  {words}", "happening")
            case Hole(_, words):
                yield from self._wrapped(f"··· {words}", "hole")
            case Note(_, _, _, title, text):
                yield from self._note(title, text)
            case Message():
                yield from self._message(item)

    def _rule(self, words: str, part: str) -> Content:
        """Return words in the middle of a horizontal line."""
        room = max(self._width - len(words) - 2, 0)
        left = room // 2
        return self._styled(f"{'─' * left} {words} {'─' * (room - left)}", part)

    def _wrapped(self, text: str, part: str) -> Iterator[Content]:
        for line in self._styled(text, part).wrap(self._width - len(GUTTER)):
            yield Content("  ") + line

    def _note(self, title: str, text: str) -> Iterator[Content]:
        gutter = self._styled(GUTTER, "note-bar")
        yield gutter + self._styled(title, "note-title")
        for line in self._styled(text, "note").wrap(self._width - len(GUTTER)):
            yield gutter + line

    def _message(self, item: Message) -> Iterator[Content]:
        own = item.progress is not Progress.OTHERS
        part = "own" if own else f"sender-{sum(item.account) % SENDERS}"
        gutter = self._styled(GUTTER, part)
        if item.headed:
            head = self._styled(f"{item.name}", part)
            yield gutter + head + self._styled(f"  {item.time:%H:%M}", "time")
        for line in self._text(item).wrap(self._width - len(GUTTER)):
            yield gutter + line
        if item.hidden_chars:
            more = f"… {item.hidden_chars:,} more characters: select it and press Enter"
            yield gutter + self._styled(more, "hole")
        if item.why:
            yield gutter + self._styled(f"not sent: {item.why}  (/retry or /discard)", "refused")

    def _text(self, item: Message) -> Content:
        body = self._styled(item.text, "text" if item.plain else "hole")
        if item.progress is Progress.SENDING:
            body = self._styled(item.text, "sending")
        mark = "refused" if item.progress is Progress.REFUSED else "mark"
        return body + self._styled(_MARKS[item.progress], mark)

    def _styled(self, text: str, part: str) -> Content:
        return Content.styled(text, self._styles(part))


def _begins(item: Item, before: Item | None) -> bool:
    """Whether an item begins a paragraph."""
    if before is None or isinstance(before, Day | Unread):
        return False
    if isinstance(item, Message):
        return item.headed
    return type(item) is not type(before) or isinstance(item, Note)


def day_words(day: date, today: date) -> str:
    """Return a day for a person who knows what day it is."""
    days = (today - day).days
    if days == 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    year = f" {day.year}" if day.year != today.year else ""
    return f"{day:%A}, {day.day} {day:%B}{year}"

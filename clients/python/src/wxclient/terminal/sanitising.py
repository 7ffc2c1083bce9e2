"""Text of others, made fit for a terminal: nothing in it is ever interpreted.

Control characters would move the cursor, change colours, set the clipboard or answer back as
keystrokes; bidirectional overrides and invisible characters would show another text than the one
that was sent; a heap of combining marks would cover the lines around it. Controls become visible
pictures of themselves, the rest is left away.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from .limits import SHOWN_CHARS_MAX, SHOWN_LINES_MAX

MARKS_MAX: Final = 4
"""Combining marks on one character; no language needs more."""
TAB: Final = "    "
REPLACEMENT: Final = "\ufffd"
_LINE_ENDS: Final = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_PICTURES: Final = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_INVISIBLE: Final = (
    0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0,
    *range(0x200B, 0x200C), *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070),
    *range(0xFFF0, 0xFFFC), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
)  # fmt: skip
"""Characters that show nothing, or turn the direction of others; joiners in emoji may stay."""
_TABLE: Final[dict[int, str | None]] = {
    **_PICTURES,
    **dict.fromkeys(range(0x80, 0xA0), REPLACEMENT),
    **dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT),
    **dict.fromkeys(_INVISIBLE, None),
    ord("\t"): TAB,
    ord("\n"): "\n",
}


class Shortened(NamedTuple):
    """A text for the timeline, and how many characters of it were left away."""

    text: str
    hidden_chars: int


def clean_text(text: str) -> str:
    """Return a text of several lines that is safe to show."""
    plain = _LINE_ENDS.sub("\n", text).translate(_TABLE)
    return plain if plain.isascii() else _thin_marks(plain)


def clean_line(text: str, chars_max: int) -> str:
    """Return a text of one line that is safe to show, as a name or a title is.

    Args:
        text: of anybody.
        chars_max: more is cut off, and shown as cut off.
    """
    line = " ".join(clean_text(text[: chars_max * 4]).split())
    return line if len(line) <= chars_max else line[: chars_max - 1].rstrip() + "…"


def shorten(text: str) -> Shortened:
    """Return as much of a clean text as one message may take of the timeline."""
    lines = text[:SHOWN_CHARS_MAX].split("\n", SHOWN_LINES_MAX)
    shown = "\n".join(lines[:SHOWN_LINES_MAX])
    return Shortened(shown, len(text) - len(shown))


def _thin_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if marks <= MARKS_MAX:
            kept.append(char)
    return "".join(kept)

"""Nothing that others write is interpreted by the terminal, nor by textual."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from wxclient.terminal.limits import SHOWN_CHARS_MAX, SHOWN_LINES_MAX
from wxclient.terminal.sanitising import MARKS_MAX, clean_line, clean_text, shorten

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "Me"]),
        st.sampled_from("\x1b\x9b\x07[]\\;mHJ0123?\u202e\u200d\r\n"),
    )
)


def is_harmless(char: str) -> bool:
    category = unicodedata.category(char)
    joiner = char in "\u200c\u200d"
    return joiner or char == "\n" or category not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(HOSTILE)
def test_text_of_anything_has_no_character_that_acts(text: str) -> None:
    clean = clean_text(text)
    assert all(map(is_harmless, clean)), ascii(clean)
    assert clean_text(clean) == clean
    clean.encode()


@given(HOSTILE, st.integers(1, 70))
def test_line_of_anything_is_one_short_line(text: str, chars_max: int) -> None:
    line = clean_line(text, chars_max)
    assert "\n" not in line
    assert len(line) <= chars_max
    assert all(map(is_harmless, line))


@given(HOSTILE)
def test_rendered_text_of_anything_has_no_escape(text: str) -> None:
    rendered = "".join(one.text for one in Content(clean_text(text)).render_segments())
    assert not {char for char in rendered if unicodedata.category(char) == "Cc"} - {"\n"}
    assert rendered == clean_text(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_text_that_is_harmless_stays(text: str) -> None:
    if not any(ord(char) in {0x115F, 0x1160, 0x3164, 0xFFA0} for char in text):
        assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x9b31m", "\ufffd31m"),
        ("a\x00b\x7f", "a␀b␡"),
        ("one\r\ntwo\rthree\u2028four\x85five", "one\ntwo\nthree\nfour\nfive"),
        ("a\tb", "a    b"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\u200bb\ufeff", "ab"),
        ("👩\u200d🚀 ❤\ufe0f", "👩\u200d🚀 ❤\ufe0f"),
        ("[bold]no[/bold]", "[bold]no[/bold]"),
        ("z" + "\u0300" * 50, "z" + "\u0300" * MARKS_MAX),
    ],
)
def test_text_is_shown_as_what_it_is(text: str, shown: str) -> None:
    assert clean_text(text) == shown


def test_line_that_is_cut_says_so() -> None:
    assert clean_line("a  name\nof two lines", 10) == "a name of…"


def test_text_that_is_long_is_shortened_and_counted() -> None:
    assert shorten("short") == ("short", 0)
    assert shorten("x" * (SHOWN_CHARS_MAX + 5)) == ("x" * SHOWN_CHARS_MAX, 5)
    text, hidden_chars = shorten("\n" * (SHOWN_LINES_MAX + 9))
    assert text.count("\n") == SHOWN_LINES_MAX - 1
    assert hidden_chars == 10

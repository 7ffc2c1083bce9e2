"""Bodies of messages: what is not known is kept apart, and nothing fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxclient._protocol.packing import pack
from wxclient.terminal.bodies import Text, Title, Unknown, read_body, write_text, write_title

UTF8 = st.text(st.characters(exclude_categories=["Cs"]))


@given(UTF8)
def test_body_written_and_read_is_the_same(text: str) -> None:
    assert read_body(write_text(text)) == Text(text)
    assert read_body(write_title(text)) == Title(text)


@given(st.binary(max_size=200))
def test_body_of_any_bytes_is_read(data: bytes) -> None:
    assert isinstance(read_body(data), Text | Title | Unknown)


def test_body_as_documented() -> None:
    assert write_text("hé") == bytes.fromhex("930101a368c3a9")
    assert write_title("b") == bytes.fromhex("930102a162")


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ((1, 1, "a", "later", 5), Text("a")),
        ((1, 7, b""), Unknown(1, 7)),
        ((2, 1, "a"), Unknown(2, 1)),
        ((1, 1, b"bytes"), Unknown(1, 1)),
        ((True, True, "a"), Unknown(1, 1)),
        ((-1, 1), Unknown(0, 0)),
        (("a",), Unknown(0, 0)),
        ((), Unknown(0, 0)),
    ],
)
def test_body_of_another_version_is_unknown(row: tuple[object, ...], read: object) -> None:
    assert read_body(pack(row)) == read


def test_body_of_text_that_utf8_cannot_hold_is_replaced() -> None:
    assert read_body(write_text("a\ud800b")) == Text("a?b")

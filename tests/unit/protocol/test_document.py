"""The specification: its examples can be read, its names and numbers are those of the code."""

import re

import pytest

from tests.unit.protocol.reader import VECTORS, frames
from tools.generators.vectors import wire_name
from wxserve.protocol import limits
from wxserve.protocol.codec import BY_NUMBER
from wxserve.protocol.envelope import ConversationKind, Kind
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.frames import CURRENT, SILENT, SKIPPABLE, TYPES, URGENT, Frame
from wxserve.protocol.schema import EXTRA_FIELDS_MAX
from wxserve.protocol.states import ANSWERS, REQUESTS
from wxserve.protocol.transcript import LABEL, NO_BINDING, Transcript

TEXT = (VECTORS.parent / "protocol.md").read_text(encoding="utf-8")
PROSE = re.sub(r"<!-- generated: \w+ -->.*?<!-- end -->", "", TEXT, flags=re.DOTALL)
FRAMES = {wire_name(kind.frame): kind for kind in BY_NUMBER.values()}
WORDS = {
    "MUST",
    "NOT",
    "SHOULD",
    "MAY",
    "RFC",
    "HOST",
    "PORT",
    "CODE",
    "PIN",
    "CLOSED",
    "MLS",
    "SNI",
}
WORDS |= {"TLS", "ALPN", "TCP", "UTC", "URI", "SHA", "DER", "SPKI", "ASCII", "UTF", "CURRENT"}
WORDS |= {"SILENT", "URGENT", "README"}


def spoken(words: str) -> type[Frame]:
    return FRAMES[words].frame


def test_examples_in_hex_are_frames() -> None:
    shown = []
    for block in re.findall(r"```hex\n(.*?)```", TEXT, re.DOTALL):
        data = bytes.fromhex(block)
        for number, stream, flags, fields in frames(data):
            kind = BY_NUMBER[number]
            assert len(fields) == kind.schema.size
            assert flags == 0
            shown.append((wire_name(kind.frame), stream))
    assert shown == [
        ("PING", 0),
        ("DONE", 7),
        ("SYNC", 1),
        ("CHANGES", 1),
        ("DELIVER", 0),
        ("ACK", 0),
    ]


def test_names_in_capitals_are_frames_errors_or_kinds() -> None:
    known = {*FRAMES, *ErrorCode.__members__, *Kind.__members__, *WORDS}
    named = set(re.findall(r"\b[A-Z][A-Z_]{2,}\b", PROSE))
    assert named - known == set()
    assert set(FRAMES) <= named


def test_links_inside_the_document_have_their_targets() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    links = re.findall(r"\]\(#([a-z-]+)\)", TEXT)
    assert len(links) > 20
    assert set(links) <= anchors


def test_table_of_answers_names_every_request_and_every_answer() -> None:
    section = PROSE.split("| request | answers | final |")[1].split("\n\n")[0]
    rows = [row.split("|")[1:4] for row in section.strip().splitlines()[1:]]
    requests = {spoken(name) for row in rows for name in re.findall(r"\b[A-Z_]{3,}\b", row[0])}
    answers = {name for row in rows for name in re.findall(r"\b[A-Z_]{3,}\b", row[1])}
    assert requests == REQUESTS
    assert {wire_name(frame) for frame in ANSWERS} <= answers


@pytest.mark.parametrize(
    "phrase",
    [
        f"at most {limits.ENVELOPE_BYTES_MAX:,} bytes",
        f"at most {EXTRA_FIELDS_MAX} of them",
        f"more than {limits.ACK_CURSORS_MAX:,} elements",
        f"up to {limits.SKIPPABLE_BYTES_MAX:,} bytes",
        f"Types 0x{SKIPPABLE.start:04X} … 0x{SKIPPABLE.stop - 1:04X} are *skippable*",
        f"at most {limits.GROUP_ACCOUNTS_MAX:,} members",
        f"| 0x{CURRENT:02x} | CURRENT | ACCEPTED |",
        f"| 0x{SILENT:02x} | SILENT |",
        f"| 0x{URGENT:02x} | URGENT |",
        f"`{LABEL[:-1].decode()}` and a zero byte",
        *(f"| {int(kind)} | {kind.name} |" for kind in Kind if kind >= Kind.CREATED),
        *(f"{int(kind)} {kind.name.lower()}" for kind in ConversationKind),
    ],
)
def test_number_in_the_text_is_that_of_the_code(phrase: str) -> None:
    assert phrase in PROSE or phrase in PROSE.replace("| ", "")


def test_signed_bytes_are_as_many_as_the_text_says() -> None:
    transcript = Transcript()
    transcript.hello(b"")
    transcript.challenge(b"")
    size = len(transcript.to_sign(NO_BINDING, b""))
    table = PROSE.split("over exactly these")[1].split("So nothing")[0]
    assert f"{size} bytes:" in table
    assert sum(int(part) for part in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)) == size


def test_reference_has_every_frame_once() -> None:
    headings = re.findall(r"^#### (\w+) · 0x([0-9a-f]{4})$", TEXT, re.MULTILINE)
    numbers = {wire_name(frame): number for frame, (number, _) in TYPES.items()}
    assert [(name, int(number, 16)) for name, number in headings] == list(numbers.items())

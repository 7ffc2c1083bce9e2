"""The table of who may do what, as it is written in table.txt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tools.generators.vectors import wire_name
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.states import TRANSITIONS, Role

PATH: Final = Path(__file__).with_name("table.txt")
REFUSALS: Final = {
    ErrorCode.FORBIDDEN: "no",
    ErrorCode.KIND_NOT_ALLOWED: "kind",
    ErrorCode.CONVERSATION_CLOSED: "closed",
    ErrorCode.ENTRY_GONE: "gone",
    ErrorCode.OWNER_MUST_TRANSFER: "owner",
}
WORDS: Final = {"ok", "end", "drop", ".", *REFUSALS.values()}


class Cell(NamedTuple):
    """One actor, one thing it tries, and what must come of it."""

    relation: str
    verb: str
    actor: str
    outcome: str


def cells(text: str) -> Iterator[Cell]:
    """Yield every cell of a table.

    Raises:
        ValueError: a line has another number of cells than its heading, or an unknown word.
    """
    relation, actors = "", list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0].startswith("["):
            relation, actors = words[0].strip("[]"), words[1:]
            continue
        verb, outcomes = " ".join(words[: -len(actors)]), words[-len(actors) :]
        if not verb or not set(outcomes) <= WORDS:
            raise ValueError(f"line {number}: {line}")
        for actor, outcome in zip(actors, outcomes, strict=True):
            yield Cell(relation, verb, actor, outcome)


CLIENT_FRAMES: Final = {
    wire_name(frame): frame for _, sender, frame in TRANSITIONS if sender is Role.CLIENT
}
"""Every frame that a client may ever send."""


def frame_name(verb: str) -> str:
    """Return the frame of a verb: SET_ROLE of "SET_ROLE other member"."""
    return verb.replace(",", " ").split()[0]


def missing(table: list[Cell]) -> list[str]:
    """Return what has no row: frames nowhere, and those about a conversation in some relation."""
    about = {name for name, frame in CLIENT_FRAMES.items() if "conversation" in frame._fields}
    about |= {"SEND", "ACK", "SYNC", "LIST_CONVERSATIONS"}
    relations = dict.fromkeys(cell.relation for cell in table)
    rows = {(cell.relation, frame_name(cell.verb)) for cell in table}
    found = [f"{name} in [{one}]" for one in relations if one != "account" for name in about
             if (one, name) not in rows]  # fmt: skip
    named = {name for _, name in rows}
    return sorted(found + [name for name in CLIENT_FRAMES if name not in named])

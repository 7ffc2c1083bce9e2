"""The generated parts of docs/protocol.md, and the same as data in docs/vectors/schema.json."""

import re
from collections.abc import Callable
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

from wxserve.protocol import limits
from wxserve.protocol.codec import BY_NUMBER, FrameType
from wxserve.protocol.credentials import DeviceKey, Enrolment
from wxserve.protocol.envelope import Envelope
from wxserve.protocol.fields import Many
from wxserve.protocol.frames import CURRENT, SILENT, SKIPPABLE, TYPES, URGENT, Error
from wxserve.protocol.schema import Record, Schema
from wxserve.protocol.states import EITHER, TRANSITIONS, Role, State, stream_rule

from .errors import ROOT, read_errors
from .notation import document
from .vectors import senders, wire_name

DOCUMENT: Final = ROOT / "docs/protocol.md"
_PART: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_GROUPS: Final = {
    "Session": range(0x0001, 0x0020),
    "Entries": range(0x0020, 0x0030),
    "Registers and ephemeral frames": range(0x0030, 0x0040),
    "Conversations": range(0x0040, 0x0050),
    "Devices": range(0x0050, 0x0060),
}
_PERMITTED: Final = {True: "≠ 0", False: "0", None: "any"}


def explained(row_class: type[tuple[Any, ...]]) -> tuple[str, dict[str, str]]:
    """Return the summary of a class and what each of its fields means.

    Raises:
        SystemExit: a field has no meaning.
    """
    summary, _, rest = cleandoc(row_class.__doc__ or "").partition("\n")
    lines = re.sub(r"\n {5,}", " ", rest.replace("Attributes:", "")).splitlines()
    meanings = dict(line.strip().split(": ", 1) for line in lines if ": " in line)
    missing = [name for name, _ in Schema(row_class).fields if name not in meanings]
    if missing:
        raise SystemExit(f"{row_class.__name__}: the docstring does not explain {missing}")
    return summary, meanings


def _fields(row_class: type[tuple[Any, ...]]) -> str:
    """Return the table of the fields of a row."""
    _, meanings = explained(row_class)
    lines = ["| field | type | meaning |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {kind.describe()} | {meanings[name]} |"
        for name, kind in Schema(row_class).fields
    ]
    return "\n".join(lines) + "\n"


def _records(row_class: type[tuple[Any, ...]]) -> str:
    """Return the tables of the named rows inside a row."""
    text = ""
    for _, kind in Schema(row_class).fields:
        if isinstance(kind, Many) and isinstance(kind.item, Record):
            inner = kind.item.row_class
            text += f"\n`{inner.__name__}`: {explained(inner)[0]}\n\n{_fields(inner)}"
    return text


def _frame(kind: FrameType) -> str:
    summary, _ = explained(kind.frame)
    ways = [f"{role.value} → {role.peer.value}" for role in senders(kind.frame)]
    rules = {_PERMITTED[stream_rule(role, kind.frame)] for role in senders(kind.frame)}
    size = f"body ≤ {kind.body_bytes_max:,} bytes" if kind.body_bytes_max else "no body"
    text = f"#### {wire_name(kind.frame)} · {kind.number:#06x}\n\n"
    text += f"{', '.join(ways)} · stream {' or '.join(sorted(rules))} · {size}\n\n{summary}\n"
    return text + ("\n" + _fields(kind.frame) if kind.schema.fields else "")


def frames_part() -> str:
    """Return the reference of all frames."""
    text = ""
    shown: set[str] = set()
    for group, numbers in _GROUPS.items():
        text += f"### {group}\n\n"
        for number, kind in BY_NUMBER.items():
            if number in numbers:
                text += _frame(kind)
                records = _records(kind.frame)
                text += (records if records not in shown else "") + "\n"
                shown.add(records)
    return text


def states_part() -> str:
    """Return the table of states."""
    lines = ["| state | client may send | server may send |", "|---|---|---|"]
    for state in State:
        cells = [
            ", ".join(
                wire_name(frame) + _after(state, TRANSITIONS[state, role, frame], frame)
                for frame in TYPES
                if (state, role, frame) in TRANSITIONS
            )
            for role in Role
        ]
        lines.append(f"| {state.name} | {cells[0] or '–'} | {cells[1] or '–'} |")
    return "\n".join(lines) + "\n"


def _after(state: State, after: State, frame: type) -> str:
    if frame is Error and state is State.OPEN:
        return " (on stream 0 → CLOSED)"
    return "" if after is state else f" → {after.name}"


def errors_part() -> str:
    """Return the table of errors."""
    lines = ["| code | name | family | temporary | meaning | what a client does |"]
    lines.append("|---|---|---|---|---|---|")
    lines += [
        f"| {row.number} | `{row.name}` | {row.family} | {'yes' if row.temporary else 'no'} "
        f"| {row.means} | {row.client} |"
        for row in read_errors()
    ]
    return "\n".join(lines) + "\n"


def limits_part() -> str:
    """Return the table of sizes and counts, with the text under each constant."""
    source = Path(limits.__file__).read_text(encoding="utf-8")
    found = re.findall(r'^(\w+): Final = .*\n"""(.*?)"""', source, re.MULTILINE)
    lines = ["| name | value | what |", "|---|---|---|"]
    lines += [f"| `{name}` | {getattr(limits, name):,} | {text} |" for name, text in found]
    return "\n".join(lines) + "\n"


def protocol_document() -> str:
    """Return docs/protocol.md with its generated parts renewed.

    Raises:
        SystemExit: a part has no place in the document.
    """
    parts: dict[str, Callable[[], str]] = {
        "frames": frames_part,
        "states": states_part,
        "errors": errors_part,
        "limits": limits_part,
        "envelope": lambda: _fields(Envelope),
        "credentials": lambda: f"{_fields(DeviceKey)}\n{_fields(Enrolment)}",
    }
    text = DOCUMENT.read_text(encoding="utf-8")
    places = [name for _, name, _ in _PART.findall(text)]
    if sorted(places) != sorted(parts):
        raise SystemExit(f"docs/protocol.md: parts {places}, not {list(parts)}")
    return _PART.sub(lambda found: found[1] + parts[found[2]]() + found[3], text)


def schema_document() -> str:
    """Return the frames, states and errors as data."""
    frames = [
        {
            "name": wire_name(kind.frame),
            "type": number,
            "senders": [role.value for role in senders(kind.frame)],
            "stream": {role.value: _stream(role, kind) for role in senders(kind.frame)},
            "body_bytes_max": kind.body_bytes_max,
            "fields": _columns(kind.frame),
        }
        for number, kind in BY_NUMBER.items()
    ]
    records = {
        kind.item.row_class.__name__: _columns(kind.item.row_class)
        for known in BY_NUMBER.values()
        for _, kind in known.schema.fields
        if isinstance(kind, Many) and isinstance(kind.item, Record)
    }
    return document(
        "Frames, rows inside them, legal order, errors and flags; made from the code.",
        frames=frames,
        rows=[{"name": name, "fields": fields} for name, fields in records.items()],
        envelope=_columns(Envelope),
        transitions=[
            {
                "state": state.value,
                "sender": role.value,
                "frame": wire_name(frame),
                "after": after.value,
            }
            for (state, role, frame), after in sorted(
                TRANSITIONS.items(),
                key=lambda one: (one[0][0].name, one[0][1].name, TYPES[one[0][2]]),
            )
        ],
        errors=[
            {"code": row.number, "name": row.name, "family": row.family, "temporary": row.temporary}
            for row in read_errors()
        ],
        flags=[
            {"name": "CURRENT", "bit": CURRENT},
            {"name": "SILENT", "bit": SILENT},
            {"name": "URGENT", "bit": URGENT},
        ],
        skippable=[{"first": SKIPPABLE.start, "last": SKIPPABLE.stop - 1}],
    )


def _stream(role: Role, kind: FrameType) -> str:
    if role is Role.SERVER and kind.frame in EITHER:
        return "either"
    return "nonzero" if stream_rule(role, kind.frame) else "zero"


def _columns(row_class: type[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [{"name": name, "type": kind.describe()} for name, kind in Schema(row_class).fields]


def files() -> dict[Path, str]:
    """Return the document and the schema."""
    return {DOCUMENT: protocol_document(), ROOT / "docs/vectors/schema.json": schema_document()}

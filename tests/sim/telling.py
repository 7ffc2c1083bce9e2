"""Tells a run to a person: its trace, what was broken on purpose, and what should not have been."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.sim import reading as r
from tests.sim.reading import Frame
from tests.sim.world import Event, Result

LINES_SHOWN = 40
"""Last events shown with a failure."""
SHORT = 6
"""Digits shown of an identifier."""


def digest(trace: list[Event]) -> str:
    """Return what two equal traces have in common, and no others."""
    return hashlib.sha256(repr(trace).encode()).hexdigest()[:32]


def replay(seed: int) -> str:
    """Return the command that runs a seed again."""
    return f"make sim SEED={seed}"


def lines(trace: list[Event]) -> Iterator[str]:
    """Yield a trace, one event a line."""
    for event in trace:
        now_s, *rest = event
        if isinstance(rest[-1], Frame):
            number, way, frame = rest
            yield f"{now_s:10.4f}  #{number} {way} {_frame(frame)}"
        else:
            yield f"{now_s:10.4f}  {' '.join(map(str, rest))}"


def _frame(frame: Frame) -> str:
    stream = f" on {frame.stream}" if frame.stream else ""
    current = " CURRENT" if frame.type == r.ACCEPTED and frame.flags & r.CURRENT else ""
    if frame.type == r.SEND:
        envelope = r.read_envelope(frame.body[0])
        return f"SEND {_value(envelope.op)} {len(frame.body[0])} bytes{stream}"
    return f"{frame.name}{current} {' '.join(map(_value, frame.body))}{stream}".rstrip()


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        if len(value) == 16 and value[8:13] == bytes(5):
            return f"op:{value[:3].hex()}/{int.from_bytes(value[8:], 'big')}"
        return value[: SHORT // 2].hex() if len(value) <= 24 else f"[{len(value)} bytes]"
    if isinstance(value, tuple):
        return f"({' '.join(map(_value, value))})"
    return str(value)


def failure(result: Result) -> str:
    """Return what is wrong with a run, and how to see it again."""
    tail = list(lines(result.trace))[-LINES_SHOWN:]
    return "\n".join([
        f"seed {result.seed}: {len(result.faults)} broken promises; {replay(result.seed)}",
        *tail,
        *(f"BROKEN: {fault}" for fault in result.faults[:10]),
    ])


def table(title: str, counts: Counter[str]) -> str:
    """Return counts, one a line, the largest first."""
    rows = [f"  {count:>9,}  {name}" for name, count in counts.most_common()]
    return "\n".join([title, *rows])

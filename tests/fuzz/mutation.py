"""A plain mutating fuzzer, for every run of the tests and where the guided one cannot be installed."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

INTERESTING: Final = [
    bytes.fromhex(token)
    for token in (
        "00", "7f", "80", "8f", "90", "91", "9f", "a0", "bf", "c0", "c1", "c2", "c3", "c400", "c4ff",
        "c5ffff", "c6ffffffff", "c7ff00", "c700ff", "c9ffffffff00", "ca00000000", "cb7ff0000000000000",
        "ccff", "cdffff", "ceffffffff", "cfffffffffffffffff", "d080", "d18000", "d280000000",
        "d38000000000000000", "d4ff00", "d6ffffffffff", "d7ff0000000000000001", "d9ff", "daffff",
        "dbffffffff", "dcffff", "ddffffffff", "deffff", "dfffffffff", "e0", "ff", "eda080", "f0908d88",
    )
]  # fmt: skip
"""Formats of msgpack at their limits, and text that is none."""
CHANGES_MAX: Final = 4
REPEATED_MAX: Final = 400


def inputs(draw: random.Random, seeds: Sequence[bytes]) -> Iterator[bytes]:
    """Yield inputs without end: seeds, changed in a few places, or grown together."""
    while True:
        data = bytearray(draw.choice(seeds) if seeds else b"")
        if draw.random() < 0.1:
            other = draw.choice(seeds)
            data[draw.randint(0, len(data)) :] = other[draw.randint(0, len(other)) :]
        for _ in range(draw.randint(1, CHANGES_MAX)):
            _change(draw, data)
        yield bytes(data)


def _change(draw: random.Random, data: bytearray) -> None:
    """Change one place."""
    at, kind = draw.randint(0, len(data)), draw.randrange(6)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del data[at : at + draw.randint(1, 8)]
    elif kind == 2:
        data[at:at] = draw.choice(INTERESTING)
    elif kind == 3:
        token = draw.choice(INTERESTING)
        data[at : at + len(token)] = token
    elif kind == 4:
        data[at:at] = draw.choice(INTERESTING) * draw.randint(2, REPEATED_MAX)
    else:
        data[at:at] = draw.randbytes(draw.randint(1, 12))

"""Spans of time as people write them: 30m, 12h, 7d."""

import re
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
SPAN_S_MAX: Final = 10 * 365 * 86_400
"""Ten years; an invite's expiry has 32 bits."""


def parse_duration(text: str) -> int:
    """Read a number with a unit, without spaces.

    Returns:
        Seconds, at least 1.

    Raises:
        ValueError: what is wrong with it, for a person.
    """
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    span_s = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < span_s <= SPAN_S_MAX:
        raise ValueError(f"{text!r} is no span of time such as 30m, 12h or 7d, up to ten years")
    return span_s

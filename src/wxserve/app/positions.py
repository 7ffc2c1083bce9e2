"""Where in a TOML text something stands; the parser of the standard library does not say."""

import re
from typing import Final

_HEADER: Final = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_KEY: Final = re.compile(r"^\s*([^=#\[]+?)\s*=")


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line of a key, or of the innermost thing around it that has a line of its own.

    Args:
        text: valid TOML.
        path: table, then keys, outermost first.

    Returns:
        The line from 1, or 0 if nothing of the path stands at the beginning of a line.
    """
    best_line, best_depth = 0, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            table = _parts(header[1])
            here = table
        else:
            key = _KEY.match(line)
            if key is None:
                continue
            here = table + _parts(key[1])
        if len(here) > best_depth and path[: len(here)] == here:
            best_line, best_depth = number, len(here)
    return best_line


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))

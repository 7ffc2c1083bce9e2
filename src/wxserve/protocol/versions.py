"""Versions of the protocol that this code speaks, and the choice between two lists."""

from typing import Final

MAJOR: Final = 1
MINOR: Final = 0
VERSIONS: Final[tuple[tuple[int, int], ...]] = ((MAJOR, MINOR),)
"""What this code offers in HELLO, as (major, minor)."""


def peer_minor(offered: tuple[tuple[int, int], ...]) -> int | None:
    """Return the peer's minor version within our major, or None if it does not speak it."""
    minors = [minor for major, minor in offered if major == MAJOR]
    return max(minors) if minors else None

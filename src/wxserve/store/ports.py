"""What the rooms take from outside instead of reaching for it: time and randomness."""

from collections.abc import Callable
from typing import Protocol

Entropy = Callable[[int], bytes]
"""Returns so many unpredictable bytes; seeded in simulation."""


class Clock(Protocol):
    """The wall clock, which may jump, and one that never does."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970; nothing is ordered, aged or expired by them."""
        ...

    def elapsed_ms(self) -> int:
        """Return milliseconds since some moment, the same while the process lives."""
        ...

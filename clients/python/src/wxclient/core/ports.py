"""What the core is given from outside, so that a simulator can give something else."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Monotonic seconds; only differences count."""
Entropy = Callable[[int], bytes]
"""So many unpredictable bytes."""

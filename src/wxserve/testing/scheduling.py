"""Equal seeds, equal runs: the one place that touches trio's private scheduling.

Trio runs the tasks that are ready in a random order. It can be told to draw that order from a
generator that can be seeded, but only in private names; ``tests/unit/testing/test_scheduling.py``
fails when a new version of trio has changed them.
"""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, TypeVar

import trio
from trio.abc import Clock

T = TypeVar("T")


def seed_scheduling(seed: int) -> None:
    """Make the next trio run of this thread wake its tasks in an order that a seed determines.

    Args:
        seed: any number.
    """
    internals: Any = trio._core._run  # noqa: SLF001 - there is no public way
    internals._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    internals._r.seed(seed)  # noqa: SLF001


class JumpingClock(Clock):
    """A clock that stands while anybody can run, and then jumps to the next deadline or alarm.

    Trio asks how long to sleep only when nobody can run. Waking a task by the alarm costs a tenth
    of what ``trio.sleep`` does, which ends by a cancellation.

    Attributes:
        alarm_s: when to call ``on_alarm``, once; infinity for never.
        on_alarm: called in the event loop; makes somebody able to run.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self.alarm_s = inf
        self.on_alarm: Callable[[], None] = lambda: None

    def start_clock(self) -> None:
        """See ``trio.abc.Clock``."""

    def current_time(self) -> float:
        """See ``trio.abc.Clock``."""
        return self._now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """See ``trio.abc.Clock``."""
        if self.alarm_s <= deadline:
            deadline, self.alarm_s = self.alarm_s, inf
            if deadline < inf:
                self._now_s = max(self._now_s, deadline)
                self.on_alarm()
                return 0.0
        if deadline == inf:
            return inf
        self._now_s = max(self._now_s, deadline)
        return 0.0


def run_seeded(seed: int, main: Callable[[], Awaitable[T]], clock: JumpingClock | None = None) -> T:
    """Run a trio program on virtual time, in the order that a seed determines.

    The program must not use threads, sockets, clocks or randomness of its own.

    Args:
        seed: of the order in which tasks are woken.
        main: the program.
        clock: the virtual time, if the program needs it; a clock can be used once.
    """
    seed_scheduling(seed)
    return trio.run(main, clock=clock or JumpingClock())

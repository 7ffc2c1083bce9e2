"""What is to happen, and when: calls at points of virtual time, run by one task."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil, inf
from random import Random
from typing import Final

import trio

from .scheduling import JumpingClock

Call = Callable[[], None]
GRID_HZ: Final = 128
"""Calls come at multiples of 1/128 s. So much happens at the same time, in every order; the clock
jumps less often, and a run costs half. A power of two, so that sums of times are exact."""
GIVE_WAY: Final = 0.3
"""How often other tasks may run between two calls of the same time."""


class Agenda:
    """Calls in the order of their times; what is due at the same time comes in a drawn order.

    Args:
        random: draws.
        clock: of the run that the agenda belongs to.
    """

    def __init__(self, random: Random, clock: JumpingClock) -> None:
        self._random = random
        self._clock = clock
        self._calls: list[tuple[float, float, int, Call]] = []
        self._count = 0
        self._asleep: trio.lowlevel.Task | None = None
        clock.on_alarm = self._wake

    def after(self, delay_s: float, call: Call) -> None:
        """Call a function after a delay; it must not wait."""
        self.at(self._clock.current_time() + delay_s, call)

    def at(self, when_s: float, call: Call) -> None:
        """Call a function at a time of the virtual clock, or as soon as possible after it."""
        self._count += 1
        when_s = ceil(when_s * GRID_HZ) / GRID_HZ
        heappush(self._calls, (when_s, self._random.random(), self._count, call))
        if self._asleep is not None:
            if when_s <= self._clock.current_time():
                self._wake()
            elif when_s < self._clock.alarm_s:
                self._clock.alarm_s = when_s

    async def sleep(self, delay_s: float) -> None:
        """Wait, as ``trio.sleep`` does, at a lower price.

        Cancellation: ends the waiting.
        """
        task = trio.lowlevel.current_task()
        waiting = True

        def wake() -> None:
            if waiting:
                trio.lowlevel.reschedule(task)

        def abort(_: object) -> trio.lowlevel.Abort:
            nonlocal waiting
            waiting = False
            return trio.lowlevel.Abort.SUCCEEDED

        self.after(delay_s, wake)
        await trio.lowlevel.wait_task_rescheduled(abort)

    async def run(self) -> None:
        """Make the calls, for ever.

        Cancellation: what is not due yet is not called.
        """
        while True:
            await self._wait_due()
            self._make_calls()

    async def _wait_due(self) -> None:
        if self._calls and self._calls[0][0] <= self._clock.current_time():
            await trio.lowlevel.checkpoint()
            return
        self._clock.alarm_s = self._calls[0][0] if self._calls else inf
        self._asleep = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _wake(self) -> None:
        task, self._asleep = self._asleep, None
        self._clock.alarm_s = inf
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._asleep = None
        self._clock.alarm_s = inf
        return trio.lowlevel.Abort.SUCCEEDED

    def _make_calls(self) -> None:
        now_s = self._clock.current_time()
        while self._calls and self._calls[0][0] <= now_s:
            heappop(self._calls)[3]()
            if self._random.random() < GIVE_WAY:
                return

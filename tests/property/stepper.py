"""Runs trio code step by step from synchronous code, on virtual time, the same way every time."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import outcome
import trio
from trio.testing import MockClock

from wxserve.testing.scheduling import seed_scheduling

TICKS_MAX = 2_000_000
"""Steps of the loop for one call; more means that nothing will ever finish it."""


class Stepper:
    """One trio run as a guest: ``run`` returns when a coroutine is done, and time stands still.

    The order in which trio wakes tasks is drawn from ``seed``.

    Attributes:
        nursery: for tasks that outlive a step.
        failed: a step raised.
    """

    def __init__(self, seed: int) -> None:
        self._callbacks: deque[Callable[[], object]] = deque()
        self._next: Callable[[], Awaitable[Any]] | None = None
        self._result: outcome.Outcome[Any] | None = None
        self._over: outcome.Outcome[None] | None = None
        self._wake: trio.Event | None = None
        self.nursery: trio.Nursery
        self.failed = False
        seed_scheduling(seed)
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._callbacks.append,
            done_callback=self._done,
            clock=MockClock(autojump_threshold=0),
        )
        self._turn(lambda: self._wake is not None)

    def run(self, step: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine function to its end and return or raise what it does."""
        assert self._wake is not None, "the run has not begun"
        assert self._over is None, "the run is over"
        self._next, self._result = step, None
        self._wake.set()
        self._turn(lambda: self._result is not None or self._over is not None)
        result = self._outcome()
        self.failed = self.failed or isinstance(result, outcome.Error)
        return result.unwrap()

    def _outcome(self) -> outcome.Outcome[Any]:
        result = self._result or self._over
        assert result is not None
        return result

    def close(self) -> None:
        """End the run."""
        if self._over is None and self._wake is not None:
            self._next = None
            self._wake.set()
            self._turn(lambda: self._over is not None)

    def _turn(self, finished: Callable[[], bool]) -> None:
        for _ in range(TICKS_MAX):
            if finished():
                return
            self._callbacks.popleft()()
        raise AssertionError("nothing goes on")

    def _done(self, result: outcome.Outcome[None]) -> None:
        self._over = result

    async def _main(self) -> None:
        async with trio.open_nursery() as self.nursery:
            while True:
                self._wake = trio.Event()
                await self._wake.wait()
                step = self._next
                if step is None:
                    break
                self._result = await outcome.acapture(step)
            self.nursery.cancel_scope.cancel()

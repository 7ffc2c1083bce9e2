"""Blocking work in a thread: finished once it has begun, whatever cancels the task that waits."""

from collections.abc import Callable
from threading import Event, Lock
from typing import Generic, TypeVar

import anyio
from anyio.to_thread import run_sync

Value = TypeVar("Value")


class Job(Generic[Value]):
    """Work that is done once, or revoked before it began."""

    def __init__(self, work: Callable[[], Value]) -> None:
        self._work = work
        self._once = Lock()
        self._over = Event()

    def __call__(self) -> Value | None:
        """Do the work, in the thread; return None if it was revoked."""
        if not self._once.acquire(blocking=False):
            return None
        try:
            return self._work()
        finally:
            self._over.set()

    def revoke(self) -> bool:
        """Return whether the work has not begun; then it never will."""
        return self._once.acquire(blocking=False)

    @property
    def over(self) -> bool:
        """Whether the work is done."""
        return self._over.is_set()

    def wait(self) -> None:
        """Wait for the end of the work, in another thread."""
        self._over.wait()


async def finish_in_thread(
    work: Callable[[], Value], limiter: anyio.CapacityLimiter | None = None
) -> Value:
    """Run ``work`` in a thread.

    Cancellation: only before it begins. ``asyncio.timeout`` and ``Task.cancel`` do not know of
        shields, and would leave the thread at work behind the back of whoever comes next; they are
        passed on when it is done.

    Args:
        work: blocks.
        limiter: how many such threads there may be.
    """
    job = Job(work)
    try:
        value = await run_sync(job, limiter=limiter)
    except anyio.get_cancelled_exc_class():
        if not job.revoke():
            await _wait(job)  # noqa: ASYNC102 - it shields itself; the thread ends by itself
        raise
    return value  # type: ignore[return-value] # None only when revoked


async def _wait(job: Job[Value]) -> None:
    with anyio.CancelScope(shield=True):  # noqa: ASYNC912 - entered only while the job is at work
        while not job.over:
            try:
                await run_sync(job.wait)
            except anyio.get_cancelled_exc_class():  # noqa: ASYNC103 - the caller raises the first
                continue  # noqa: ASYNC104 - as above

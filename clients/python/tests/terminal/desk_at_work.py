"""A desk on a fake client, running."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio

from wxclient.terminal.model.desk import Desk

from .fake_client import FakeClient
from .fake_log import NOON_MS


def noon() -> datetime:
    """Return a day on which nothing changes by itself."""
    return datetime.fromtimestamp(NOON_MS / 1000, UTC)


@asynccontextmanager
async def running_desk(client: FakeClient) -> AsyncIterator[Desk]:
    """Open a desk, and let it work while the block runs."""
    desk = Desk(client, noon)
    await desk.open()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.run)
        await desk.started.wait()
        await settled()
        yield desk
        tasks.cancel_scope.cancel()


async def settled() -> None:
    """Let every task do what it can do now."""
    await anyio.wait_all_tasks_blocked()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await anyio.sleep(0.01)

"""The screen over an open device: both begin and end together, whichever ends first.

The device is held open in a task of its own, so that the screen is taken down in order, and the
terminal given back as it was, when the device's client stops for good.
"""

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import anyio
from anyio.abc import TaskStatus
from anyio.to_thread import run_sync

from wxclient import Client
from wxclient.terminal.complaints import DONE, FAILED
from wxclient.terminal.joining import Opening, open_client
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.ports import Clock

from .app import TerminalApp


class _Keeper:
    """Holds a device open until it is told to close it, or until it stops by itself."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._closing = anyio.Event()
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None

    async def run(self, *, task_status: TaskStatus[Client]) -> None:
        """Open the device; what goes wrong later is kept in ``failure``."""
        opened = False
        try:
            async with open_client(self._opening) as client:
                opened = True
                task_status.started(client)
                await self._closing.wait()
        except Exception as error:
            if not opened:
                raise
            self.failure = error
            self.on_failure()

    def close(self) -> None:
        """Close the device."""
        self._closing.set()


async def run_screen(opening: Opening, clock: Clock) -> int:
    """Show ``wx`` until the user leaves it; return the exit status.

    Raises:
        Exception: why the device could not be opened, or why its client stopped.
    """
    keeper = _Keeper(opening)
    async with anyio.create_task_group() as tasks:
        client = await tasks.start(keeper.run)
        desk = Desk(client, clock)
        try:
            await desk.open()
            app = TerminalApp(desk)
            keeper.on_failure = app.exit
            async with anyio.create_task_group() as screen:
                screen.start_soon(_leave_on_signal, app)
                await app.run_async()
                screen.cancel_scope.cancel()
        finally:
            keeper.close()
    if keeper.failure is not None:
        raise keeper.failure
    await run_sync(_remember_name, opening, desk.people.own_name)
    return FAILED if app.return_code else DONE


async def _leave_on_signal(app: TerminalApp) -> None:
    """Leave in order when the program is told to end; told again, it ends at once.

    SIGHUP keeps its usual effect: when the terminal is gone there is nothing to take down, only a
    screen that would wait for it for ever. The device's state bears being killed at any moment.
    """
    with (
        suppress(NotImplementedError),
        anyio.open_signal_receiver(signal.SIGTERM) as signals,
    ):
        async for _number in signals:
            break
    app.exit()


def _remember_name(opening: Opening, name: str) -> None:
    card = opening.profile.read_card()
    if card is not None and name and card.name != name:
        opening.profile.write_card(replace(card, name=name))

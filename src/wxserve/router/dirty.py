"""Links that have something to be written, gathered until the end of a step."""

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Dirty(Generic[T]):
    """A set that the transport empties after each of its steps."""

    def __init__(self) -> None:
        self._members: dict[T, None] = {}
        self._wake = trio.Event()
        self._taken = trio.Event()

    def add(self, member: T) -> None:
        """Note a link that has bytes to write, wants to be read again, or to be closed."""
        if not self._members:
            self._wake.set()
        self._members[member] = None

    def take(self) -> list[T]:
        """Return what was noted so far and forget it."""
        members = list(self._members)
        if members:
            self._members.clear()
            self._wake = trio.Event()
            self._taken.set()
            self._taken = trio.Event()
        return members

    async def wait(self) -> None:
        """Return when there is something.

        Cancellation: changes nothing.
        """
        await self._wake.wait()

    async def wait_empty(self) -> None:
        """Return when the transport has taken everything.

        Cancellation: changes nothing.
        """
        if self._members:
            await self._taken.wait()

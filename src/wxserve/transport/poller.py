"""One epoll set for all sockets, which lies as a single descriptor in trio's own."""

import select

import trio

# The numbers are the kernel's, so that importing works everywhere.
READ = 0x2001  # EPOLLIN, and EPOLLRDHUP: the peer will send no more
WRITE = 0x0004  # EPOLLOUT
HUNG_UP = 0x2018  # EPOLLRDHUP, EPOLLHUP, EPOLLERR


class PlatformUnsupportedError(Exception):
    """This system has no epoll."""


class Poller:
    """A level-triggered epoll set.

    Trio's ``wait_readable`` costs a system call and a task per socket and wake-up; here one task
    waits for the whole set. Level-triggered: what is not served now is reported again.
    """

    __slots__ = ("_epoll",)

    def __init__(self) -> None:
        if not hasattr(select, "epoll"):
            raise PlatformUnsupportedError("the server runs on Linux only: it needs epoll")
        self._epoll = select.epoll()

    def add(self, descriptor: int, events: int) -> None:
        """Watch a descriptor for ``READ`` and ``WRITE``; errors are always reported."""
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Watch a descriptor for other events."""
        self._epoll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Stop watching a descriptor, before it is closed."""
        self._epoll.unregister(descriptor)

    def ready(self, events_max: int) -> list[tuple[int, int]]:
        """Return (descriptor, events) of at most ``events_max`` ready ones, without waiting."""
        return self._epoll.poll(0, events_max)

    async def wait(self, until_s: float | None = None) -> None:
        """Return when a descriptor is ready, or at a time of trio's clock.

        Cancellation: safe at any time; nothing is consumed.
        """
        if until_s is None:
            await trio.lowlevel.wait_readable(self.fileno())
        else:
            with trio.move_on_at(until_s):
                await trio.lowlevel.wait_readable(self.fileno())

    def fileno(self) -> int:
        """Return the one descriptor that is readable when any in the set is ready."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Forget all descriptors."""
        self._epoll.close()

"""Which request each open stream number belongs to."""

from typing import Final, Generic, TypeVar

STREAM_MAX: Final = 0xFFFF
Owner = TypeVar("Owner")


class Streams(Generic[Owner]):
    """Gives stream numbers 1 … 65,535; one in use is never given again."""

    __slots__ = ("_last", "_owners")

    def __init__(self) -> None:
        self._owners: dict[int, Owner] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._owners)

    def open(self, owner: Owner) -> int:
        """Return a number that is not in use; fewer than 65,535 may be open."""
        assert len(self._owners) < STREAM_MAX, "bounded by the limits of operations and requests"
        while True:
            self._last = self._last % STREAM_MAX + 1
            if self._last not in self._owners:
                self._owners[self._last] = owner
                return self._last

    def owner(self, stream: int) -> Owner | None:
        """Return whose stream it is, or None."""
        return self._owners.get(stream)

    def close(self, stream: int) -> None:
        """Free a number after the last frame of its answer."""
        del self._owners[stream]

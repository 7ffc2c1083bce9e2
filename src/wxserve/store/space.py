"""Whether there is space to write: the ballast, and what pruning has left inside the database."""

import sqlite3

from .directory import Ballast


class Space:
    """Decides when writes are refused for want of space, and when they may go on.

    The ballast keeps space back. When the disk is full it is given up, so that reading, draining
    and pruning go on; writes go on when it can be taken again, or when pruning has left twice as
    much free inside the database, which never gives space back to the disk.
    """

    def __init__(self, ballast: Ballast, size_bytes: int) -> None:
        self._ballast = ballast
        self._size_bytes = size_bytes

    @property
    def held(self) -> bool:
        """Whether there is nothing to worry about: space is kept back."""
        return self._ballast.held or not self._size_bytes

    def release(self) -> None:
        """Give up what is kept back."""
        self._ballast.release()

    def take(self) -> bool:
        """Keep space back again if there is enough; return whether it is."""
        return self._ballast.take()

    def lasts(self, free_bytes: int, *, full: bool) -> bool:
        """Whether so much free space inside the database is enough to write into."""
        return free_bytes >= (2 if full else 1) * self._size_bytes


def free_inside(sql: sqlite3.Connection) -> int:
    """Return how many bytes inside the database file wait to be used again."""
    (pages,) = sql.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = sql.execute("PRAGMA page_size").fetchone()
    return int(pages * page_bytes)

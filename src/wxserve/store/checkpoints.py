"""When the write-ahead log is copied back: beside commits, and now and then, briefly, without any."""

from typing import Final

CHECKPOINT_CHANGES: Final = 4096
"""Rows written, two more per commit, after which the log is copied back: 2 to 15 MiB.
Twice or half as many make the slowest answers slower (docs/decisions/0011)."""
LOG_PAGES_LONG: Final = 8192
"""Length of the log (32 MiB) at which it is to start anew, for which commits stop for a moment."""
_PASSES_MAX: Final = 3
"""Checkpoints beside commits, each of less, before the one for which they stop."""


class Checkpoints:
    """Says when a checkpoint is due; the writer carries it out.

    Copying back and synchronising takes as long as a hundred commits, so it goes on beside them. But
    the log starts anew only when all of it is copied back and nobody has added to it meanwhile:
    when it is long, what was added during such passes is copied while nothing is committed.

    One begins only when a commit that began after the end of the last one has added to the log.
    From there to its end the log cannot start anew under it, which is what SQLite before 3.51.3
    does not bear. Source: sqlite.org/wal.html, "WAL-reset bug".
    """

    def __init__(self) -> None:
        self._changes = 0
        self._ended = 0
        self._has_grown = False
        self._is_running = False
        self._passes = 0
        self._is_whole_due = False

    @property
    def whole_due(self) -> bool:
        """Whether commits are to stop for the next one."""
        return self._is_whole_due and not self._is_running

    @property
    def due(self) -> bool:
        """Whether one is to begin beside the commits."""
        return self._changes >= CHECKPOINT_CHANGES and self._has_grown and not self._is_running

    def begin_commit(self) -> int:
        """Return what ``committed`` takes: when the commit began."""
        return self._ended

    def committed(self, began: int, changes: int) -> None:
        """Count the rows that a commit has changed."""
        if changes:
            self._changes += changes + 2
            self._has_grown = self._has_grown or began == self._ended

    def start(self) -> None:
        """One begins now."""
        self._is_running = True
        self._is_whole_due = False
        self._changes = 0

    def end(self, pages: int, *, whole: bool) -> None:
        """One has ended.

        Args:
            pages: the length of the log when it began; 0 if it failed.
            whole: nothing was committed meanwhile.
        """
        self._is_running = False
        self._has_grown = False
        self._ended += 1
        if whole or pages < LOG_PAGES_LONG:
            self._passes = 0
            return
        self._passes += 1
        if self._passes >= _PASSES_MAX or self._changes <= CHECKPOINT_CHANGES // 4:
            self._is_whole_due = True
        else:
            self._changes += CHECKPOINT_CHANGES

"""The running time of the server: what ages and expiry are measured with.

The wall clock may jump by years, forwards and back; nothing durable may be deleted for that. So the
store keeps a clock of its own that runs while the server runs, and goes on from where it was at the
next start. Time in which the server did not run counts as far as a wrong wall clock could not do
harm with it.
"""

from typing import Final

from .ports import Clock

DOWNTIME_COUNTED_MS: Final = 86_400_000
"""How much of the time between two runs counts at most: a wrong clock at boot looks the same."""


class RunningTime:
    """Milliseconds that the server has run; never goes back, never jumps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base_ms = -clock.elapsed_ms()

    def go_on(self, running_ms: int, downtime_ms: int) -> None:
        """Go on from an earlier run.

        Args:
            running_ms: what it last showed.
            downtime_ms: how long that is ago, as far as the wall clock knows; may be anything.
        """
        counted_ms = max(0, min(downtime_ms, DOWNTIME_COUNTED_MS))
        self._base_ms = running_ms + counted_ms - self._clock.elapsed_ms()

    def now_ms(self) -> int:
        """Return the running time now."""
        return self._base_ms + self._clock.elapsed_ms()

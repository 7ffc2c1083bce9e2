"""When strangers are served, and new ones let in, beside those who talk."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .limits import TransportLimits

BURST_S: Final = 0.002
"""Processor time that may be saved up: what a few log-ins cost."""


class Turnstile:
    """Says when new sockets are taken, and when a crowd of strangers has to rest.

    A log-in costs as much as dozens of messages, on several threads and long after its socket was
    accepted. While nobody speaks who has been here for a while, all come in who can be served. While
    somebody does, they come in by twos, and only as long as the process uses no more than a share
    of a processor, whatever for: a crowd that comes back then takes longer, and the others hardly
    notice. Who is in goes on, so that no more than a few are under way; if it is a crowd all the same,
    for whom a step has no time, there is a rest after each that served some of them.

    Attributes:
        opens_at: monotonic seconds until which no stranger comes in; None for an open door.
        rests_until: monotonic seconds until which no stranger is served; None for no rest.
    """

    def __init__(self, limits: "TransportLimits", used_s: Callable[[], float]) -> None:
        """Make an open one.

        Args:
            limits: of everything.
            used_s: tells the processor time that the process has used, in seconds.
        """
        self._limits = limits
        self._used_s = used_s
        self._spoke_s = -math.inf
        self._closed_s = -math.inf
        self._settled_s = -math.inf
        self._settled_used_s = used_s()
        self._left_s = 0.0
        self.opens_at: float | None = None
        self.rests_until: float | None = None

    @property
    def wakes_at(self) -> float | None:
        """When there is something to do though no socket is ready; None for never."""
        times = [at for at in (self.opens_at, self.rests_until) if at is not None]
        return min(times, default=None)

    def heard(self, since_s: float, now: float) -> None:
        """Note that somebody spoke who was let in at ``since_s``; newcomers belong to the crowd."""
        if since_s + self._limits.newcomer_s <= now:
            self._spoke_s = now

    def others_speak(self, now: float) -> bool:
        """Whether somebody spoke lately who has been here for a while."""
        return now < self._spoke_s + self._limits.others_speak_s

    def close(self, now: float) -> bool:
        """Note that some came in; close behind them while others speak.

        Returns:
            Whether it is closed now, until ``opens_at``.
        """
        if self.others_speak(now):
            self._closed_s = now
            self._settle(now)
            self._rest(now)
        return self.opens_at is not None

    def opens(self, now: float) -> bool:
        """Return whether it opens now; once, when the time has come and the process has it to spare."""
        if self.opens_at is None or now < self.opens_at:
            return False
        self._settle(now)
        if self._left_s < 0.0 and now < self._closed_s + self._limits.door_closed_max_s:
            self._rest(now)
            return False
        self.opens_at = None
        return True

    def rest(self, began: float, ended: float) -> None:
        """Note that a crowd was served from ``began`` to ``ended`` and has more to say."""
        self.rests_until = ended + self._limits.strangers_rest * (ended - began)

    def rested(self, now: float) -> bool:
        """Return whether a rest has ended, once."""
        if self.rests_until is None or now < self.rests_until:
            return False
        self.rests_until = None
        return True

    def _settle(self, now: float) -> None:
        """Count what time has brought and what the process has used of it."""
        used_s, limits = self._used_s(), self._limits
        gained_s = limits.door_share * (now - self._settled_s)
        left_s = self._left_s + gained_s - (used_s - self._settled_used_s)
        owed_max_s = limits.door_share * limits.door_closed_max_s
        self._left_s = max(-owed_max_s, min(left_s, BURST_S))
        self._settled_s, self._settled_used_s = now, used_s

    def _rest(self, now: float) -> None:
        limits = self._limits
        rest_s = max(-self._left_s / limits.door_share, limits.door_closed_min_s)
        self.opens_at = min(now + rest_s, self._closed_s + limits.door_closed_max_s)

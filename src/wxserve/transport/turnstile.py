"""How strangers and those who are logged in share the event loop."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .limits import TransportLimits


class Turnstile:
    """Says how many strangers are served in a step, and when the next ones are.

    A log-in costs as much as dozens of messages, on several threads. While nobody speaks who has been
    here for a while, strangers get all there is. While somebody does, they have short turns, in which
    one who logs in fits or many who trickle bytes, and after each there is a rest: a crowd that comes
    back then takes longer, and the others hardly notice.

    Attributes:
        opens_at: monotonic seconds until which no stranger is served; None for no rest.
    """

    def __init__(self, limits: "TransportLimits") -> None:
        self._limits = limits
        self._spoke_s = -math.inf
        self.opens_at: float | None = None

    def heard(self, since_s: float, now: float) -> None:
        """Note that somebody spoke who was let in at ``since_s``; newcomers belong to the crowd."""
        if since_s + self._limits.newcomer_s <= now:
            self._spoke_s = now

    def turn(self, served: int, now: float) -> tuple[int, float]:
        """Return how many strangers a step serves that served so many others, and until when."""
        limits = self._limits
        if self._others_speak(now):
            return limits.events_per_step_max, now + limits.strangers_turn_s
        return max(1, limits.strangers_per_step_max - served), math.inf

    def end_turn(self, began: float, ended: float) -> bool:
        """Note that strangers were served from ``began`` to ``ended``.

        Returns:
            Whether there is a rest now, until ``opens_at``.
        """
        if self._others_speak(began):
            self.opens_at = ended + self._limits.strangers_rest * (ended - began)
        return self.opens_at is not None

    def opens(self, now: float) -> bool:
        """Return whether a rest has ended, once."""
        if self.opens_at is None or now < self.opens_at:
            return False
        self.opens_at = None
        return True

    def _others_speak(self, now: float) -> bool:
        return now < self._spoke_s + self._limits.others_speak_s

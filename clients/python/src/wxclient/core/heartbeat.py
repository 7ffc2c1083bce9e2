"""When to PING, and when to believe that the peer is gone.

A PING goes out when nothing was received, or nothing sent, for one interval; without any byte for
another one and a half the connection counts as dead, two and a half intervals in all. The interval
starts at the server's lower bound, grows by a quarter with every answered PING (a middlebox that
forgets idle connections shows itself early and cheaply), and is halved when a connection dies in
silence. It is kept across connections. Source: docs/protocol.md, "Heartbeat".
"""

from enum import Enum
from typing import Final

GROWTH: Final = 1.25
PATIENCE: Final = 1.5
"""Intervals without a byte after a PING; 2.5 in all, as the server counts."""


class Beat(Enum):
    """What is due."""

    NOTHING = 0
    PING = 1
    DEAD = 2


class Heartbeat:
    """Holds the times of one connection and the interval of all."""

    __slots__ = ("_interval_s", "_max_s", "_min_s", "_pinged_s", "_received_s", "_sent_s")

    def __init__(self) -> None:
        self._interval_s = 0.0
        self._min_s = 0.0
        self._max_s = 0.0
        self._pinged_s: float | None = None
        self._received_s = 0.0
        self._sent_s = 0.0

    @property
    def interval_s(self) -> float:
        """Return the present interval in seconds, 0 before the first connection."""
        return self._interval_s

    def opened(self, now_s: float, min_s: int, max_s: int) -> None:
        """Begin for a new connection with the server's bounds."""
        self._min_s = float(max(min_s, 1))
        self._max_s = float(max(max_s, min_s, 1))
        self._interval_s = min(max(self._interval_s, self._min_s), self._max_s)
        self._pinged_s = None
        self._received_s = self._sent_s = now_s

    def received(self, now_s: float) -> None:
        """Note that a byte came."""
        self._received_s = now_s
        if self._pinged_s is not None:
            self._pinged_s = None
            self._interval_s = min(self._interval_s * GROWTH, self._max_s)

    def sent(self, now_s: float) -> None:
        """Note that bytes were handed to the socket."""
        self._sent_s = now_s

    def died(self) -> None:
        """Halve the interval: the connection died in silence."""
        self._interval_s = max(self._interval_s / 2, self._min_s)

    @property
    def deadline_s(self) -> float:
        """Return when ``due`` will say something else than it says now."""
        if self._pinged_s is not None:
            return self._pinged_s + PATIENCE * self._interval_s
        return min(self._received_s, self._sent_s) + self._interval_s

    def due(self, now_s: float) -> Beat:
        """Return what is due; after PING the caller sends one."""
        if now_s < self.deadline_s:
            return Beat.NOTHING
        if self._pinged_s is not None:
            return Beat.DEAD
        self._pinged_s = now_s
        return Beat.PING

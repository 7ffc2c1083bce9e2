"""How long to wait before trying again: exponential, jittered, bounded."""

from .ports import Entropy


class Backoff:
    """Waits that double from ``min_s`` to ``max_s``, each drawn from its upper half."""

    __slots__ = ("_entropy", "_max_s", "_min_s", "attempts")

    def __init__(self, min_s: float, max_s: float, entropy: Entropy) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._entropy = entropy
        self.attempts = 0

    def next_s(self, at_least_s: float = 0.0) -> float:
        """Return the next wait in seconds, never shorter than the server asked for."""
        self.attempts += 1
        return max(at_least_s, self.after_s(self.attempts))

    def after_s(self, attempts: int) -> float:
        """Return a wait after so many failures (1 …) without counting one."""
        base = min(self._max_s, self._min_s * (1 << min(attempts - 1, 32)))
        return base * (0.5 + int.from_bytes(self._entropy(2), "big") / 0x20000)

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self.attempts = 0

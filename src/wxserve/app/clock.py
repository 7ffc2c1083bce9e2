"""The system's clock and randomness, for the ports of the rooms below."""

import secrets
import time


class SystemClock:
    """The clocks of the machine."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def elapsed_ms(self) -> int:
        """See ``Clock.elapsed_ms``; time in which the machine is suspended does not count."""
        return time.monotonic_ns() // 1_000_000


def system_entropy(size: int) -> bytes:
    """Return ``size`` unpredictable bytes."""
    return secrets.token_bytes(size)

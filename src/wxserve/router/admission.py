"""Admission: token buckets per action, for accounts, devices and addresses."""

import math
from collections import OrderedDict
from typing import Final

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal

from .limits import AdmissionLimits, Budget, Rate

RETRY_MS_MAX: Final = 60_000
ROUNDING: Final = 1e-6
"""Part of a token that may be missing: who comes back exactly when told to must not be too early."""
PREPAID: Final = 64
"""Tokens taken at once for a busy session."""
PLENTY: Final = 16 * PREPAID
"""So many tokens must be in every bucket for that: near its end a budget is counted one by one."""


class Bucket:
    """Tokens that come back with time."""

    __slots__ = ("_rate", "_tokens", "_updated_s")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._updated_s = now_s

    def wait_s(self, now_s: float, count: float) -> float:
        """Return the seconds until there will be so many tokens, 0.0 if there are."""
        rate = self._rate
        tokens = min(self._tokens + (now_s - self._updated_s) * rate.per_s, rate.burst)
        self._tokens, self._updated_s = tokens, now_s
        if tokens >= count - ROUNDING:
            return 0.0
        return (count - tokens) / rate.per_s if rate.per_s else math.inf

    def take(self, count: float) -> None:
        """Take tokens that are there."""
        self._tokens -= count


class Admission:
    """All buckets. Those of devices live as long as their session; the others are bounded."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._shared: OrderedDict[tuple[str, str, bytes], Bucket] = OrderedDict()

    def check(
        self,
        action: str,
        now_s: float,
        *,
        device: dict[str, Bucket] | None = None,
        account: bytes = b"",
        address: bytes = b"",
    ) -> Refusal | None:
        """Charge one action to everything that counts it, or to nothing if it is refused.

        Args:
            action: a field of ``AdmissionLimits``.
            now_s: monotonic seconds.
            device: the buckets of the session.
            account: empty for none.
            address: empty for none.

        Returns:
            The refusal when a budget is used up, else None.
        """
        buckets = self._buckets(action, now_s, device, account, address)
        wait_s = max((bucket.wait_s(now_s, 1.0) for bucket in buckets), default=0.0)
        if wait_s <= 0.0:
            for bucket in buckets:
                bucket.take(1.0)
            return None
        retry_ms = min(
            RETRY_MS_MAX, math.ceil(wait_s * 1000) if wait_s < RETRY_MS_MAX else RETRY_MS_MAX
        )
        return Refusal(ErrorCode.RATE_LIMITED, retry_after_ms=max(1, retry_ms))

    def prepay(
        self, action: str, now_s: float, *, device: dict[str, Bucket], account: bytes
    ) -> int:
        """Charge an action that a session does often several times in advance.

        Returns:
            How many times; 0 unless there are plenty of tokens everywhere.
        """
        buckets = self._buckets(action, now_s, device, account, b"")
        if any(bucket.wait_s(now_s, PLENTY) for bucket in buckets):
            return 0
        for bucket in buckets:
            bucket.take(PREPAID)
        return PREPAID

    def _buckets(
        self,
        action: str,
        now_s: float,
        device: dict[str, Bucket] | None,
        account: bytes,
        address: bytes,
    ) -> list[Bucket]:
        """Return the buckets that count an action; what was never counted begins full."""
        budget: Budget = getattr(self._limits, action)
        buckets: list[Bucket] = []
        if budget.device is not None and device is not None:
            bucket = device.get(action)
            if bucket is None:
                bucket = device[action] = Bucket(budget.device, now_s)
            buckets.append(bucket)
        if budget.account is not None and account:
            buckets.append(self._bucket((action, "account", account), budget.account, now_s))
        if budget.address is not None and address:
            buckets.append(self._bucket((action, "address", address), budget.address, now_s))
        return buckets

    def _bucket(self, name: tuple[str, str, bytes], rate: Rate, now_s: float) -> Bucket:
        bucket = self._shared.get(name)
        if bucket is None:
            bucket = self._shared[name] = Bucket(rate, now_s)
            if len(self._shared) > self._limits.buckets_max:
                self._shared.popitem(last=False)
        else:
            self._shared.move_to_end(name)
        return bucket

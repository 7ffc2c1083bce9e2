"""The register of rule breakers: for each rule of the RFC, who breaks exactly that one."""

from collections.abc import Callable
from typing import NamedTuple

from wxclient import mls

from .scene import Call


class Attempt(NamedTuple):
    """A call that must be refused, and whose state must stay as it was."""

    call: Call
    victim: mls.GroupCipher | None = None


Breaker = Callable[[], Attempt]
BREAKERS: list[tuple[mls.Rule, Breaker]] = []


def breaks(rule: mls.Rule) -> Callable[[Breaker], Breaker]:
    """Register a breaker of a rule."""

    def register(breaker: Breaker) -> Breaker:
        BREAKERS.append((rule, breaker))
        return breaker

    return register


def sent(victim: mls.GroupCipher, message: bytes) -> Attempt:
    """Return the attempt to let a member process a message."""
    return Attempt(lambda: victim.process(message), victim)

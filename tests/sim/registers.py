"""What is known of registers from what was said: the last value under a name, for each account."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

Name = tuple[bytes, bytes, str]
"""(account, conversation, key)"""


class Registers:
    """Every value that was asked for and every one that was told.

    Attributes:
        newest: the highest version that was told of each register.
    """

    def __init__(self) -> None:
        self.newest: dict[Name, int] = {}
        self._asked: dict[Name, set[tuple[int, bytes]]] = defaultdict(set)
        self._told: dict[Name, dict[int, tuple[int, bytes]]] = defaultdict(dict)

    def ask(self, account: bytes, body: tuple[Any, ...]) -> int:
        """Take SET_REGISTER; return the version that its answer must have at least."""
        conversation, key, version, value = body
        name = account, conversation, key
        self._asked[name].add((version, value))
        least: int = max(version, self.newest.get(name, 0))
        return least

    def tell(self, account: bytes, body: tuple[Any, ...], blame: Callable[[str], None]) -> None:
        """Take REGISTER: what somebody asked for, the same at one position, rising with it."""
        conversation, key, version, value, position = body
        name, told = (account, conversation, key), f"register {key} of {account.hex()[:6]}"
        if (version, value) not in self._asked[name]:
            blame(f"{told} has a value that nobody gave it: {version}")
        known = self._told[name]
        if known.setdefault(position, (version, value)) != (version, value):
            blame(f"{told} has two values at position {position}")
        versions = [known[place][0] for place in sorted(known)]
        if versions != sorted(set(versions)):
            blame(f"{told} went back: {versions}")
        self.newest[name] = max(version, self.newest.get(name, 0))

    def missing(self, account: bytes, known: dict[tuple[bytes, str], int]) -> list[str]:
        """Return the registers of which a device does not have the newest value."""
        return [
            f"register {key} of {conversation.hex()[:6]}"
            for (owner, conversation, key), version in self.newest.items()
            if owner == account and known.get((conversation, key), 0) < version
        ]

"""A town of accounts and conversations that a prefilled store holds, known from its numbers alone."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from bench.enrol import seed_of
from bench.plan import Device
from bench.wire import DIRECT, GROUP, direct_conversation

SELF: Final = 3
DEVICE: Final = 4
NOTICE: Final = 7
PER_ACCOUNT: Final = ((SELF, b"self"), (DEVICE, b"device"), (NOTICE, b"notice"))


class Place(NamedTuple):
    """One conversation of the town; its members are numbers of accounts."""

    id: bytes
    kind: int
    members: tuple[int, ...]


class Town(NamedTuple):
    """How many there are of everything.

    Every account has one device. Accounts 2n and 2n+1 are a pair and have a direct conversation;
    the first pairs also share many groups of two, so that traffic can be spread over as many
    conversations as one likes. The rest are groups in which neighbours by number meet.

    Attributes:
        accounts: even.
        conversations: direct ones and groups; each account's own three come on top.
        shared_pairs: pairs that share groups of two.
        shared: groups that each of them shares.
        memberships: conversations of an ordinary account.
        entries: stored in each conversation.
        large: sizes of the groups for fan-outs, whose members are the accounts from 0 on.
    """

    accounts: int = 10_000
    conversations: int = 100_000
    shared_pairs: int = 50
    shared: int = 1000
    memberships: int = 200
    entries: int = 5
    large: tuple[int, ...] = (100, 1000)

    @property
    def groups(self) -> int:
        """How many ordinary groups there are."""
        taken = self.accounts // 2 + self.shared_pairs * self.shared + len(self.large)
        return max(0, self.conversations - taken)

    @property
    def group_members(self) -> int:
        """How many members an ordinary group has."""
        wanted = self.accounts * (self.memberships - 1) // max(1, self.groups)
        return min(max(2, wanted), self.accounts, 1000)


def account_id(number: int) -> bytes:
    """Return the id of an account."""
    return sha256(f"wxserve bench account {number}".encode()).digest()[:16]


def device_id(number: int) -> bytes:
    """Return the id of an account's device."""
    return sha256(f"wxserve bench device {number}".encode()).digest()[:8]


def device(number: int, position: int) -> Device:
    """Return an account's device, which resumes at ``position``."""
    return Device(account_id(number), device_id(number), seed_of("town", number), position)


def direct_id(pair: int) -> bytes:
    """Return the id of the direct conversation of a pair."""
    return direct_conversation(account_id(2 * pair), account_id(2 * pair + 1))


def shared_id(pair: int, number: int) -> bytes:
    """Return the id of a group of two that a pair shares."""
    return _named("shared", pair, number)


def large_id(size: int) -> bytes:
    """Return the id of a group for fan-outs."""
    return _named("large", size)


def group_id(number: int) -> bytes:
    """Return the id of an ordinary group."""
    return _named("group", number)


def group_accounts(town: Town, number: int) -> tuple[int, ...]:
    """Return the members of an ordinary group: neighbours, each in as many groups as the others."""
    size = town.group_members
    start = number * size
    return tuple((start + offset) % town.accounts for offset in range(size))


def _named(kind: str, *numbers: int) -> bytes:
    text = " ".join(["wxserve bench", kind, *map(str, numbers)])
    return sha256(text.encode()).digest()[:16]


def places(town: Town) -> Iterator[Place]:
    """Yield every conversation, each account's own three included."""
    for number in range(town.accounts):
        own = device_id(number), account_id(number)
        for kind, label in PER_ACCOUNT:
            digest = sha256(b"wxserve " + label + b" v1" + own[kind != DEVICE]).digest()
            yield Place(digest[:16], kind, (number,))
    for pair in range(town.accounts // 2):
        yield Place(direct_id(pair), DIRECT, (2 * pair, 2 * pair + 1))
    for pair in range(town.shared_pairs):
        for number in range(town.shared):
            yield Place(shared_id(pair, number), GROUP, (2 * pair, 2 * pair + 1))
    for size in town.large:
        yield Place(large_id(size), GROUP, tuple(range(size)))
    for number in range(town.groups):
        yield Place(group_id(number), GROUP, group_accounts(town, number))

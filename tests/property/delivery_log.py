"""What the model of delivery remembers of one conversation; nothing here is the server's code."""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

MESSAGE, CREATED, MEMBERSHIP, REDACTED, CLOSED, NOTICE = 1, 16, 17, 18, 19, 20
DIRECT, GROUP, SELF, DEVICE, NOTICES = 1, 2, 3, 4, 7
GONE, INVITED, JOINED = 0, 1, 2
MEMBER, ADMINISTRATOR, OWNER = 1, 2, 3
VERBS = {1: "invite", 2: "accept", 3: "leave", 4: "remove", 5: "role"}
"""What a MEMBERSHIP entry says was done."""


def derived(label: str, *parts: bytes) -> bytes:
    """Return a conversation id as docs/protocol.md derives it."""
    return hashlib.sha256(label.encode() + b"".join(parts)).digest()[:16]


def direct_id(one: bytes, other: bytes) -> bytes:
    """Return the id of two accounts' direct conversation."""
    return derived("wxserve direct v1", *sorted((one, other)))


class Row(NamedTuple):
    """One entry of the log, read."""

    position: int
    conversation: bytes
    seq: int
    time_ms: int
    kind: int
    account: bytes | None
    device: bytes | None
    op: bytes | None
    body: tuple[object, ...]
    ttl_ms: int
    frame: bytes


class Wish(NamedTuple):
    """What somebody asks for: a verb, where, about whom."""

    verb: str
    conversation: bytes
    accounts: tuple[bytes, ...] = ()
    value: int = 0


class Seat(NamedTuple):
    """An account's place in a conversation."""

    role: int
    state: int


NOWHERE = Seat(0, GONE)
Seats = dict[bytes, Seat]


@dataclass
class Log:
    """One conversation and all that ever happened to it."""

    id: bytes
    kind: int
    rows: list[Row] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    seats: list[tuple[int, Seats]] = field(default_factory=list)
    spans: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    changed: dict[bytes, list[int]] = field(default_factory=dict)
    closed: int = 1 << 62
    redacted: dict[int, int] = field(default_factory=dict)
    swept: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)

    def head(self, position: int) -> int:
        """Return the newest number at a position."""
        return bisect_right(self.positions, position)

    def seated(self, position: int) -> Seats:
        """Return everybody's place at a position."""
        index = bisect_right(self.seats, position, key=lambda item: item[0])
        return self.seats[index - 1][1] if index else {}

    def change(self, position: int, changes: Seats) -> None:
        """Move accounts at a position."""
        self.seats.append((position, {**self.seated(position), **changes}))
        for account in changes:
            self.changed.setdefault(account, []).append(position)

    def open_for(self, account: bytes, seq: int) -> None:
        """Let an account read from a number on."""
        self.spans.setdefault(account, []).append((seq, 0))

    def close_for(self, account: bytes, seq: int) -> None:
        """Let an account read through a number and no further."""
        first, last = self.spans[account].pop()
        assert last == 0, "an interval closes once"
        self.spans[account].append((first, seq))

    def spans_at(self, account: bytes, position: int) -> tuple[tuple[int, int], ...]:
        """Return what an account may read, as of a position."""
        head = self.head(position)
        fixed = self.kind in {SELF, NOTICES, DEVICE}
        if fixed and self.seated(position).get(account, NOWHERE).state != JOINED:
            return ()
        return tuple(
            (first, last if last and last <= head else 0)
            for first, last in self.spans.get(account, ())
            if first <= head or fixed
        )

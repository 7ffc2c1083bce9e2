"""What is known of the logs from what was said on the wire; nothing here is the server's code."""

import hashlib
from collections import defaultdict
from typing import NamedTuple

from tests.sim.reading import Envelope, read_envelope, unpack

MESSAGE, CREATED, MEMBERSHIP, REDACTED, NOTICE = 1, 16, 17, 18, 20
DIRECT = 1
JOINED, LEFT, REMOVED = 2, 3, 4
NO_OP = bytes(16)
FOREVER = 1 << 62


def derived(label: str, *parts: bytes) -> bytes:
    """Return a conversation id as docs/protocol.md derives it."""
    return hashlib.sha256(label.encode() + b"".join(parts)).digest()[:16]


class Place(NamedTuple):
    """Where an operation stands."""

    conversation: bytes
    seq: int
    position: int
    time_ms: int


class Entry(NamedTuple):
    """One entry of a log."""

    place: Place
    sender: bytes | None
    envelope: bytes
    read: Envelope


class Book:
    """Every entry and every acceptance that was ever told to anybody.

    Attributes:
        faults: what was told twice in two ways.
        logs: entries by conversation and sequence number.
        ops: where each operation stands.
        accepted: where the server said that an operation stands.
        owners: whose each device is.
        first: from which position on a device reads.
        revoked: at which position a device was revoked.
        position: the newest that was told.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.logs: dict[bytes, dict[int, Entry]] = defaultdict(dict)
        self.ops: dict[bytes, Place] = {}
        self.accepted: dict[bytes, Place] = {}
        self.owners: dict[bytes, bytes] = {}
        self.first: dict[bytes, int] = {}
        self.revoked: dict[bytes, int] = {}
        self._redacted: dict[tuple[bytes, int], int] = {}
        self.position = 0
        self._positions: dict[int, Place] = {}

    def tell(self, place: Place, sender: bytes | None, envelope: bytes) -> None:
        """Take an entry as somebody was told it."""
        known = self.logs[place.conversation].get(place.seq)
        if known is not None:
            if (known.place, known.sender, known.envelope) != (place, sender, envelope):
                self._fault("two entries at one place", place, known.place)
            return
        other = self._positions.setdefault(place.position, place)
        if other != place:
            self._fault("two entries at one position", place, other)
        self.position = max(self.position, place.position)
        read = read_envelope(envelope)
        self.logs[place.conversation][place.seq] = Entry(place, sender, envelope, read)
        if read.op != NO_OP:
            self._settle("an operation stands at two places", self.ops, read.op, place)
        if read.kind == NOTICE:
            body = unpack(read.body)
            if body[0] == "device-added":
                self.first[body[1]] = place.position
            elif body[0] == "device-revoked":
                self.revoked[body[1]] = place.position
        elif read.kind == REDACTED:
            gone = place.conversation, unpack(read.body)[0]
            self._redacted.setdefault(gone, place.position)

    def accept(self, op: bytes, place: Place) -> bool:
        """Take an acceptance; return whether it was given before."""
        again = op in self.accepted
        self._settle("an operation was answered in two ways", self.accepted, op, place)
        self._settle("an acceptance names another place", self.ops, op, place)
        other = self._positions.setdefault(place.position, place)
        if other != place:
            self._fault("two entries at one position", place, other)
        return again

    def _settle(self, fault: str, places: dict[bytes, Place], op: bytes, place: Place) -> None:
        known = places.setdefault(op, place)
        if known != place:
            self._fault(fault, place, known)

    def _fault(self, what: str, *places: Place) -> None:
        told = " and ".join(f"{p.conversation.hex()[:6]}/{p.seq} @{p.position}" for p in places)
        self.faults.append(f"{what}: {told}")

    def redacted_at(self, conversation: bytes, seq: int) -> int:
        """Return the position at which an entry's content was deleted, FOREVER if it was not."""
        return self._redacted.get((conversation, seq), FOREVER)

    # -- who may read --------------------------------------------------------------------------

    def spans(self, conversation: bytes, account: bytes) -> list[tuple[int, int]]:
        """Return the first and last numbers of what an account may read."""
        if conversation in (
            derived("wxserve self v1", account),
            derived("wxserve notice v1", account),
        ):
            return [(1, FOREVER)]
        found: list[tuple[int, int]] = []
        log = self.logs[conversation]
        for seq in sorted(log):
            read = log[seq].read
            if read.kind == CREATED:
                kind, creator, accounts, _ = unpack(read.body)
                if account == creator or (kind == DIRECT and account in accounts):
                    found.append((seq, FOREVER))
            elif read.kind == MEMBERSHIP:
                change, accounts, _ = unpack(read.body)
                if account not in accounts:
                    continue
                if change == JOINED:
                    found.append((seq, FOREVER))
                elif change in (LEFT, REMOVED) and found and found[-1][1] == FOREVER:
                    found[-1] = (found[-1][0], seq)
        return found

    def joined_after(self, conversation: bytes, account: bytes, position: int) -> bool:
        """Whether an account joined after a position, and so may have been no member at it."""
        log = self.logs[conversation]
        return any(
            log[first].place.position > position
            for first, _ in self.spans(conversation, account)
            if first in log
        )

    def visible(self, device: bytes, conversation: bytes) -> "Visible":
        """Return what a device may read of a conversation."""
        account = self.owners[device]
        if conversation == derived("wxserve device v1", device):
            return Visible([(1, FOREVER)], 0)
        whole = conversation == derived("wxserve notice v1", account)
        first = 0 if whole else self.first.get(device, 0)
        return Visible(self.spans(conversation, account), first)


class Visible(NamedTuple):
    """What a device may read of one conversation: numbers, and the first position."""

    spans: list[tuple[int, int]]
    first: int

    def by_number(self, seq: int) -> bool:
        """Whether the account may read a number."""
        return any(first <= seq <= last for first, last in self.spans)

    def entry(self, entry: Entry) -> bool:
        """Whether the device may read an entry."""
        return entry.place.position >= self.first and self.by_number(entry.place.seq)

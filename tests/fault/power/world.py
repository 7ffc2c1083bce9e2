"""The oracle: what was told to whom, and what a database must hold for that to have been true.

It knows the promise, not the code: plain values, no cache, no index, no clock. Events come in the
order in which they happened; a cut falls between two of them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple


class Enrolled(NamedTuple):
    """A device was told that it is enrolled."""

    account: bytes
    device: bytes


class Sent(NamedTuple):
    """An operation was handed to the store; a message has a body, anything else a frame."""

    op: bytes
    person: int
    conversation: bytes
    body: bytes
    frame: Any = None


class Accepted(NamedTuple):
    """An operation was reported as accepted."""

    op: bytes
    conversation: bytes
    seq: int
    position: int

    def __str__(self) -> str:
        return f"op {self.op.hex()} at {self.conversation.hex()[:8]}:{self.seq} ({self.position})"


class Refused(NamedTuple):
    """An operation was reported as refused; if not for certain, it may stand nevertheless."""

    op: bytes
    code: int
    certain: bool


class Talk(NamedTuple):
    """A conversation exists, and these people keep its entries until they have heard them."""

    conversation: bytes
    members: tuple[int, ...]
    listeners: tuple[int, ...]


class Heard(NamedTuple):
    """A device acknowledged a conversation through a number."""

    person: int
    conversation: bytes
    seq: int


class Floor(NamedTuple):
    """A device will never send its operations below a counter again."""

    person: int
    counter: int


Event = Enrolled | Sent | Accepted | Refused | Talk | Heard | Floor


class Row(NamedTuple):
    """An entry as the database has it."""

    position: int
    conversation: bytes
    seq: int
    op: bytes | None
    frame: bytes | None

    def __str__(self) -> str:
        return f"op {(self.op or b'').hex()} ({self.position})"


@dataclass
class World:
    """Everything that was told, up to a moment.

    Attributes:
        people: enrolled devices, in the order in which they came.
        talks: by conversation.
        sent: every operation that was handed in.
        accepted: the answer of every operation that was accepted.
        refused: operations whose last answer was a refusal.
        heard: per person and conversation.
        floors: per person.
        counters: the last operation counter used, per person.
    """

    people: list[Enrolled] = field(default_factory=list)
    talks: dict[bytes, Talk] = field(default_factory=dict)
    sent: dict[bytes, Sent] = field(default_factory=dict)
    accepted: dict[bytes, Accepted] = field(default_factory=dict)
    refused: set[bytes] = field(default_factory=set)
    heard: dict[tuple[int, bytes], int] = field(default_factory=dict)
    floors: dict[int, int] = field(default_factory=dict)
    counters: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def copy(self) -> "World":
        """Return a world that goes its own way from here."""
        return replace(
            self, people=list(self.people), talks=dict(self.talks), sent=dict(self.sent),
            accepted=dict(self.accepted), refused=set(self.refused), heard=dict(self.heard),
            floors=dict(self.floors), counters=Counter(self.counters),
            complaints=list(self.complaints),
        )  # fmt: skip

    @property
    def doubtful(self) -> list[Sent]:
        """Operations without an answer, or with one that leaves them open."""
        return [sent for op, sent in self.sent.items() if op not in self.accepted]

    def learn(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case Enrolled():
                self.people.append(event)
            case Sent():
                self.sent[event.op] = event
                counter = int.from_bytes(event.op[8:])
                self.counters[event.person] = max(counter, self.counters[event.person])
            case Accepted():
                self._learn_accepted(event)
            case Refused():
                if event.certain:
                    self.refused.add(event.op)
                if event.op in self.accepted and event.certain:
                    self.complaints.append(
                        f"refused after it was accepted: {event.op.hex()} {event.code}"
                    )
            case Talk():
                self.talks[event.conversation] = event
            case Heard():
                key = event.person, event.conversation
                self.heard[key] = max(event.seq, self.heard.get(key, 0))
            case Floor():
                self.floors[event.person] = max(event.counter, self.floors.get(event.person, 0))

    def _learn_accepted(self, event: Accepted) -> None:
        known = self.accepted.setdefault(event.op, event)
        self.refused.discard(event.op)
        if known != event:
            self.complaints.append(f"answered twice, differently: {known} {event}")

    # -- judging -------------------------------------------------------------------------------

    def judge(self, rows: list[Row], floors: dict[bytes, int]) -> "Findings":
        """Compare what was told with the log, and the last number that is gone per conversation."""
        findings = Findings(len(self.accepted))
        places = {(row.conversation, row.seq): row for row in rows}
        ops = Counter(row.op for row in rows if row.op)
        findings.doubled += [f"op {op.hex()} stands {n} times" for op, n in ops.items() if n > 1]
        for op, accepted in self.accepted.items():
            row = places.get((accepted.conversation, accepted.seq))
            if row is None:
                if accepted.seq > floors.get(accepted.conversation, 0) or not self._may_go(
                    accepted
                ):
                    findings.lost.append(f"{accepted}")
            elif (row.op, row.position) != (op, accepted.position):
                findings.reordered.append(f"{accepted} but there is {row}")
            elif self.sent[op].body not in (row.frame or b""):
                findings.lost.append(f"the content of {accepted}")
        findings.doubled += [f"refused, and stands: {op.hex()}" for op in self.refused & ops.keys()]
        findings.reordered += list(find_disorder(rows, floors)) + self.complaints
        return findings

    def _may_go(self, accepted: Accepted) -> bool:
        """Whether everybody who keeps an entry has heard it."""
        talk = self.talks.get(accepted.conversation)
        return talk is not None and all(
            self.heard.get((person, talk.conversation), 0) >= accepted.seq
            for person in talk.listeners
        )


def find_disorder(rows: list[Row], floors: dict[bytes, int]) -> Iterable[str]:
    """Yield where the numbers of a conversation have a gap or come twice, in commit order."""
    heads: dict[bytes, int] = dict(floors)
    for row in sorted(rows):
        expected = heads.get(row.conversation, 0) + 1
        if row.seq != expected:
            yield f"{row.conversation.hex()} has {row.seq} in place of {expected}"
        heads[row.conversation] = row.seq


@dataclass
class Findings:
    """What does not agree."""

    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        """Everything found, each with its kind."""
        kinds = ("lost", "doubled", "reordered", "damaged")
        return [f"{kind}: {one}" for kind in kinds for one in getattr(self, kind)]

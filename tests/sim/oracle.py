"""The judge of a simulation: hears what is said and what is stored, and knows the promises only."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.sim import reading as r
from tests.sim.book import FOREVER, Book, Place
from tests.sim.histories import History
from tests.sim.reading import Frame, Reader
from tests.sim.registers import Registers

AGE = 255
"""Stands for TOO_FAR where the reason of a SKIP would."""
OLD = 254
"""The same in an answer to HISTORY: the device may have acknowledged the entry long ago."""
REASONS = {
    1: "expired", 2: "redacted", 3: "not visible", AGE: "gone by age", OLD: "gone from history",
}  # fmt: skip


class Claim(NamedTuple):
    """What a device was told that it will not get, and when."""

    device: bytes
    conversation: bytes
    first: int
    through: int
    reason: int
    now_ms: int


class Computer:
    """What is durable on a device, as it tells when it writes.

    Attributes:
        received: through which number each conversation is durable.
        entries: the durable entries by conversation and number.
        gaps: numbers that will not come, by conversation.
        unresolved: operations whose outcome is not durable yet.
        floor: no operation below it is sent any more.
        op_next: the counter that no durable operation has used.
        refused: operations refused for good, with the code.
        delivered: what was ever sent to it: (conversation, number).
        registers: the durable version of each register.
    """

    def __init__(self) -> None:
        self.received: dict[bytes, int] = {}
        self.entries: dict[bytes, dict[int, bytes]] = defaultdict(dict)
        self.gaps: dict[bytes, set[int]] = defaultdict(set)
        self.unresolved: set[bytes] = set()
        self.floor = 0
        self.op_next = 1
        self.refused: dict[bytes, int] = {}
        self.delivered: set[tuple[bytes, int]] = set()
        self.registers: dict[tuple[bytes, str], int] = {}


class Session:
    """What the server has said on one connection.

    Attributes:
        device: who it is.
        began_after: the newest position that was known when it began.
        condemned: the device was revoked before WELCOME, in the same commit at the latest: only
            the error that says so may follow.
        run: through which number each conversation was told.
        histories: requests for history under way, by stream.
        registers: the least version that the answer must have, by stream.
    """

    def __init__(self) -> None:
        self.down, self.up = Reader(), Reader()
        self.device = b""
        self.began_after = 0
        self.condemned = False
        self.run: dict[bytes, int] = {}
        self.histories: dict[int, History] = {}
        self.registers: dict[int, int] = {}


class Oracle:
    """Judges.

    Attributes:
        book: the logs.
        faults: broken promises, in the order of their discovery.
        counts: what was seen, how often.
        devices: by id.
        contents: the request of each operation.
        asked_after: the newest position that was known when an operation was first sent.
        asked_ms: when that was, by the running time.
        redactions: what somebody asked to redact: (conversation, number).
        revocations: devices that somebody asked to revoke.
        now_ms: by the server's running time; entries grow old by it.
    """

    def __init__(self) -> None:
        self.book = Book()
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.devices: dict[bytes, Computer] = defaultdict(Computer)
        self.contents: dict[bytes, Frame] = {}
        self.asked_after: dict[bytes, int] = {}
        self.asked_ms: dict[bytes, int] = {}
        self.registers = Registers()
        self.redactions: set[tuple[bytes, int]] = set()
        self.revocations: set[bytes] = set()
        self.now_ms = 0
        self.claims: list[Claim] = []
        self._sessions: dict[int, Session] = defaultdict(Session)

    def blame(self, what: str) -> None:
        """Note a broken promise."""
        self.faults.append(what)

    def start(self) -> None:
        """Forget the connections of an earlier run."""
        self._sessions.clear()
        self.counts.clear()

    # -- what the server says ------------------------------------------------------------------

    def server_said(self, connection: int, data: bytes) -> list[Frame]:
        """Take bytes that the server wrote; it stands by them from now on."""
        session = self._sessions[connection]
        frames = session.down.feed(data)
        for frame in frames:
            self._heard(session, frame)
        if self.book.faults:
            self.faults += self.book.faults
            self.book.faults.clear()
        return frames

    def _heard(self, session: Session, frame: Frame) -> None:
        kind, body = frame.type, frame.body
        if session.condemned and kind != r.ERROR:
            self.blame(f"a revoked device was let in: {session.device.hex()[:6]}")
        answer = self._answers.get(kind) if frame.stream else None
        if answer is not None:
            answer(session, frame)
        elif kind == r.DELIVER:
            self._delivered(session, frame)
        elif kind == r.SKIP:
            self._skipped(session, body[0], body[1], body[2])
        elif kind == r.TOO_FAR:
            self._skipped(session, body[0], body[1] - 1, AGE)
        elif kind == r.REGISTER:
            self._register(session, frame)
        elif kind == r.WELCOME:
            self._welcomed(session, frame)
        elif kind == r.ERROR:
            self.counts[f"error {body[0]}"] += 1
        elif kind in (r.REPLACED, r.GO_AWAY):
            self.counts[frame.name] += 1

    @property
    def _answers(self) -> dict[int, Callable[[Session, Frame], None]]:
        return {
            r.DELIVER: self._history, r.SKIP: self._history, r.TOO_FAR: self._history,
            r.DONE: self._done, r.REGISTER: self._register, r.ACCEPTED: self._accepted,
            r.ERROR: self._refused,
        }  # fmt: skip

    def _welcomed(self, session: Session, frame: Frame) -> None:
        session.device, session.began_after = frame.body[2], self.book.position
        self.book.owners[session.device] = frame.body[1]
        self.devices[session.device]
        gone = self.book.revoked.get(session.device, FOREVER)
        session.condemned = gone <= frame.body[5]

    def _refused(self, session: Session, frame: Frame) -> None:
        self.counts[f"error {frame.body[0]}"] += 1
        session.histories.pop(frame.stream, None)
        session.registers.pop(frame.stream, None)

    def _done(self, session: Session, frame: Frame) -> None:
        history = session.histories.pop(frame.stream, None)
        if history is not None:
            history.end(frame.body[0], self.blame)
            self.counts["history"] += 1

    def _delivered(self, session: Session, frame: Frame) -> None:
        conversation, seq, position, time_ms, sender, _, envelope = frame.body
        self.book.tell(Place(conversation, seq, position, time_ms), sender, envelope)
        if self.book.redacted_at(conversation, seq) <= session.began_after:
            self.blame(f"told although it was redacted before: {conversation.hex()[:6]}/{seq}")
        self._run(session, conversation, seq)

    def _history(self, session: Session, frame: Frame) -> None:
        history = session.histories.get(frame.stream)
        if history is None:
            self.blame(f"history that nobody asked for: {frame.name} on {frame.stream}")
            return
        first = history.take(frame, self.book, self.blame)
        if frame.type == r.DELIVER:
            conversation, seq, position, time_ms, sender, _, envelope = frame.body
            self.book.tell(Place(conversation, seq, position, time_ms), sender, envelope)
            self.devices[session.device].delivered.add((conversation, seq))
        else:
            reason = frame.body[2] if frame.type == r.SKIP else OLD
            self.counts["history skips: " + REASONS.get(reason, "?")] += 1
            self._claim(session, frame.body[0], first, history.through, reason)

    def _register(self, session: Session, frame: Frame) -> None:
        account = self.book.owners[session.device]
        least = session.registers.pop(frame.stream, 0) if frame.stream else 0
        if frame.body[2] < least:
            self.blame(f"register {frame.body[1]} lost version {least}")
        self.registers.tell(account, frame.body, self.blame)
        self.counts["register"] += 1

    def _accepted(self, session: Session, frame: Frame) -> None:
        op, conversation, seq, position, time_ms = frame.body
        place = Place(conversation, seq, position, time_ms)
        asked = self.contents.get(op)
        if asked is None or op[:8] != session.device:
            self.blame(f"acceptance of what was never asked: {op.hex()}")
            return
        if self.book.accept(op, place):
            self.counts["accepted again"] += 1
        if asked.type == r.SEND:
            sender = self.book.owners[session.device] + session.device
            self.book.tell(place, sender, asked.body[0])
        if frame.flags & r.CURRENT:
            self._run(session, conversation, seq)

    def _run(self, session: Session, conversation: bytes, seq: int) -> None:
        """Entries come one after the other, from where the device is durable."""
        device = self.devices[session.device]
        before = session.run.get(conversation)
        if before is None:
            if seq > device.received.get(conversation, 0) + 1:
                self._hole(session, conversation, device.received.get(conversation, 0), seq)
        elif seq > before + 1:
            self._hole(session, conversation, before, seq)
        elif seq <= before:
            self.blame(f"sent twice on one connection: {conversation.hex()[:6]}/{seq}")
        session.run[conversation] = seq
        if (conversation, seq) in device.delivered:
            self.counts["raw duplicates"] += 1
        device.delivered.add((conversation, seq))

    def _hole(self, session: Session, conversation: bytes, before: int, seq: int) -> None:
        told = f"{conversation.hex()[:6]}/{seq} after {before} to {session.device.hex()[:6]}"
        self.blame(f"a hole without a reason: {told}")

    def _skipped(self, session: Session, conversation: bytes, through: int, reason: int) -> None:
        device = self.devices[session.device]
        before = session.run.get(conversation, device.received.get(conversation, 0))
        self.counts["skip: " + REASONS.get(reason, "?")] += 1
        if through > before:
            self._claim(session, conversation, before + 1, through, reason)
        session.run[conversation] = through

    def _claim(
        self, session: Session, conversation: bytes, first: int, through: int, reason: int
    ) -> None:
        claim = Claim(session.device, conversation, first, through, reason, self.now_ms)
        self.claims.append(claim)

    # -- what a client says --------------------------------------------------------------------

    def client_said(self, connection: int, data: bytes) -> list[Frame]:
        """Take bytes that a client wrote."""
        session = self._sessions[connection]
        frames = session.up.feed(data)
        for frame in frames:
            if frame.type in r.OPERATIONS:
                self._asked(session, frame)
            elif frame.type == r.ACK:
                self._acknowledged(session, frame)
            elif frame.type == r.HISTORY:
                session.histories[frame.stream] = self._wanted_history(session, frame)
            elif frame.type == r.SET_REGISTER:
                account = self.book.owners[session.device]
                session.registers[frame.stream] = self.registers.ask(account, frame.body)
            elif frame.type == r.REVOKE_DEVICE:
                self.revocations.add(frame.body[0])
        return frames

    def _wanted_history(self, session: Session, frame: Frame) -> History:
        conversation, first, last, limit = frame.body
        own = self.devices[session.device].entries[conversation]
        owed = max((seq for seq in own if first <= seq <= last), default=0)
        return History(
            conversation, first, last, limit, owed, self.book.position, max(1, first) - 1
        )

    def _asked(self, session: Session, frame: Frame) -> None:
        op = r.operation_of(frame)
        device = self.devices[session.device]
        known = self.contents.setdefault(op, frame)
        self.asked_after.setdefault(op, self.book.position)
        self.asked_ms.setdefault(op, self.now_ms)
        if (known.type, known.body) != (frame.type, frame.body):
            self.blame(f"an operation id was used twice: {op.hex()}")
        if known is not frame:
            self.counts["asked again"] += 1
        if frame.type == r.REDACT:
            self.redactions.add((frame.body[1], frame.body[2]))
        if op not in device.unresolved:
            self.blame(f"sent before it was durable, or after its end: {op.hex()}")
        if int.from_bytes(op[8:], "big") < device.floor:
            self.blame(f"sent below the device's own floor: {op.hex()}")

    def _acknowledged(self, session: Session, frame: Frame) -> None:
        device = self.devices[session.device]
        cursors, floor = frame.body
        for conversation, seq in cursors:
            if seq > device.received.get(conversation, 0):
                self.blame(f"acknowledged before it was durable: {conversation.hex()[:6]}/{seq}")
        waiting = [int.from_bytes(op[8:], "big") for op in device.unresolved]
        if floor > min(waiting, default=device.op_next):
            self.blame(f"floor {floor} above an operation that waits")
        device.floor = max(device.floor, floor)

    # -- what becomes durable ------------------------------------------------------------------

    def stored(self, device: bytes, entries: Iterable[tuple[Place, bytes | None, bytes]]) -> None:
        """A device made entries durable."""
        known = self.devices[device]
        for place, sender, envelope in entries:
            told = self.book.logs[place.conversation].get(place.seq)
            if told is None or (told.place, told.sender, told.envelope) != (
                place,
                sender,
                envelope,
            ):
                self.blame(f"stored what was never told: {place}")
            own = known.entries[place.conversation]
            if place.seq in own:
                self.blame(f"handed over twice: {place}")
            own[place.seq] = envelope
            known.received[place.conversation] = max(
                place.seq, known.received.get(place.conversation, 0)
            )
            self.counts["handed over"] += 1

    def gone(self, device: bytes, conversation: bytes, first: int, through: int) -> None:
        """A device made durable that it will not get some entries."""
        known = self.devices[device]
        known.gaps[conversation].update(range(first, through + 1))
        known.received[conversation] = max(through, known.received.get(conversation, 0))

    def kept_registers(self, device: bytes, registers: dict[tuple[bytes, str], int]) -> None:
        """A device has made registers durable."""
        self.devices[device].registers = dict(registers)

    def wanted(self, device: bytes, op: bytes, op_next: int) -> None:
        """A device made an operation durable, to be sent."""
        known = self.devices[device]
        known.unresolved.add(op)
        known.op_next = max(known.op_next, op_next)

    def resolved(self, device: bytes, op: bytes, refused: int) -> None:
        """A device made the outcome of an operation durable; ``refused`` is 0, or the code."""
        known = self.devices[device]
        known.unresolved.discard(op)
        if refused:
            known.refused[op] = refused
            self.counts[f"refused for good {refused}"] += 1
        else:
            self.counts["accepted"] += 1

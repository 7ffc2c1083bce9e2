"""What only the end of a simulation can tell."""

from tests.sim.book import FOREVER, MESSAGE, NO_OP, Entry, Place, Visible
from tests.sim.oracle import AGE, OLD, REASONS, Claim, Computer, Oracle

BLAMING = {3002: "CONFLICT", 3003: "OP_EXPIRED", 3004: "OP_FOREIGN", 3011: "ENVELOPE_INVALID"}
"""Refusals that an honest client never earns."""
REDACTED = 2


class Verdict:
    """What only the end can tell.

    Args:
        oracle: what was heard.
        kept_s: how long entries are kept at least, and at most.
    """

    def __init__(self, oracle: Oracle, kept_s: tuple[float, float]) -> None:
        self._oracle = oracle
        self._book = oracle.book
        self._kept_s = kept_s
        self._calm = False

    def safety(self) -> None:
        """Look at everything that holds at any moment."""
        for device, known in self._oracle.devices.items():
            self._check_rights(device, known)
            self._check_refusals(device, known)
        for claim in self._oracle.claims:
            self._check_claim(claim)
        self._check_orders()

    def liveness(self, devices: list[bytes]) -> None:
        """Look at what must be there when the faults are over."""
        blame, self._calm = self._oracle.blame, True
        for op in self.unseen():
            place = self._book.accepted[op]
            blame(f"lost: accepted and never seen again: {op.hex()} {place}")
        for device in devices:
            known = self._oracle.devices[device]
            for op in known.unresolved:
                blame(f"without an answer: {op.hex()}")
            for missing in self.missing(device):
                blame(f"lost: {missing} is not on {device.hex()[:6]}")

    def unseen(self) -> list[bytes]:
        """Return what was accepted, and told to nobody who may read it."""
        return [
            op
            for op, place in self._book.accepted.items()
            if place.seq not in self._book.logs[place.conversation]
            and self._has_reader(place)
            and not self._is_gone(op)
        ]

    def _has_reader(self, place: Place) -> bool:
        """Whether any device may read an entry: nobody does when the invited decline after all left."""
        if 1 not in self._book.logs[place.conversation]:
            return True  # who reads it was not heard; whoever made it does
        return any(
            visible.first <= place.position and visible.by_number(place.seq)
            for visible in (
                self._book.visible(device, place.conversation) for device in self._book.owners
            )
        )

    def _is_gone(self, op: bytes) -> bool:
        """Whether somebody was told that an entry is gone, and it was old enough for that.

        Nobody need have seen it before: a wrong clock at the start of a server costs a day.
        """
        place, most_ms = self._book.accepted[op], self._kept_s[1] * 1000
        return any(
            claim.first <= place.seq <= claim.through
            and claim.now_ms - self._oracle.asked_ms[op] >= most_ms
            for claim in self._told_gone(place.conversation)
        )

    def _told_gone(self, conversation: bytes) -> list[Claim]:
        """Return what anybody was told to be gone by age."""
        return [
            claim
            for claim in self._oracle.claims
            if claim.conversation == conversation and claim.reason in (AGE, OLD)
        ]

    def _is_known(self, conversation: bytes, seq: int) -> bool:
        """Whether all before an entry was seen: what nobody saw may have said who reads it."""
        log = self._book.logs[conversation]
        return all(before in log for before in range(1, seq))

    def _may_have_left(self, conversation: bytes, seq: int) -> bool:
        """Whether something before an entry is gone that nobody saw: it may say who left."""
        log = self._book.logs[conversation]
        return any(
            gone not in log
            for claim in self._told_gone(conversation)
            for gone in range(claim.first, min(claim.through + 1, seq))
        )

    def missing(self, device: bytes) -> list[str]:
        """Return what a device may read and has neither got nor been told to be gone."""
        known = self._oracle.devices[device]
        found = self._oracle.registers.missing(self._book.owners[device], known.registers)
        for conversation, log in self._book.logs.items():
            visible = self._book.visible(device, conversation)
            if not visible.spans:
                continue
            own, gaps = known.entries.get(conversation, {}), known.gaps.get(conversation, set())
            found += [
                f"{conversation.hex()[:6]}/{seq}"
                for seq, entry in log.items()
                if seq not in own
                and seq not in gaps
                and visible.entry(entry)
                and not self._may_have_left(conversation, seq)
            ]
            found += [
                f"{conversation.hex()[:6]}/{seq} (passed over)"
                for seq in range(1, known.received.get(conversation, 0) + 1)
                if seq not in own and seq not in gaps
            ]
        return found

    def _check_rights(self, device: bytes, known: Computer) -> None:
        """Nobody reads from before joining, after leaving, or on a device that was revoked."""
        gone = self._book.revoked.get(device, FOREVER)
        for conversation, seq in known.delivered:
            entry = self._book.logs[conversation].get(seq)
            visible = self._book.visible(device, conversation)
            forbidden = entry is not None and not visible.entry(entry)
            if forbidden and self._is_known(conversation, seq):
                told = f"{conversation.hex()[:6]}/{seq} to {device.hex()[:6]}"
                self._oracle.blame(f"told to one who may not read it: {told}")
            if entry is not None and entry.place.position > gone:
                told = f"{conversation.hex()[:6]}/{seq} to {device.hex()[:6]}"
                self._oracle.blame(f"told to a device that was revoked before: {told}")

    def _check_refusals(self, device: bytes, known: Computer) -> None:
        for op, code in known.refused.items():
            if op in self._book.ops:
                self._oracle.blame(f"refused, and there: {op.hex()}")
            if code in BLAMING:
                self._oracle.blame(f"{BLAMING[code]} for an honest operation: {op.hex()}")

    def _check_orders(self) -> None:
        """Positions rise with the numbers, and a device's operations come in its order."""
        for conversation, log in self._book.logs.items():
            position, counters = 0, dict[bytes, int]()
            for seq in sorted(log):
                entry = log[seq]
                if entry.place.position <= position:
                    self._oracle.blame(f"positions fall at {conversation.hex()[:6]}/{seq}")
                position = entry.place.position
                op = entry.read.op
                if op == NO_OP:
                    continue
                counter = int.from_bytes(op[8:], "big")
                if counter <= counters.get(op[:8], 0) and not self._may_be_late(entry):
                    self._oracle.blame(f"out of its sender's order: {op.hex()}")
                counters[op[:8]] = counter

    def _may_be_late(self, entry: Entry) -> bool:
        """An earlier copy may have been refused: a change at any time, a message of no member.

        Refusals record nothing: when the answer is lost, the operation is sent again, and later
        ones may have been accepted meanwhile.
        """
        if entry.read.kind != MESSAGE:
            return True
        after = self._oracle.asked_after[entry.read.op]
        sender = entry.sender or b""
        return self._book.joined_after(entry.place.conversation, sender[:16], after)

    # -- whether a reason holds ----------------------------------------------------------------

    def _check_claim(self, claim: Claim) -> None:
        visible = self._book.visible(claim.device, claim.conversation)
        log = self._book.logs[claim.conversation]
        for seq in range(claim.first, claim.through + 1):
            entry = log.get(seq)
            if not self._holds(claim, visible, seq, entry):
                told = f"{claim.conversation.hex()[:6]}/{seq} to {claim.device.hex()[:6]}"
                self._oracle.blame(f"a reason that does not hold: {REASONS[claim.reason]}, {told}")

    def _holds(self, claim: Claim, visible: Visible, seq: int, entry: Entry | None) -> bool:
        if claim.reason == 3:
            since_known = claim.device in self._book.first
            return entry is None or not since_known or not visible.entry(entry)
        if not visible.by_number(seq) or entry is None:
            return True
        age_ms = self._age_ms(claim, entry)
        if claim.reason == REDACTED:
            place = claim.conversation, seq
            told = self._book.redacted_at(*place) < FOREVER
            return told or (not self._calm and place in self._oracle.redactions)
        if claim.reason == 1:
            return entry.read.ttl_s > 0 and age_ms >= entry.read.ttl_s * 1000
        if claim.reason in (AGE, OLD):
            least_s, most_s = self._kept_s
            first = self._book.first.get(claim.device, FOREVER)  # nobody saw it come: it may be new
            soon = entry.place.position < first or claim.reason == OLD
            return age_ms >= (least_s if soon else most_s) * 1000
        return False

    def _age_ms(self, claim: Claim, entry: Entry) -> int:
        """Return how old an entry can have been: as its operation, or as everything."""
        return claim.now_ms - self._oracle.asked_ms.get(entry.read.op, 0)

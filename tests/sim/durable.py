"""A device's durable state without a disk: what was committed stays, everything else is lost."""

from dataclasses import dataclass, field

from wxclient._protocol.identifiers import ConversationId
from wxclient.records import Batch, Identity, OutboxRow, Snapshot


@dataclass
class Durable:
    """What a state file holds, as far as the core and an application depend on it.

    Attributes:
        identity: who the device is.
        op_next: the counter that no operation has used.
        position: the resume position.
        outbox: operations that wait, by counter.
        received: through which number each conversation is there.
        registers: the version of each register.
    """

    identity: Identity
    op_next: int = 1
    position: int = 0
    outbox: dict[int, OutboxRow] = field(default_factory=dict)
    received: dict[ConversationId, int] = field(default_factory=dict)
    registers: dict[tuple[bytes, str], int] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        """Return what a core that starts must know."""
        rows = tuple(self.outbox[counter] for counter in sorted(self.outbox))
        received = dict(self.received)
        return Snapshot(self.identity, self.op_next, self.position, rows, received, frozenset())

    def commit(self, batch: Batch) -> None:
        """Make a batch durable, whole."""
        if batch.enrolled is not None:
            account, device, timeline = batch.enrolled
            self.identity = self.identity._replace(
                account=account, device=device, timeline=timeline, code=b""
            )
        self.outbox.update((row.counter, row) for row in batch.ops)
        self.op_next = max(self.op_next, batch.op_next)
        for outcome in batch.outcomes:
            del self.outbox[outcome.counter]
        self.received.update(batch.received)
        for one in batch.registers:
            place = one.conversation, one.key
            self.registers[place] = max(one.version, self.registers.get(place, 0))
        if batch.position is not None:
            self.position = batch.position

"""What a client knows across its connections: identity, outbox, requests, what was received."""

from wxclient._protocol.frames import Changes, Frame, Register, Welcome
from wxclient._protocol.identifiers import ConversationId, OpId, op_id
from wxclient.events import (
    ConversationsChanged,
    DeviceEnrolled,
    EntriesStored,
    Event,
    RegisterChanged,
)
from wxclient.exceptions import NotEnrolled
from wxclient.limits import CoreLimits
from wxclient.records import Batch, Enrolled, Identity, OutboxRow, Snapshot

from .checking import check_frame, check_identifier
from .outbox import Outbox
from .ports import Clock, Entropy
from .reception import Reception, kind_of
from .requests import Requests
from .tally import Tally


class Device:
    """The lasting half of the core; a ``Session`` is the other."""

    def __init__(
        self, snapshot: Snapshot, clock: Clock, entropy: Entropy, limits: CoreLimits
    ) -> None:
        self.clock = clock
        self.entropy = entropy
        self.limits = limits
        self.tally = Tally()
        self.identity: Identity = snapshot.identity
        self.position = snapshot.position
        self.outbox = Outbox(snapshot.outbox, snapshot.op_next, limits, entropy, self.tally)
        self.requests = Requests(limits, entropy)
        self.known = set(snapshot.received)
        self.reception = Reception(snapshot, self.tally)
        self.missing: tuple[ConversationId, int] | None = None
        self.batch = Batch(0)
        self.batch_bytes = 0
        self.events: list[Event] = []

    def clipped(self, snapshot: Snapshot) -> None:
        """Take what is left after the state file was clipped to an earlier position."""
        self.identity = snapshot.identity
        self.position = snapshot.position
        self.known = set(snapshot.received)
        self.reception = Reception(snapshot, self.tally)

    # -- operations ----------------------------------------------------------------------------

    def next_op(self, body_bytes: int) -> OpId:
        """Name a new operation.

        Raises:
            NotEnrolled: there is no device id yet.
            OutboxFull: a limit is reached.
        """
        if self.identity.device is None:
            raise NotEnrolled("the device is not enrolled yet")
        return op_id(self.identity.device, self.outbox.allocate(body_bytes))

    def row(
        self, counter: int, conversation: ConversationId, frame: Frame, flags: int = 0
    ) -> OutboxRow:
        """Return an operation as it goes into the outbox.

        Args:
            counter: of the operation.
            conversation: in which the server keeps its order.
            frame: the request.
            flags: header flags.

        Raises:
            InvalidArgument: the server would not take it.
        """
        check_identifier(conversation, "conversation")
        return OutboxRow(counter, conversation, frame, flags, check_frame(frame))

    def enqueue(self, row: OutboxRow) -> None:
        """Take an operation that is to be made durable with the next batch."""
        self.outbox.add(row)
        self.batch.ops.append(row)
        self.batch.op_next = self.outbox.op_next

    # -- what the server tells -----------------------------------------------------------------

    def welcomed(self, welcome: Welcome) -> None:
        """Keep what the first WELCOME gives."""
        self.identity = self.identity._replace(
            account=welcome.account, device=welcome.device, timeline=welcome.timeline, code=b""
        )
        self.batch.enrolled = Enrolled(welcome.account, welcome.device, welcome.timeline)
        self.batch.events.append(DeviceEnrolled(welcome.account, welcome.device))

    def changes(self, frame: Changes) -> None:
        """Keep a page of changed conversations."""
        for state in frame.conversations:
            self.batch.conversations[state.conversation] = state
            self.known.add(state.conversation)
        if frame.conversations:
            ids = tuple(state.conversation for state in frame.conversations)
            self.batch.events.append(ConversationsChanged(ids))

    def register(self, register: Register) -> None:
        """Keep the value of a register."""
        self.batch.registers.append(register)
        self.batch.events.append(RegisterChanged(register))

    def meet(self) -> None:
        """Find out what kind newly met conversations are, by their first entry here."""
        account, device = self.identity.account, self.identity.device
        assert account is not None, "entries come after WELCOME"
        assert device is not None, "entries come after WELCOME"
        for entry in self.batch.entries:
            if entry.conversation not in self.known:
                self.known.add(entry.conversation)
                kind = kind_of(entry.conversation, account, device, entry)
                self.batch.kinds[entry.conversation] = kind

    def take_batch(self, session: int) -> Batch:
        """Return what gathered, and start a new batch."""
        if self.batch.entries:
            self.meet()
            self.batch.events.append(EntriesStored(len(self.batch.entries)))
        batch, self.batch = self.batch, Batch(0)
        batch.session = session
        self.batch_bytes = 0
        return batch

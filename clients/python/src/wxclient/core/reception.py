"""What comes from the logs: a gapless run per conversation, each entry once."""

from wxclient._protocol.envelope import ConversationKind, decode_envelope
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import Refusal, RemoteProtocolError
from wxclient._protocol.frames import Accepted, Deliver, Skip, TooFar
from wxclient._protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    OpId,
    Sender,
    device_conversation,
    direct_conversation,
    notice_conversation,
    self_conversation,
    sender_account,
    sender_device,
)
from wxclient.facts import Created, read_fact
from wxclient.records import Batch, EntryRow, Gap, Snapshot

from .tally import Tally

GONE_BY_AGE = 255
"""Reason of a gap that TOO_FAR told; SKIP's reasons are the server's."""


class MissingEntryError(RemoteProtocolError):
    """The server sent an entry and not the one before it.

    Attributes:
        place: the conversation and the sequence number that was to come.
    """

    def __init__(self, conversation: ConversationId, expected: int, first: int) -> None:
        super().__init__(ErrorCode.UNEXPECTED_FRAME, f"entry {first} instead of {expected}")
        self.place = conversation, expected


class Reception:
    """Knows through what each conversation was received, and puts what is new into a batch."""

    __slots__ = ("_clipped", "_received", "_tally")

    def __init__(self, snapshot: Snapshot, tally: Tally) -> None:
        self._received = dict(snapshot.received)
        self._clipped = set(snapshot.clipped)
        self._tally = tally

    def received(self, conversation: ConversationId) -> int:
        """Return through what a conversation was received, 0 for nothing."""
        return self._received.get(conversation, 0)

    def deliver(self, frame: Deliver, device: DeviceId, batch: Batch) -> None:
        """Take an entry.

        Raises:
            MissingEntryError: an entry before it is missing.
        """
        if not self._advance(frame.conversation, frame.seq, frame.seq, batch):
            return
        self._tally.entries_received += 1
        kind, op = _readable(frame.envelope)
        own = frame.sender is not None and sender_device(frame.sender) == device
        batch.entries.append(
            EntryRow(
                frame.conversation, frame.seq, frame.position, frame.time_ms, frame.sender,
                frame.tag, kind, op, own, frame.envelope,
            )
        )  # fmt: skip

    def own(self, accepted: Accepted, envelope: bytes, sender: Sender, batch: Batch) -> None:
        """Take an entry of our own whose acceptance stands for its delivery.

        Raises:
            MissingEntryError: an entry before it is missing.
        """
        self.deliver(
            Deliver(
                accepted.conversation, accepted.seq, accepted.position, accepted.time_ms, sender,
                b"", envelope,
            ),
            sender_device(sender),
            batch,
        )  # fmt: skip

    def skip(self, frame: Skip, batch: Batch) -> None:
        """Take note of entries that will not come."""
        self._tally.skips += 1
        self._gap(frame.conversation, frame.through, frame.reason, batch)

    def too_far(self, frame: TooFar, batch: Batch) -> None:
        """Take note of entries that are gone by age."""
        self._tally.too_far += 1
        if frame.first > 1:
            self._gap(frame.conversation, frame.first - 1, GONE_BY_AGE, batch)

    def _gap(self, conversation: ConversationId, through: int, reason: int, batch: Batch) -> None:
        first = self.received(conversation) + 1
        if self._advance(conversation, first, through, batch):
            batch.gaps.append(Gap(conversation, first, through, reason))

    def _advance(
        self, conversation: ConversationId, first: int, through: int, batch: Batch
    ) -> bool:
        """Return whether ``first`` … ``through`` is new; what was received before is counted."""
        received, clipped = self.received(conversation), conversation in self._clipped
        if first > received + 1 and not clipped:
            raise MissingEntryError(conversation, received + 1, first)
        batch.seen[conversation] = max(through, batch.seen.get(conversation, 0))
        if through <= received:
            self._tally.duplicates += 1
            return False
        if clipped:
            self._clipped.remove(conversation)
            batch.resumed[conversation] = first
        self._received[conversation] = batch.received[conversation] = through
        return True


def _readable(envelope: bytes) -> tuple[int, OpId]:
    """Return kind and operation; an envelope of a later version is kept and not understood."""
    try:
        read = decode_envelope(envelope)
    except Refusal:
        return 0, OpId(bytes(16))
    return read.kind, read.op


def kind_of(
    conversation: ConversationId, account: AccountId, device: DeviceId, entry: EntryRow
) -> ConversationKind:
    """Return the kind of a newly met conversation, as its first entry here or its id tells.

    A group that one joins later does not begin with CREATED; everything else is told by its id.
    """
    fact = read_fact(entry.envelope)
    if isinstance(fact, Created):
        return ConversationKind(fact.kind)
    derived = {
        self_conversation(account): ConversationKind.SELF,
        notice_conversation(account): ConversationKind.NOTICE,
        device_conversation(device): ConversationKind.DEVICE,
    }
    if entry.sender is not None:
        other = sender_account(entry.sender)
        derived[direct_conversation(account, other)] = ConversationKind.DIRECT
    return derived.get(conversation, ConversationKind.GROUP)

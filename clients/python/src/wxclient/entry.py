"""An entry of a conversation, as an application sees it."""

from dataclasses import dataclass
from typing import NamedTuple

from ._protocol.envelope import Envelope, decode_envelope
from ._protocol.exceptions import Refusal
from ._protocol.frames import Deliver
from ._protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    OpId,
    Sender,
    sender_account,
    sender_device,
)
from .facts import Fact, read_fact


class EntryKey(NamedTuple):
    """What names an entry for ever; two hand-overs with one key are the same entry."""

    timeline: bytes
    conversation: ConversationId
    seq: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        timeline: of the server's history in which it was received.
        conversation: where it stands.
        seq: its place there, from 1.
        position: its place in the whole history.
        time_ms: when the server took it, unix time in milliseconds.
        sender: account and device, or None when the server speaks.
        kind: what it is; see ``Kind``. 0 for an envelope this version cannot read.
        op: by which operation it was sent, or 16 zero bytes.
        own: sent by this very device.
        redacted: its content was deleted for everybody.
        envelope: the sender's bytes; empty once redacted.
    """

    timeline: bytes
    conversation: ConversationId
    seq: int
    position: int
    time_ms: int
    sender: Sender | None
    kind: int
    op: OpId
    own: bool
    redacted: bool
    envelope: bytes

    @property
    def key(self) -> EntryKey:
        """Return the stable name of the entry."""
        return EntryKey(self.timeline, self.conversation, self.seq)

    @property
    def account(self) -> AccountId | None:
        """Return whose account sent it, or None when the server speaks."""
        return None if self.sender is None else sender_account(self.sender)

    @property
    def device(self) -> DeviceId | None:
        """Return which device sent it, or None when the server speaks."""
        return None if self.sender is None else sender_device(self.sender)

    @property
    def content(self) -> Envelope | None:
        """Return the readable envelope; None if redacted, or of a later version."""
        try:
            return decode_envelope(self.envelope) if self.envelope else None
        except Refusal:
            return None

    @property
    def body(self) -> bytes:
        """Return the body that the sender wrote; empty if there is no readable envelope."""
        content = self.content
        return b"" if content is None else content.body

    @property
    def fact(self) -> Fact | None:
        """Return what the server says in it; None for a message."""
        return read_fact(self.envelope)

    @classmethod
    def received(cls, timeline: bytes, frame: Deliver, device: DeviceId) -> "Entry":
        """Return the entry of a DELIVER frame."""
        try:
            envelope = decode_envelope(frame.envelope)
            kind, op = envelope.kind, envelope.op
        except Refusal:
            kind, op = 0, OpId(bytes(16))
        own = frame.sender is not None and sender_device(frame.sender) == device
        return cls(
            timeline, frame.conversation, frame.seq, frame.position, frame.time_ms, frame.sender,
            kind, op, own, redacted=False, envelope=frame.envelope,
        )  # fmt: skip

"""Frames that carry what people write, and what keeps it in step. Source: docs/protocol.md."""

from typing import Annotated, NamedTuple

from .fields import U8, U16, U32, U63, Bool, Bytes, Many, Row, Text, UInt
from .identifiers import ConversationId
from .limits import (
    ACK_CURSORS_MAX,
    ENVELOPE_BYTES_MAX,
    EPHEMERAL_BYTES_MAX,
    PAGE_CONVERSATIONS_MAX,
    PAGE_INTERVALS_MAX,
    REGISTER_KEY_BYTES_MAX,
    REGISTER_VALUE_BYTES_MAX,
)
from .named_fields import Conversation, Op, OptionalSender
from .schema import Record


class Send(NamedTuple):
    """Append an entry; the envelope is forwarded byte for byte.

    Attributes:
        envelope: see "Envelope".
    """

    envelope: Annotated[bytes, Bytes(1, ENVELOPE_BYTES_MAX)]


class Accepted(NamedTuple):
    """The operation is on stable storage as entry `seq` of `conversation`.

    Attributes:
        op: of the request.
        conversation: of the entry.
        seq: its number in the conversation.
        position: its commit position.
        time_ms: when it was committed.
    """

    op: Op
    conversation: Conversation
    seq: U63
    position: U63
    time_ms: U63


class Deliver(NamedTuple):
    """An entry; identical bytes for every recipient.

    Attributes:
        conversation: whose log it is.
        seq: number in the conversation: 1, 2, 3 …
        position: commit position, rising over all conversations.
        time_ms: when it was committed.
        sender: account and device; nil when the server speaks.
        tag: reserved for a proof that the server passed this on; empty now.
        envelope: exactly the bytes that were sent.
    """

    conversation: Conversation
    seq: U63
    position: U63
    time_ms: U63
    sender: OptionalSender
    tag: Annotated[bytes, Bytes(0, 32)]
    envelope: Annotated[bytes, Bytes(1, ENVELOPE_BYTES_MAX)]


class Skip(NamedTuple):
    """Everything after the last entry sent and up to `through` will not come.

    Attributes:
        conversation: which one.
        through: the last number that is left out.
        reason: 1 expired, 2 redacted, 3 not visible to this device.
    """

    conversation: Conversation
    through: U63
    reason: U8


class Ack(NamedTuple):
    """What the client has made durable, and the operations it will never send again.

    Attributes:
        cursors: (conversation, seq): everything through seq is durable here.
        ops_done_below: operations with a smaller counter will never be sent again; 0 says nothing.
    """

    cursors: Annotated[
        tuple[tuple[ConversationId, int], ...],
        Many(Row((Bytes(16, 16), UInt(63))), 0, ACK_CURSORS_MAX),
    ]
    ops_done_below: U63


class Credit(NamedTuple):
    """Widens the window for pushes by so many bytes and entries.

    Attributes:
        bytes_more: added to the window.
        entries_more: added to the window.
    """

    bytes_more: U32
    entries_more: U32


class Sync(NamedTuple):
    """Resume: what changed after position `since`, in pages of `limit` conversations.

    Attributes:
        since: position of the last SYNCED that was made durable, 0 at first.
        limit: conversations in one page, 1 … 256.
    """

    since: U63
    limit: U16


class ConversationState(NamedTuple):
    """One conversation as a device sees it: an element of pages, not a frame.

    Attributes:
        conversation: its id.
        kind: 1 direct, 2 group, 3 self, 4 device, 5 service, 6 channel, 7 notice.
        head: number of the newest entry that this device may see.
        position: of its last change that concerns this device.
        unread: entries after the device's cursor.
        intervals: newest visible runs [first, last] of numbers; last 0 while it is open.
    """

    conversation: Conversation
    kind: U8
    head: U63
    position: U63
    unread: U32
    intervals: Annotated[
        tuple[tuple[int, int], ...], Many(Row((UInt(63), UInt(63))), 0, PAGE_INTERVALS_MAX)
    ]


States = Annotated[
    tuple[ConversationState, ...], Many(Record(ConversationState), 0, PAGE_CONVERSATIONS_MAX)
]


class Changes(NamedTuple):
    """A page of changed conversations; the last one has `more` = false.

    Attributes:
        conversations: changed ones, latest first.
        more: whether another page follows on this stream.
    """

    conversations: States
    more: Bool


class TooFar(NamedTuple):
    """Entries before `first` are gone by age; the conversation goes on from there.

    Attributes:
        conversation: which one.
        first: the first number that is still there, or will be next.
    """

    conversation: Conversation
    first: U63


class Synced(NamedTuple):
    """All that this device may see through `position` has been sent on this connection.

    Attributes:
        position: to resume from, once all that came before is durable.
    """

    position: U63


class History(NamedTuple):
    """Ask for entries `first` … `last` (at most `limit`); answered on the stream, then DONE(next).

    Attributes:
        conversation: which one.
        first: first number wanted.
        last: last number wanted.
        limit: how many entries at most, 1 … 256.
    """

    conversation: Conversation
    first: U63
    last: U63
    limit: U16


class SetRegister(NamedTuple):
    """Write a register; it wins if `version` is above the stored one. Answer: REGISTER.

    Attributes:
        conversation: which one.
        key: name within the conversation.
        version: the client's; a time in milliseconds serves.
        value: the new value.
    """

    conversation: Conversation
    key: Annotated[str, Text(REGISTER_KEY_BYTES_MAX)]
    version: U63
    value: Annotated[bytes, Bytes(0, REGISTER_VALUE_BYTES_MAX)]


class Register(NamedTuple):
    """The stored value of a register of one's own account.

    Attributes:
        conversation: which one.
        key: name within the conversation.
        version: of the stored value.
        value: the stored value.
        position: of its last change.
    """

    conversation: Conversation
    key: Annotated[str, Text(REGISTER_KEY_BYTES_MAX)]
    version: U63
    value: Annotated[bytes, Bytes(0, REGISTER_VALUE_BYTES_MAX)]
    position: U63


class Ephemeral(NamedTuple):
    """Something that is never stored.

    Attributes:
        conversation: who hears it: its members who are online.
        kind: 1 typing, 2 presence, 3 ringing, 4 delivered.
        body: opaque; for presence a single zero byte means offline.
        sender: account and device; nil from a client, filled in by the server.
    """

    conversation: Conversation
    kind: U8
    body: Annotated[bytes, Bytes(0, EPHEMERAL_BYTES_MAX)]
    sender: OptionalSender

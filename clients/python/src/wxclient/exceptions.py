"""What can go wrong on this side of the wire; what the server refuses is in ``refusals``."""

from ._protocol.identifiers import ConversationId


class ClientError(Exception):
    """Base of every error that the SDK itself raises."""


class InvalidArgument(ClientError, ValueError):
    """The server would not take this: a value of the wrong type, length or range.

    Nothing was kept and nothing is sent.
    """


class ClientClosed(ClientError):
    """The client's context was left, or the client stopped for good; nothing more is sent."""


class ConnectionReplaced(ClientError):
    """The same device opened a newer connection elsewhere; this client stops for good."""


class PinMismatch(ClientError):
    """The server's key is none of the pinned ones; nothing was sent to it.

    Attributes:
        found: SHA-256 of the SubjectPublicKeyInfo that the server showed.
    """

    def __init__(self, found: bytes) -> None:
        super().__init__(f"the server's key {found.hex()} is not pinned")
        self.found = found


class NotLoopback(ClientError):
    """Plain TCP was asked for to an address other than this machine."""


class StateError(ClientError):
    """The durable state of the device cannot be used."""


class StateInUse(StateError):
    """Another client, in this process or another, has this state open."""


class StateMissing(StateError):
    """There is no enrolled device in this directory, and no invite was given."""


class StateTooNew(StateError):
    """The state was written by a newer version of the SDK."""


class StateRolledBack(StateError):
    """The state is an old copy: the server knows operations that it does not.

    Going on would reuse operation ids. Enrol this device again, in an empty directory.

    Attributes:
        op_last: highest operation counter (or declared floor) that the server knows.
        op_own: highest operation counter that this state has used.
    """

    def __init__(self, op_last: int, op_own: int) -> None:
        super().__init__(f"the server knows operation {op_last}, this state only {op_own}")
        self.op_last = op_last
        self.op_own = op_own


class EntriesMissing(StateError):
    """The server holds entries to be received that are not in the state: it is an old copy.

    Enrol this device again, in an empty directory.

    Attributes:
        conversation: in which.
        seq: the first of them.
    """

    def __init__(self, conversation: ConversationId, seq: int) -> None:
        super().__init__(f"entry {seq} of {conversation.hex()} was acknowledged and is not here")
        self.conversation = conversation
        self.seq = seq


class ForeignTimeline(StateError):
    """The server's history does not contain the timeline in which this state was written."""


class OutboxFull(ClientError):
    """Too many operations wait for acceptance; the limits are in ``CoreLimits``."""


class TooManyRequests(ClientError):
    """Too many requests wait for an answer; the limit is in ``CoreLimits``."""


class NotEnrolled(ClientError):
    """The device has no account yet, so it cannot name operations."""


class EntryAlreadyHandled(ClientError):
    """The entry was marked as handled before; this transaction was rolled back.

    Attributes:
        conversation: of the entry.
        seq: of the entry.
    """

    def __init__(self, conversation: ConversationId, seq: int) -> None:
        super().__init__(f"entry {seq} of {conversation.hex()} is already handled")
        self.conversation = conversation
        self.seq = seq


class InsideTransaction(ClientError):
    """Waiting for the outbox inside a transaction would wait for ever; use ``tx.send``."""

"""What the core tells whoever drives it, as typed values."""

from enum import Enum
from typing import NamedTuple

from ._protocol.frames import Accepted, Frame, Register
from ._protocol.identifiers import AccountId, ConversationId, DeviceId, OpId, Sender
from .refusals import ServerError


class ConnectionState(Enum):
    """How far the connection is."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    SYNCING = "syncing"
    ONLINE = "online"
    STOPPED = "stopped"


class StateChanged(NamedTuple):
    """The connection got further, or was lost.

    Attributes:
        state: the new state.
        reason: why, if it was lost.
        retry_in_s: seconds until the next attempt, when waiting.
    """

    state: ConnectionState
    reason: Exception | None = None
    retry_in_s: float = 0.0


class DeviceEnrolled(NamedTuple):
    """The device has an account, durably."""

    account: AccountId
    device: DeviceId


class EntriesStored(NamedTuple):
    """New entries are durable and can be handed over."""

    entries: int


class ConversationsChanged(NamedTuple):
    """These conversations changed in the local view."""

    conversations: tuple[ConversationId, ...]


class OpAccepted(NamedTuple):
    """An operation was accepted, durably on both sides."""

    op: OpId
    accepted: Accepted


class OpRefused(NamedTuple):
    """An operation was refused for good and left the outbox."""

    op: OpId
    error: ServerError


class RequestAnswered(NamedTuple):
    """A request got its whole answer."""

    request: int
    frames: tuple[Frame, ...]


class RequestRefused(NamedTuple):
    """A request was refused for good."""

    request: int
    error: ServerError


class RegisterChanged(NamedTuple):
    """A register has a new value, durably."""

    register: Register


class SyncedThrough(NamedTuple):
    """Everything through a commit position is durable here."""

    position: int


class EphemeralReceived(NamedTuple):
    """Something that is never stored."""

    conversation: ConversationId
    kind: int
    body: bytes
    sender: Sender | None


class TimelineChanged(NamedTuple):
    """The server was restored: entries after ``cut`` of our timeline do not exist any more.

    The driver clips the state file and gives the core what is left.
    """

    timeline: bytes
    cut: int


class Failed(NamedTuple):
    """The client cannot go on; ``error`` says why. No event follows."""

    error: Exception


Event = (
    StateChanged | DeviceEnrolled | EntriesStored | ConversationsChanged | OpAccepted | OpRefused
    | RequestAnswered | RequestRefused | RegisterChanged | SyncedThrough | EphemeralReceived
    | TimelineChanged | Failed
)  # fmt: skip
"""Any event."""

"""The Python client SDK for wxserve.

``connect`` opens a device; everything else is a method of the ``Client`` it gives.
"""

from ._protocol.envelope import ConversationKind, Kind
from ._protocol.frames import Accepted, DeviceState, Member
from ._protocol.identifiers import AccountId, ConversationId, DeviceId, OpId, Sender
from .entry import Entry, EntryKey
from .events import ConnectionState, EphemeralReceived, Event, StateChanged
from .exceptions import (
    ClientClosed,
    ClientError,
    ConnectionReplaced,
    EntriesMissing,
    EntryAlreadyHandled,
    ForeignTimeline,
    InsideTransaction,
    InvalidArgument,
    NotEnrolled,
    NotLoopback,
    OutboxFull,
    PinMismatch,
    StateError,
    StateInUse,
    StateMissing,
    StateRolledBack,
    StateTooNew,
    TooManyRequests,
)
from .facts import Change, Closed, Created, Fact, Invited, Membership, Notice, Redacted
from .limits import CoreLimits, Retention, ShellLimits
from .options import Options
from .records import Gap
from .refusals import (
    ConnectionTimedOut,
    ProtocolViolation,
    RequestRefused,
    ServerError,
    SessionRefused,
    TemporaryRefusal,
)
from .shell.client import Client
from .shell.connecting import connect
from .shell.entries import HandedEntry
from .shell.transaction import Transaction
from .state.reading import ConversationView, RegisterValue
from .statistics import Statistics

__all__ = [
    "Accepted",
    "AccountId",
    "Change",
    "Client",
    "ClientClosed",
    "ClientError",
    "Closed",
    "ConnectionReplaced",
    "ConnectionState",
    "ConnectionTimedOut",
    "ConversationId",
    "ConversationKind",
    "ConversationView",
    "CoreLimits",
    "Created",
    "DeviceId",
    "DeviceState",
    "EntriesMissing",
    "Entry",
    "EntryAlreadyHandled",
    "EntryKey",
    "EphemeralReceived",
    "Event",
    "Fact",
    "ForeignTimeline",
    "Gap",
    "HandedEntry",
    "InsideTransaction",
    "InvalidArgument",
    "Invited",
    "Kind",
    "Member",
    "Membership",
    "NotEnrolled",
    "NotLoopback",
    "Notice",
    "OpId",
    "Options",
    "OutboxFull",
    "PinMismatch",
    "ProtocolViolation",
    "Redacted",
    "RegisterValue",
    "RequestRefused",
    "Retention",
    "Sender",
    "ServerError",
    "SessionRefused",
    "ShellLimits",
    "StateChanged",
    "StateError",
    "StateInUse",
    "StateMissing",
    "StateRolledBack",
    "StateTooNew",
    "Statistics",
    "TemporaryRefusal",
    "TooManyRequests",
    "Transaction",
    "connect",
]

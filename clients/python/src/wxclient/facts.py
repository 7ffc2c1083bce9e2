"""What the server writes into entries of its own kinds, as typed values."""

from enum import IntEnum
from typing import Any, NamedTuple

from ._protocol.envelope import ConversationKind, Kind, decode_envelope
from ._protocol.exceptions import Refusal, RemoteProtocolError
from ._protocol.identifiers import AccountId, ConversationId
from ._protocol.packing import unpack


class Change(IntEnum):
    """What happened to the accounts of a ``Membership``."""

    INVITED = 1
    JOINED = 2
    LEFT = 3
    REMOVED = 4
    ROLE = 5


class Created(NamedTuple):
    """The conversation was created; ``members`` are joined in a direct one, invited in a group."""

    kind: ConversationKind
    creator: AccountId
    members: tuple[AccountId, ...]
    body: bytes


class Membership(NamedTuple):
    """Accounts were invited, joined, left, were removed, or got another role."""

    change: Change
    accounts: tuple[AccountId, ...]
    role: int


class Redacted(NamedTuple):
    """The content of entry ``seq`` was deleted for everybody."""

    seq: int


class Closed(NamedTuple):
    """The conversation was closed for writing."""


class Invited(NamedTuple):
    """A notice: somebody invites this account into a group."""

    conversation: ConversationId
    by: AccountId


class Notice(NamedTuple):
    """A notice that this version does not know."""

    fields: tuple[object, ...]


Fact = Created | Membership | Redacted | Closed | Invited | Notice


def read_fact(envelope: bytes) -> Fact | None:
    """Return what the server says in an entry; None for a message, or what is not understood."""
    try:
        read = decode_envelope(envelope)
        return None if read.kind < Kind.CREATED else _fact(read.kind, unpack(read.body))
    except (Refusal, RemoteProtocolError, ValueError, TypeError, IndexError):
        return None


def _fact(kind: int, row: tuple[Any, ...]) -> Fact | None:
    match kind:
        case Kind.CREATED:
            return Created(ConversationKind(row[0]), row[1], row[2], row[3])
        case Kind.MEMBERSHIP:
            return Membership(Change(row[0]), row[1], row[2])
        case Kind.REDACTED:
            return Redacted(row[0])
        case Kind.CLOSED:
            return Closed()
        case Kind.NOTICE:
            return Invited(row[1], row[2]) if row[0] == "invited" else Notice(row)
        case _:
            return None

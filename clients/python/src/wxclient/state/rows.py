"""Records to rows of the state file, and back."""

from typing import Any

from wxclient._protocol.codec import BY_NUMBER, decode_body
from wxclient._protocol.frames import TYPES, Accepted, Error
from wxclient._protocol.identifiers import AccountId, ConversationId, DeviceId
from wxclient._protocol.packing import pack, unpack
from wxclient.records import EntryRow, Identity, OutboxRow, Outcome

PENDING = 0
HANDLED = 1
PIN_BYTES = 32


def pack_op(row: OutboxRow) -> tuple[Any, ...]:
    """Return the row of an operation; its body is what will be sent, byte for byte."""
    number, _ = TYPES[type(row.frame)]
    return row.counter, row.conversation, number, row.flags, pack(row.frame)


def read_op(row: tuple[Any, ...]) -> OutboxRow:
    """Return the operation of a row."""
    counter, conversation, number, flags, body = row
    frame = decode_body(BY_NUMBER[number], body, tolerant=False)
    return OutboxRow(counter, ConversationId(conversation), frame, flags, len(body))


def pack_outcome(outcome: Outcome) -> tuple[Any, ...]:
    """Return the row of an outcome."""
    accepted = pack(outcome.accepted) if outcome.accepted is not None else None
    refused = pack(outcome.refused) if outcome.refused is not None else None
    return outcome.counter, outcome.op, accepted, refused


def read_outcome(accepted: bytes | None, refused: bytes | None) -> Accepted | Error:
    """Return how an operation ended."""
    if accepted is not None:
        return Accepted(*unpack(accepted))
    assert refused is not None, "an outcome is one or the other"
    return Error(*unpack(refused))


def pack_identity(identity: Identity) -> tuple[Any, ...]:
    """Return the row of an identity that is not enrolled yet."""
    return (
        1, identity.private_key, identity.host, identity.port, int(identity.tls),
        b"".join(identity.pins), identity.code, identity.account_name, identity.device_name,
    )  # fmt: skip


def read_identity(row: tuple[Any, ...], timeline: bytes) -> Identity:
    """Return the identity of a row."""
    key, host, port, tls, pins, code, account_name, device_name, account, device = row
    split = tuple(pins[at : at + PIN_BYTES] for at in range(0, len(pins), PIN_BYTES))
    return Identity(
        key, host, port, bool(tls), split, code, account_name, device_name,
        None if account is None else AccountId(account),
        None if device is None else DeviceId(device),
        timeline,
    )  # fmt: skip


def pack_entry(entry: EntryRow, timeline: int) -> tuple[Any, ...]:
    """Return the row of a new entry."""
    return (
        entry.conversation, entry.seq, timeline, entry.position, entry.time_ms, entry.sender,
        entry.tag, entry.kind, entry.op, PENDING, int(entry.own), entry.envelope,
    )  # fmt: skip

"""Identifiers that travel on the wire, and how the derived ones are derived."""

from collections.abc import Callable
from hashlib import sha256
from struct import Struct
from typing import Final, NewType

AccountId = NewType("AccountId", bytes)
"""16 random bytes, given by the server at enrolment."""
DeviceId = NewType("DeviceId", bytes)
"""8 random bytes, given by the server at enrolment: one incarnation of a device."""
ConversationId = NewType("ConversationId", bytes)
"""16 bytes; derived for every kind, so that a client can compute it before the answer."""
OpId = NewType("OpId", bytes)
"""16 bytes: the device followed by its durable operation counter (u64)."""
Sender = NewType("Sender", bytes)
"""24 bytes: the account followed by the device."""

ACCOUNT_BYTES = 16
DEVICE_BYTES = 8
CONVERSATION_BYTES = 16
OP_BYTES = 16
SENDER_BYTES = 24
split_op: Final[Callable[[OpId], tuple[DeviceId, int]]] = Struct(f">{DEVICE_BYTES}sQ").unpack
"""Returns the device and the counter inside an operation id."""


def op_id(device: DeviceId, counter: int) -> OpId:
    """Return the name of operation ``counter`` (1 … 2**64-1) of ``device``."""
    return OpId(device + counter.to_bytes(8, "big"))


def op_counter(op: OpId) -> int:
    """Return the counter inside an operation id."""
    return split_op(op)[1]


def sender_of(account: AccountId, device: DeviceId) -> Sender:
    """Return the sender of an entry: account and device."""
    return Sender(account + device)


def sender_account(sender: Sender) -> AccountId:
    """Return the account of a sender."""
    return AccountId(sender[:ACCOUNT_BYTES])


def sender_device(sender: Sender) -> DeviceId:
    """Return the device of a sender."""
    return DeviceId(sender[ACCOUNT_BYTES:])


def _derive(label: bytes, *parts: bytes) -> ConversationId:
    return ConversationId(sha256(label + b"".join(parts)).digest()[:CONVERSATION_BYTES])


def direct_conversation(one: AccountId, other: AccountId) -> ConversationId:
    """Return the id of the only direct conversation of two accounts, in either order."""
    return _derive(b"wxserve direct v1", *sorted((one, other)))


def group_conversation(op: OpId) -> ConversationId:
    """Return the id of the group that the operation ``op`` creates."""
    return _derive(b"wxserve group v1", op)


def self_conversation(account: AccountId) -> ConversationId:
    """Return the id of the conversation among one account's own devices."""
    return _derive(b"wxserve self v1", account)


def notice_conversation(account: AccountId) -> ConversationId:
    """Return the id of the conversation in which the server speaks to one account."""
    return _derive(b"wxserve notice v1", account)


def device_conversation(device: DeviceId) -> ConversationId:
    """Return the id of the conversation that one device alone reads."""
    return _derive(b"wxserve device v1", device)

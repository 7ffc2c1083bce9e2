"""Appending a message: dedupe, then authorise, then admit; all inside the transaction."""

from typing import Final

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    OpId,
    sender_of,
)

from .contents import content_digest
from .errors import storage_full
from .state import Append, Conversation, Device, Entry, MemberState, Turn
from .transaction import Transaction

OPS_IN_FLIGHT_MAX = 1024
"""Operations of one device above its floor; the client raises the floor with ACK."""
_JOINED: Final = int(MemberState.JOINED)


def append_message(tx: Transaction, append: Append) -> Entry | Accepted:
    """Append a message, or return the answer it was given before.

    Raises:
        Refusal: nothing was recorded.
    """
    # At once, because each look at a field of a named tuple costs as much as this.
    account, identifier, counter, op, target, envelope, ttl_s, flags, unadmitted, _, _, _ = append
    device = tx.device(identifier)
    if device is None or device.revoked:
        raise Refusal(ErrorCode.DEVICE_REVOKED)
    known = dedupe(tx, device, op, counter)
    if known is not None:
        return repeated(tx, known, content_digest(envelope))
    if tx.turns.waiting:
        tx.turns.check(Turn(identifier, target, counter))
    conversation = writable(tx, target, account)
    admit(tx, device, counter, unadmitted)
    content = (op, envelope, None, ttl_s, flags)
    return tx.append(conversation, content, sender_of(account, identifier))


def dedupe(tx: Transaction, device: Device, op: OpId, counter: int) -> Accepted | None:
    """Return the first answer of an operation that was accepted before, None for a new one.

    Raises:
        Refusal: OP_EXPIRED.
    """
    known = tx.known_op(device, op, counter)
    if known is None and counter < device.op_floor:
        raise Refusal(ErrorCode.OP_EXPIRED)
    return known


def repeated(tx: Transaction, known: Accepted, digest: bytes) -> Accepted:
    """Return the first answer of an operation that comes again.

    Raises:
        Refusal: CONFLICT, its content is another one now.
    """
    if tx.digest_of(known) != digest:
        raise Refusal(ErrorCode.CONFLICT, seq=known.seq)
    return known


def admit(tx: Transaction, device: Device, counter: int, unadmitted: Refusal | None) -> None:
    """Refuse for now what authorisation let pass, if a window, a budget or the disk is used up.

    Raises:
        Refusal: OPS_IN_FLIGHT, what admission said, STORAGE_FULL.
    """
    if counter >= device.op_floor + OPS_IN_FLIGHT_MAX:
        raise Refusal(ErrorCode.OPS_IN_FLIGHT)
    refusal = unadmitted or (storage_full() if tx.full else None)
    if refusal is not None:
        raise refusal


def writable(tx: Transaction, conversation: ConversationId, account: AccountId) -> Conversation:
    """Return a conversation that the account may write to now.

    Raises:
        Refusal: FORBIDDEN (the same for every reason a stranger must not learn), KIND_NOT_ALLOWED,
            CONVERSATION_CLOSED.
    """
    state = tx.conversation(conversation)
    member = state.members.get(account) if state is not None else None
    if state is None or member is None or member.state != _JOINED:
        raise Refusal(ErrorCode.FORBIDDEN)
    if not state.takes_messages:
        raise Refusal(ErrorCode.KIND_NOT_ALLOWED)
    if state.closed:
        raise Refusal(ErrorCode.CONVERSATION_CLOSED)
    if account in state.blocked:
        raise Refusal(ErrorCode.FORBIDDEN)
    return state

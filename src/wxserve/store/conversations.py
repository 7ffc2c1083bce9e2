"""Units of work on conversations: create, invite, accept, leave, remove, roles, close, redact.

Each appends one entry that says what happened, in the transaction in which it happens, and is
answered like a message: the same operation gets the same answer for ever.
"""

from typing import Final

from wxserve.protocol import frames as f
from wxserve.protocol.envelope import ConversationKind, Kind, decode_envelope
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import GROUP_ACCOUNTS_MAX, Accepted, Deliver
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    direct_conversation,
    group_conversation,
    notice_conversation,
    op_counter,
    sender_account,
)

from .contents import REDACTED, delete_contents, delivered
from .loading import load_blocked
from .operations import NO_MEMBER, Caller, Request
from .state import OPEN, Conversation, Member, MemberState, Role, Turn
from .transaction import Transaction


class Change:
    """What a MEMBERSHIP entry says happened to the accounts it names."""

    INVITED: Final = 1
    JOINED: Final = 2
    LEFT: Final = 3
    REMOVED: Final = 4
    ROLE: Final = 5


AdminFrame = f.Create | f.Invite | f.Accept | f.Leave | f.Remove | f.SetRole | f.Close | f.Redact
"""The requests of this module."""


def perform(request: Request, frame: AdminFrame) -> Accepted:
    """Carry out an operation, or return the answer it was given before.

    Raises:
        Refusal: nothing was recorded.
    """
    conversation = target(frame, request.caller.account)
    known = request.known(conversation)
    return known or _carry_out(request, conversation, frame)


def target(frame: AdminFrame, account: AccountId) -> ConversationId:
    """Return the conversation an operation is about; derived when it creates it.

    Raises:
        Refusal: KIND_NOT_ALLOWED.
    """
    if not isinstance(frame, f.Create):
        return frame.conversation
    if frame.kind == ConversationKind.DIRECT and len(frame.members) == 1:
        return direct_conversation(account, frame.members[0])
    if frame.kind == ConversationKind.GROUP:
        return group_conversation(frame.op)
    raise Refusal(ErrorCode.KIND_NOT_ALLOWED)


def turn_of(frame: AdminFrame, caller: Caller) -> Turn | None:
    """Return the place of an operation in its device's order; None if it can only be refused."""
    try:
        conversation = target(frame, caller.account)
    except Refusal:
        return None
    return Turn(caller.device, conversation, op_counter(caller.op))


def _carry_out(request: Request, conversation: ConversationId, frame: AdminFrame) -> Accepted:
    match frame:
        case f.Create(kind=ConversationKind.DIRECT, members=(peer,), body=body):
            return _create_direct(request, conversation, peer, body)
        case f.Create(members=members, body=body):
            return _create_group(request, conversation, members, body)
        case f.Invite(accounts=accounts):
            return _invite(request, conversation, accounts)
        case f.Accept():
            return _accept(request, conversation)
        case f.Leave():
            return _leave(request, conversation)
        case f.Remove(account=account):
            return _remove(request, conversation, account)
        case f.SetRole(account=account, role=role):
            return _set_role(request, conversation, account, role)
        case f.Close():
            return _close(request, conversation)
        case f.Redact(seq=seq):
            return _redact(request, conversation, seq)


def _create_direct(
    request: Request, conversation: ConversationId, peer: AccountId, body: bytes
) -> Accepted:
    tx, account = request.tx, request.caller.account
    if peer == account or not account_exists(tx, peer):
        raise Refusal(ErrorCode.FORBIDDEN)
    existing = tx.conversation(conversation)
    if existing is not None:
        time_ms, position = existing.created
        return Accepted(request.caller.op, conversation, 1, position, time_ms)
    if load_blocked(tx.sql, (account, peer)) or _is_crowded(request, peer):
        raise Refusal(ErrorCode.FORBIDDEN)
    _check_count(request)
    request.admit()
    member = Member(Role.MEMBER, MemberState.JOINED, ((1, OPEN),), tx.next_position)
    state = tx.create_conversation(
        conversation, ConversationKind.DIRECT, {account: member, peer: member}
    )
    return request.record(
        state, Kind.CREATED, (int(ConversationKind.DIRECT), account, (account, peer), body)
    )


def _create_group(
    request: Request, conversation: ConversationId, members: tuple[AccountId, ...], body: bytes
) -> Accepted:
    tx, account = request.tx, request.caller.account
    invited = tuple(dict.fromkeys(peer for peer in members if peer != account))
    if len(invited) >= GROUP_ACCOUNTS_MAX:
        raise Refusal(ErrorCode.CONVERSATION_FULL)
    _check_count(request)
    _check_invitable(request, invited)
    request.admit()
    owner = Member(Role.OWNER, MemberState.JOINED, ((1, OPEN),), tx.next_position)
    waiting = Member(Role.MEMBER, MemberState.INVITED, (), tx.next_position)
    state = tx.create_conversation(
        conversation,
        ConversationKind.GROUP,
        {account: owner, **dict.fromkeys(invited, waiting)},
    )
    accepted = request.record(
        state, Kind.CREATED, (int(ConversationKind.GROUP), account, invited, body)
    )
    _tell_invited(request, conversation, invited)
    return accepted


def _invite(
    request: Request, conversation: ConversationId, accounts: tuple[AccountId, ...]
) -> Accepted:
    """Invite accounts into a group; those already in or invited stay as they are."""
    state = request.group(conversation, Role.MEMBER)
    invited = tuple(
        account
        for account in dict.fromkeys(accounts)
        if state.members.get(account, NO_MEMBER).state == MemberState.GONE
    )
    inside = sum(member.state != MemberState.GONE for member in state.members.values())
    if inside + len(invited) > GROUP_ACCOUNTS_MAX:
        raise Refusal(ErrorCode.CONVERSATION_FULL)
    _check_invitable(request, invited)
    request.admit()
    position = request.tx.next_position
    changed = {
        account: state.members.get(account, NO_MEMBER)._replace(
            role=Role.MEMBER, state=MemberState.INVITED, changed_position=position
        )
        for account in invited
    }
    state = request.tx.set_members(state, changed)
    accepted = request.membership(state, Change.INVITED, invited, Role.MEMBER)
    _tell_invited(request, conversation, invited)
    return accepted


def _accept(request: Request, conversation: ConversationId) -> Accepted:
    """Join a group the caller was invited to; it reads from the entry that says so."""
    state, member = request.own(conversation)
    if member.state != MemberState.INVITED:
        raise Refusal(ErrorCode.FORBIDDEN)
    if len(member.intervals) >= request.limits.intervals_max:
        raise Refusal(ErrorCode.LIMIT_REACHED)
    request.admit()
    tx, account = request.tx, request.caller.account
    joined = Member(
        member.role,
        MemberState.JOINED,
        (*member.intervals, (tx.head(state) + 1, OPEN)),
        tx.next_position,
    )
    state = tx.set_members(state, {account: joined})
    return request.membership(state, Change.JOINED, (account,), member.role)


def _leave(request: Request, conversation: ConversationId) -> Accepted:
    """Leave a group, or decline an invitation.

    Raises:
        Refusal: OWNER_MUST_TRANSFER for the only owner while others remain.
    """
    state, member = request.own(conversation)
    if state.kind is not ConversationKind.GROUP:
        raise Refusal(ErrorCode.KIND_NOT_ALLOWED)
    account = request.caller.account
    if member.role == Role.OWNER and member.state == MemberState.JOINED:
        others = [state.members[other] for other in state.joined if other != account]
        if others and not any(other.role == Role.OWNER for other in others):
            raise Refusal(ErrorCode.OWNER_MUST_TRANSFER)
    request.admit()
    return _go(request, state, account, Change.LEFT)


def _remove(request: Request, conversation: ConversationId, account: AccountId) -> Accepted:
    """Remove a member, or an invited account, of a lower role than the caller's."""
    state = request.group(conversation, Role.ADMINISTRATOR)
    member = state.members.get(account, NO_MEMBER)
    own_role = state.members[request.caller.account].role
    if member.state == MemberState.GONE or member.role >= own_role:
        raise Refusal(ErrorCode.FORBIDDEN)
    request.admit()
    return _go(request, state, account, Change.REMOVED)


def _set_role(
    request: Request, conversation: ConversationId, account: AccountId, role: int
) -> Accepted:
    """Give a joined member a role; the owner alone may."""
    state = request.group(conversation, Role.OWNER)
    member = state.members.get(account, NO_MEMBER)
    if member.state != MemberState.JOINED or role not in set(Role) - {Role.NONE}:
        raise Refusal(ErrorCode.FORBIDDEN)
    owners = [a for a in state.joined if state.members[a].role == Role.OWNER]
    if owners == [account] and role != Role.OWNER:
        raise Refusal(ErrorCode.OWNER_MUST_TRANSFER)
    request.admit()
    changed = member._replace(role=role, changed_position=request.tx.next_position)
    state = request.tx.set_members(state, {account: changed})
    return request.membership(state, Change.ROLE, (account,), role)


def _close(request: Request, conversation: ConversationId) -> Accepted:
    """Close a group for writing; the owner alone may."""
    state = request.group(conversation, Role.OWNER)
    request.admit()
    state = request.tx.close_conversation(state)
    return request.record(state, Kind.CLOSED, ())


def _redact(request: Request, conversation: ConversationId, seq: int) -> Accepted:
    """Delete the content of a message: one's own, or anybody's in a group one administers.

    What the server wrote stays: the log of who was there is nobody's to erase.

    Raises:
        Refusal: FORBIDDEN, ENTRY_GONE, KIND_NOT_ALLOWED.
    """
    state, member = request.own(conversation)
    if member.state != MemberState.JOINED or not 1 <= seq <= request.tx.head(state):
        raise Refusal(ErrorCode.FORBIDDEN)
    position, entry = find_entry(request.tx, conversation, seq)
    own = entry.sender is not None and sender_account(entry.sender) == request.caller.account
    if not own and not (state.kind is ConversationKind.GROUP and member.role >= Role.ADMINISTRATOR):
        raise Refusal(ErrorCode.FORBIDDEN)
    if decode_envelope(entry.envelope).kind != Kind.MESSAGE:
        raise Refusal(ErrorCode.KIND_NOT_ALLOWED)
    request.admit()
    delete_contents(request.tx.sql, [position], REDACTED)
    return request.record(state, Kind.REDACTED, (seq,))


def find_entry(tx: Transaction, conversation: ConversationId, seq: int) -> tuple[int, Deliver]:
    """Return the position of an entry, and the entry as it is delivered.

    Raises:
        Refusal: ENTRY_GONE, also when only its content is gone.
    """
    row = None
    position = tx.position_of(conversation, seq)
    if position is not None:
        row = tx.sql.execute("SELECT frame FROM log WHERE position = ?", (position,)).fetchone()
    if row is None or position is None or row[0] is None:
        raise Refusal(ErrorCode.ENTRY_GONE)
    return position, delivered(row[0])


def account_exists(tx: Transaction, account: AccountId) -> bool:
    """Whether an account of this id was enrolled."""
    row = tx.sql.execute("SELECT 1 FROM account WHERE account = ?", (account,)).fetchone()
    return row is not None


def _is_crowded(request: Request, account: AccountId) -> bool:
    """Whether an account is in as many conversations as it may be, invitations included."""
    limit = request.limits.conversations_per_account_max
    (count,) = request.tx.sql.execute(
        "SELECT count(*) FROM (SELECT 1 FROM member WHERE account = ? LIMIT ?)", (account, limit)
    ).fetchone()
    return bool(count >= limit)


def _check_count(request: Request) -> None:
    """Bound the conversations that one account opens."""
    if _is_crowded(request, request.caller.account):
        raise Refusal(ErrorCode.LIMIT_REACHED)


def _check_invitable(request: Request, accounts: tuple[AccountId, ...]) -> None:
    """One uniform answer for unknown accounts, crowded ones, and those that blocked the caller."""
    for account in accounts:
        blocked = request.tx.sql.execute(
            "SELECT 1 FROM policy WHERE account = ? AND peer = ? AND rule = 1",
            (account, request.caller.account),
        ).fetchone()
        if blocked or not account_exists(request.tx, account) or _is_crowded(request, account):
            raise Refusal(ErrorCode.FORBIDDEN)


def _tell_invited(
    request: Request, conversation: ConversationId, accounts: tuple[AccountId, ...]
) -> None:
    """Append the notice of the invitation to each account's own notice conversation."""
    for account in accounts:
        notice = request.tx.conversation(notice_conversation(account))
        if notice is not None:
            body = ("invited", conversation, request.caller.account)
            request.tx.append_server(notice, Kind.NOTICE, body)


def _go(request: Request, state: Conversation, account: AccountId, change: int) -> Accepted:
    """Take an account out: its last interval ends with the entry that says so."""
    tx, member = request.tx, state.members[account]
    intervals = member.intervals
    if member.state == MemberState.JOINED:
        intervals = (*intervals[:-1], (intervals[-1][0], tx.head(state) + 1))
    gone = Member(Role.NONE, MemberState.GONE, intervals, tx.next_position)
    state = tx.set_members(state, {account: gone})
    also = account if member.state == MemberState.JOINED else None
    return request.membership(state, change, (account,), 0, also)

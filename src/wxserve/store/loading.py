"""Reading one conversation or one device from the tables into memory."""

import sqlite3

import msgpack

from wxserve.protocol.envelope import ConversationKind
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, op_id

from .state import Conversation, Device, Intervals, Member
from .tail import Tail


def unpack_intervals(data: bytes) -> Intervals:
    """Return stored intervals."""
    intervals: Intervals = msgpack.unpackb(data, use_list=False)
    return intervals


def load_conversation(
    sql: sqlite3.Connection, tail: Tail, conversation: ConversationId
) -> Conversation | None:
    """Read a conversation with its members; None if there is none."""
    row = sql.execute(
        "SELECT kind, closed, floor_seq, floor_position, created_ms, created_position "
        "FROM conversation WHERE conversation = ?",
        (conversation,),
    ).fetchone()
    if row is None:
        return None
    kind, closed, floor, floor_position, created_ms, created_position = row
    head = (
        tail.head(conversation)
        or sql.execute(
            "SELECT seq, position FROM entry WHERE conversation = ? ORDER BY seq DESC LIMIT 1",
            (conversation,),
        ).fetchone()
        or (floor, floor_position)
    )
    members = {
        AccountId(account): Member(role, state, unpack_intervals(intervals), changed)
        for account, role, state, intervals, changed in sql.execute(
            "SELECT account, role, state, intervals, changed_position FROM member "
            "WHERE conversation = ?",
            (conversation,),
        )
    }
    blocked: frozenset[AccountId] = frozenset()
    if kind == ConversationKind.DIRECT:
        blocked = load_blocked(sql, tuple(members))
    return Conversation(
        conversation,
        ConversationKind(kind),
        closed=bool(closed),
        head=head[0],
        position=head[1],
        floor=floor,
        created=(created_ms, created_position),
        members=members,
        blocked=blocked,
    )


def load_blocked(sql: sqlite3.Connection, accounts: tuple[AccountId, ...]) -> frozenset[AccountId]:
    """Return which of the two accounts of a direct conversation the other has blocked."""
    if len(accounts) != 2:
        return frozenset()
    one, other = accounts
    rows = sql.execute(
        "SELECT peer FROM policy WHERE rule = 1 "
        "AND ((account = ? AND peer = ?) OR (account = ? AND peer = ?))",
        (one, other, other, one),
    )
    return frozenset(AccountId(peer) for (peer,) in rows)


def load_device(sql: sqlite3.Connection, device: DeviceId) -> Device | None:
    """Read a device with its open operations; None if there is none."""
    row = sql.execute(
        "SELECT account, public_key, first_position, revoked_ms, op_last, op_floor, awake_ms, "
        "seen_ms FROM device WHERE device = ?",
        (device,),
    ).fetchone()
    if row is None:
        return None
    account, public_key, first_position, revoked_ms, op_last, op_floor, awake_ms, seen_ms = row
    ops = {
        counter: Accepted(op_id(device, counter), ConversationId(conversation), *place)
        for counter, conversation, *place in sql.execute(
            "SELECT counter, conversation, seq, position, time_ms FROM op WHERE device = ?",
            (device,),
        )
    }
    return Device(
        device,
        AccountId(account),
        public_key,
        first_position,
        revoked=bool(revoked_ms),
        op_last=op_last,
        op_floor=op_floor,
        ops={counter: accepted for counter, accepted in ops.items() if counter >= op_floor},
        awake_ms=awake_ms,
        seen_ms=seen_ms,
        op_rows=bool(ops),
    )

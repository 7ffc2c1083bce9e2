"""One transaction as units of work see it: committed state, plus what this batch adds to it."""

import sqlite3
from dataclasses import replace
from itertools import chain
from typing import Any

import msgpack

from wxserve.protocol.codec import encode
from wxserve.protocol.envelope import (
    ENVELOPE_VERSION,
    ConversationKind,
    Envelope,
    Kind,
    encode_envelope,
)
from wxserve.protocol.frames import Accepted, Deliver
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    OpId,
    Sender,
    split_op,
)
from wxserve.protocol.packing import pack
from wxserve.protocol.rows import make

from .contents import digest_of
from .loading import load_conversation, load_device
from .memory import Memory
from .overlay import Overlay
from .state import (
    Content,
    Conversation,
    Device,
    Entry,
    Intervals,
    Member,
    MemberState,
)

NO_OP = OpId(bytes(16))
"""The operation of an entry that no client asked for."""
_CHUNK_ROWS = 64
"""Rows of one INSERT statement; fewer steps hand the interpreter lock over less often."""
_COLUMNS = 10
_ROW = f"({', '.join('?' * _COLUMNS)})"
_INSERTS = [f"INSERT INTO log VALUES {', '.join([_ROW] * rows)}" for rows in range(_CHUNK_ROWS + 1)]  # noqa: S608


class Transaction:
    """Handed to units of work, on the writing connection, inside its one transaction.

    Attributes:
        now_ms: the wall clock at the batch.
        running_ms: the running time at the batch.
        full: there is no space; whoever adds anything is refused.
        turns: which operations hold back later ones.
        overlay: what the batch, or the unit that runs now, has added.
        defects: errors of units that were refused for them.
        sql: the writing connection.
    """

    def __init__(self, memory: Memory, now_ms: int, *, full: bool = False) -> None:
        self._memory = memory
        self.now_ms = now_ms
        self.running_ms = memory.running.now_ms()
        self.full = full
        self.turns = memory.turns
        self.overlay = Overlay(memory.position, max(memory.time_ms, now_ms))
        self.defects: list[BaseException] = []
        self._batch: Overlay | None = None
        self._values: list[Any] = []
        self.sql: sqlite3.Connection

    # -- reading -------------------------------------------------------------------------------

    def conversation(self, conversation: ConversationId) -> Conversation | None:
        """Return a conversation as this transaction sees it, or None."""
        state = self.overlay.conversations.get(conversation)
        if state is None and self._batch is not None:
            state = self._batch.conversations.get(conversation)
        if state is None:
            state = self._memory.conversations.get(conversation)
        if state is None:
            state = load_conversation(self.sql, self._memory.tail, conversation)
            if state is not None:
                self.overlay.conversations[conversation] = state
        return state

    def device(self, device: DeviceId) -> Device | None:
        """Return a device as this transaction sees it, or None."""
        state = self.overlay.devices.get(device)
        if state is None and self._batch is not None:
            state = self._batch.devices.get(device)
        if state is None:
            state = self._memory.devices.get(device)
        if state is None:
            state = load_device(self.sql, device)
            if state is not None:
                self.overlay.devices[device] = state
        return state

    def head(self, conversation: Conversation) -> int:
        """Return the newest sequence number, entries of this transaction included."""
        head = self.overlay.heads.get(conversation.id)
        if head is None and self._batch is not None:
            head = self._batch.heads.get(conversation.id)
        return conversation.head if head is None else head[0]

    def position_of(self, conversation: ConversationId, seq: int) -> int | None:
        """Return the commit position of an entry, None if it is gone or never was."""
        for overlay in (self.overlay, self._batch):
            for entry in overlay.entries if overlay is not None else ():
                if entry.conversation.id == conversation and entry.seq == seq:
                    return entry.position
        unmerged = self._memory.tail.find(conversation, seq, seq)
        if unmerged:
            return unmerged[0]
        row = self.sql.execute(
            "SELECT position FROM entry WHERE conversation = ? AND seq = ?", (conversation, seq)
        ).fetchone()
        return None if row is None else int(row[0])

    def forget_device(self, device: DeviceId) -> None:
        """Make the next look at a revoked device see it revoked."""
        state = self.device(device)
        if state is not None:
            self.overlay.devices[device] = replace(state, revoked=True)

    @property
    def next_position(self) -> int:
        """The commit position that the next entry will have."""
        return self.overlay.position + 1

    def known_op(self, device: Device, op: OpId, counter: int) -> Accepted | None:
        """Return the answer of an accepted operation, of this counter, above the device's floor."""
        known = device.ops.get(counter) or self.overlay.ops.get(op)
        if known is None and self._batch is not None:
            known = self._batch.ops.get(op)
        return known

    def digest_of(self, accepted: Accepted) -> bytes:
        """Return the digest of the content of an operation that was accepted."""
        self.flush()
        return digest_of(self.sql, accepted)

    # -- writing -------------------------------------------------------------------------------

    def append(
        self,
        conversation: Conversation,
        content: Content,
        sender: Sender | None,
        also: AccountId | None = None,
    ) -> Entry:
        """Append an entry; its place is final when the transaction commits.

        Args:
            conversation: as this transaction sees it.
            content: what the entry is made of.
            sender: nil when the server speaks.
            also: an account that is no member any more and still sees this entry.
        """
        overlay, identifier = self.overlay, conversation.id
        op, envelope, digest, ttl_s, flags = content
        head = overlay.heads.get(identifier)
        seq = (self.head(conversation) if head is None else head[0]) + 1
        position = overlay.position + 1
        time_ms, running_ms = overlay.time_ms, self.running_ms
        frame = encode(
            make(Deliver, identifier, seq, position, time_ms, sender, b"", envelope), 0, flags
        )
        expires_ms = running_ms + ttl_s * 1000 if ttl_s else 0
        self._values += (
            position, identifier, seq, time_ms, running_ms, op, digest, expires_ms, 0, frame,
        )  # fmt: skip
        accepted = make(Accepted, op or NO_OP, identifier, seq, position, time_ms)
        if op is not None:
            overlay.ops[op] = accepted
        overlay.position = position
        overlay.heads[identifier] = (seq, position)
        entry = make(Entry, conversation, seq, position, frame, sender, also, accepted)
        overlay.entries.append(entry)
        return entry

    def append_server(
        self,
        conversation: Conversation,
        kind: Kind,
        body: tuple[object, ...],
        operation: tuple[OpId, bytes] | None = None,
        **place: Any,
    ) -> Entry:
        """Append an entry whose envelope the server writes.

        Args:
            conversation: where to.
            kind: 16 and above.
            body: packed as the envelope's body.
            operation: that it records, with the digest of its content.
            place: ``sender`` and ``also`` of ``append``.
        """
        op, digest = operation or (None, b"")
        envelope = encode_envelope(
            Envelope(
                ENVELOPE_VERSION, kind, conversation.id, 0, 0, 0, op or NO_OP, 0, 1, (), b"",
                pack(body),
            )
        )  # fmt: skip
        return self.append(
            conversation,
            (op, envelope, digest, 0, 0),
            place.get("sender"),
            place.get("also"),
        )

    def create_conversation(
        self, conversation: ConversationId, kind: ConversationKind, members: dict[AccountId, Member]
    ) -> Conversation:
        """Create a conversation with its first members and no entry."""
        created = (self.overlay.time_ms, self.overlay.position + 1)
        state = Conversation(
            conversation, kind, closed=False, head=0, position=0, floor=0, created=created,
            members=dict(members),
        )  # fmt: skip
        self.sql.execute(
            "INSERT INTO conversation (conversation, kind, created_ms, created_position) "
            "VALUES (?, ?, ?, ?)",
            (conversation, kind, *created),
        )
        self._write_members(conversation, members)
        self.overlay.conversations[conversation] = state
        return state

    def set_members(
        self, conversation: Conversation, changed: dict[AccountId, Member]
    ) -> Conversation:
        """Change or add members; return the conversation that holds from here on."""
        self._write_members(conversation.id, changed)
        return self._replace(conversation, members={**conversation.members, **changed})

    def close_conversation(self, conversation: Conversation) -> Conversation:
        """Close a conversation; return it as it is from here on."""
        self.sql.execute(
            "UPDATE conversation SET closed = 1 WHERE conversation = ?", (conversation.id,)
        )
        return self._replace(conversation, closed=True)

    def set_blocked(
        self, conversation: Conversation, blocked: frozenset[AccountId]
    ) -> Conversation:
        """Replace the set of members that may not write."""
        return self._replace(conversation, blocked=blocked)

    def _replace(self, conversation: Conversation, **changes: Any) -> Conversation:
        values: dict[str, Any] = {
            name: getattr(conversation, name)
            for name in (
                "id", "kind", "closed", "head", "position", "floor", "created", "members", "blocked"
            )
        }  # fmt: skip
        state = Conversation(**(values | changes))
        self.overlay.conversations[conversation.id] = state
        return state

    def touch(self, account: AccountId) -> int:
        """Take a commit position for a change that is no entry, visible to ``account``."""
        self.overlay.position += 1
        self.overlay.positions_taken = True
        self.overlay.changed[account] = self.overlay.position
        return self.overlay.position

    def _write_members(
        self, conversation: ConversationId, members: dict[AccountId, Member]
    ) -> None:
        for account, member in members.items():
            self.overlay.changed[account] = self.overlay.position + 1
            if member.state == MemberState.GONE and not member.intervals:
                self.sql.execute(
                    "DELETE FROM member WHERE conversation = ? AND account = ?",
                    (conversation, account),
                )
                continue
            self.sql.execute(
                "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?, ?)",
                (
                    conversation,
                    account,
                    member.role,
                    member.state,
                    pack_intervals(member.intervals),
                    member.changed_position,
                ),
            )

    # -- the batch -----------------------------------------------------------------------------

    def flush(self) -> None:
        """Write the log rows gathered so far.

        Raises:
            sqlite3.OperationalError: the transaction is gone; what is written now would stay.
        """
        if not self.sql.in_transaction:
            raise sqlite3.OperationalError("the transaction is gone")
        values, self._values = self._values, []
        step = _CHUNK_ROWS * _COLUMNS
        for start in range(0, len(values), step):
            chunk = values[start : start + step]
            self.sql.execute(_INSERTS[len(chunk) // _COLUMNS], chunk)

    def finish(self) -> None:
        """Write all that is left to write before the commit."""
        self.flush()
        if self.overlay.positions_taken:
            self.sql.execute(
                "INSERT OR REPLACE INTO meta VALUES ('position', ?)", (self.overlay.position,)
            )

    def begin_unit(self) -> None:
        """Begin a unit that may be taken back; all rows before it are written."""
        self.sql.execute("SAVEPOINT unit")
        self._batch, self.overlay = self.overlay, self.overlay.nested()

    def end_unit(self) -> tuple[Entry, ...]:
        """Keep what the unit did; return the entries it appended."""
        if self._batch is None:
            raise AssertionError("no unit has begun")
        self.flush()
        self.sql.execute("RELEASE unit")
        inner, self.overlay, self._batch = self.overlay, self._batch, None
        self.overlay.absorb(inner)
        return tuple(inner.entries)

    def abandon_unit(self) -> None:
        """Take back what the unit did."""
        if self._batch is None:
            raise AssertionError("no unit has begun")
        self._values.clear()
        self.sql.execute("ROLLBACK TO unit")
        self.sql.execute("RELEASE unit")
        self.overlay, self._batch = self._batch, None

    def apply(self) -> None:
        """Make the committed state in memory what this transaction made it."""
        memory, overlay = self._memory, self.overlay
        memory.conversations.update(overlay.conversations)
        memory.devices.update(overlay.devices)
        add, written = memory.tail.add, dict[Conversation, None]()
        for conversation, seq, position, _, _, _, _ in overlay.entries:
            add(conversation.id, seq, position)
            written[conversation] = None  # by identity: members may change between two entries
        memory.note_change(chain.from_iterable([one.joined for one in written]), overlay.position)
        for identifier, head in overlay.heads.items():
            state = memory.conversations.get(identifier)
            if state is not None:
                state.head, state.position = head
                memory.conversations.move_to_end(identifier)
        memory.recent.note(overlay.heads, overlay.position, memory.merged)
        self._apply_ops()
        for account, position in overlay.changed.items():
            memory.note_own_change(account, position)
        memory.position = overlay.position
        if overlay.entries:
            memory.time_ms = overlay.time_ms
        memory.evict()

    def _apply_ops(self) -> None:
        memory = self._memory
        for op, accepted in self.overlay.ops.items():
            identifier, counter = split_op(op)
            device = memory.devices.get(identifier)
            if device is not None:
                device.ops[counter] = accepted
                device.op_last = max(device.op_last, counter)
                device.op_position = accepted.position
                memory.fresh[identifier] = device


def pack_intervals(intervals: Intervals) -> bytes:
    """Return intervals as they are stored."""
    data: bytes = msgpack.packb(intervals)
    return data

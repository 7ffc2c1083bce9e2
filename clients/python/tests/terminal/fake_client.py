"""A client port without a server and without a file: what it is told to have, it has."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from itertools import count
from typing import Any

import anyio

from wxclient import (
    Accepted,
    AccountId,
    Change,
    ConnectionState,
    ConversationId,
    ConversationKind,
    ConversationView,
    DeviceId,
    DeviceState,
    Entry,
    EntryAlreadyHandled,
    EphemeralReceived,
    Event,
    Gap,
    Kind,
    Member,
    OpId,
    RequestRefused,
    StateChanged,
)
from wxclient._protocol.identifiers import (
    direct_conversation,
    group_conversation,
    notice_conversation,
    op_id,
    self_conversation,
    sender_of,
)
from wxclient._protocol.packing import pack
from wxclient.events import EntriesStored
from wxclient.shell.signals import Publisher, Result, Subscription
from wxclient.shell.transaction import SqlValue

from .fake_log import FakeLog, account, device

ME = account(1)
MY_DEVICE = device(1)


@dataclass(frozen=True, slots=True)
class FakeHanded(Entry):
    """An entry to be handled."""

    client: "FakeClient"

    @asynccontextmanager
    async def commit(self) -> AsyncIterator["FakeTransaction"]:
        """Handle it, unless it was."""
        if self.key in self.client.handled:
            raise EntryAlreadyHandled(self.conversation, self.seq)
        async with self.client.transaction() as tx:
            yield tx
        self.client.handled.add(self.key)


class Memory(sqlite3.Connection):
    """A database that outlives the clients that use it one after the other, and then goes.

    It may go in any thread: in the one in which the collector runs.
    """

    def __init__(self) -> None:
        super().__init__(":memory:", isolation_level=None, check_same_thread=False)

    def __del__(self) -> None:
        self.close()


class FakeTransaction:
    """Statements on a database in memory; messages that go out when it is committed."""

    def __init__(self, client: "FakeClient") -> None:
        self._client = client
        self.sent: list[tuple[OpId, ConversationId, bytes]] = []

    async def execute(
        self, statement: str, parameters: Sequence[SqlValue] = ()
    ) -> list[tuple[Any, ...]]:
        """Run one statement."""
        return self._client.sql.execute(statement, parameters).fetchall()

    def send(self, conversation: ConversationId, body: bytes) -> OpId:
        """Send a message if the transaction is committed."""
        if self._client.outbox_error is not None:
            raise self._client.outbox_error
        op = self._client.next_op()
        self.sent.append((op, conversation, body))
        return op


class FakeClient:
    """An open device. ``online`` decides whether what is sent is accepted at once."""

    def __init__(self, sql: sqlite3.Connection | None = None) -> None:
        self.account, self.device = ME, MY_DEVICE
        self.sql = sql or Memory()
        self.logs: dict[ConversationId, FakeLog] = {}
        self.names: dict[AccountId, str] = {ME: "Ann"}
        self.rolls: dict[ConversationId, dict[AccountId, tuple[int, int]]] = {}
        self.handled: set[tuple[bytes, ConversationId, int]] = set()
        self.asked: list[tuple[str, Any]] = []
        self.refusal: RequestRefused | None = None
        self.outbox_error: Exception | None = None
        self.disk_error: Exception | None = None
        self.state = ConnectionState.ONLINE
        self._lock = anyio.Lock()
        self._counter = count(1)
        self._clock: count[int] = count()
        self._waiting: list[tuple[OpId, ConversationId, bytes]] = []
        self._outcomes: dict[OpId, Result[Accepted]] = {}
        self._states = Publisher[StateChanged](64, lambda: None)
        self._updates = Publisher[Event](1024, lambda: None)
        self._ephemerals = Publisher[EphemeralReceived](64, lambda: None)
        self.log(self.self_conversation, ConversationKind.SELF)
        self.log(self.notice_conversation, ConversationKind.NOTICE)

    # -- told by tests -------------------------------------------------------------------------

    def restarted(self) -> "FakeClient":
        """Return a client that finds what this one left."""
        again = FakeClient(self.sql)
        again.logs, again.names, again.rolls = self.logs, self.names, self.rolls
        again.handled = self.handled
        return again

    def log(self, conversation: ConversationId, kind: ConversationKind) -> FakeLog:
        """Return a conversation, made if it is not there."""
        if conversation not in self.logs:
            self.logs[conversation] = FakeLog(conversation, kind, MY_DEVICE, self._clock)
        return self.logs[conversation]

    def direct(self, peer: AccountId, name: str) -> FakeLog:
        """Make the direct conversation with somebody."""
        self.names[peer] = name
        log = self.log(direct_conversation(ME, peer), ConversationKind.DIRECT)
        self.rolls[log.conversation] = {ME: (1, 2), peer: (1, 2)}
        log.create(peer, (peer, ME))
        return log

    def group(self, *members: AccountId, body: bytes = b"") -> FakeLog:
        """Make a group of one's own, in which all have joined."""
        op = self.next_op()
        log = self.log(group_conversation(op), ConversationKind.GROUP)
        self.rolls[log.conversation] = {ME: (3, 2), **dict.fromkeys(members, (1, 2))}
        log.create(ME, members, body, op)
        return log

    def invited_by(self, inviter: AccountId) -> ConversationId:
        """Be invited to a group that one cannot read yet."""
        conversation = group_conversation(op_id(device(9), next(self._counter)))
        self.rolls[conversation] = {inviter: (3, 2), ME: (1, 1)}
        notices = self.log(self.notice_conversation, ConversationKind.NOTICE)
        notices.append(inviter, pack(("invited", conversation, inviter)), Kind.NOTICE)
        return conversation

    def touch(self) -> None:
        """Tell that something was stored."""
        self._updates.publish(EntriesStored(1))

    def be(self, state: ConnectionState, retry_in_s: float = 0.0) -> None:
        """Change the connection; what waits is accepted once it is online."""
        self.state = state
        self._states.publish(StateChanged(state, None, retry_in_s))
        if state is ConnectionState.ONLINE:
            waiting, self._waiting = self._waiting, []
            for op, conversation, body in waiting:
                self._take(op, conversation, body)

    def hear(self, conversation: ConversationId, sender: AccountId, *, typing: bool) -> None:
        """Let somebody type, or stop."""
        who = sender_of(sender, DeviceId(sender[:8]))
        self._ephemerals.publish(EphemeralReceived(conversation, 1, bytes([typing]), who))

    # -- the port: reading ---------------------------------------------------------------------

    @property
    def self_conversation(self) -> ConversationId:
        """Return the conversation among one's own devices."""
        return self_conversation(ME)

    @property
    def notice_conversation(self) -> ConversationId:
        """Return the conversation in which the server speaks."""
        return notice_conversation(ME)

    async def conversations(self) -> list[ConversationView]:
        """Return what is there, latest first."""
        views = []
        for log in self.logs.values():
            unread = [
                entry
                for entry in log.entries
                if entry.seq > log.read and entry.kind == Kind.MESSAGE and entry.account != ME
            ]
            position = log.entries[-1].position if log.entries else 0
            views.append(
                ConversationView(
                    log.conversation, log.kind, log.head, log.head, len(unread), log.joined,
                    position,
                )
            )  # fmt: skip
        return sorted(views, key=lambda view: -view.position)

    async def history(
        self,
        conversation: ConversationId,
        *,
        first: int = 1,
        last: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Return the newest entries of a range."""
        log = self.logs.get(conversation)
        entries = log.entries if log is not None else []
        upto = last if last is not None else 2**62
        return [entry for entry in entries if first <= entry.seq <= upto][-limit:]

    async def gaps(self, conversation: ConversationId) -> list[Gap]:
        """Return what is missing."""
        log = self.logs.get(conversation)
        return list(log.gaps) if log is not None else []

    async def entries(  # noqa: ASYNC900 - the shape of the port
        self, *, own: bool = False
    ) -> AsyncIterator[FakeHanded]:
        """Hand over what was not handled, and then what comes."""
        updates = self._updates.subscribe()
        while True:
            for entry in self.unhandled(own=own):
                yield entry
            await anext(updates)

    def unhandled(self, *, own: bool = True) -> list[FakeHanded]:
        """Return what is to be handed over now."""
        found = [entry for log in self.logs.values() for entry in log.entries]
        fresh = [one for one in found if one.key not in self.handled and (own or not one.own)]
        return [
            FakeHanded(**{one.name: getattr(entry, one.name) for one in fields(Entry)}, client=self)
            for entry in sorted(fresh, key=lambda entry: entry.position)
        ]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[FakeTransaction]:
        """Run statements together; undo them when the block fails."""
        if self.disk_error is not None:
            raise self.disk_error
        async with self._lock:
            tx = FakeTransaction(self)
            self.sql.execute("BEGIN")
            try:
                yield tx
            except BaseException:
                self.sql.execute("ROLLBACK")
                raise
            self.sql.execute("COMMIT")
        for op, conversation, body in tx.sent:
            self._outcomes[op] = Result()
            if self.state is ConnectionState.ONLINE:
                self._take(op, conversation, body)
            else:
                self._waiting.append((op, conversation, body))

    def state_changes(self) -> Subscription[StateChanged]:
        """Follow the connection."""
        return self._states.subscribe()

    def updates(self) -> Subscription[Event]:
        """Follow everything."""
        return self._updates.subscribe()

    def ephemerals(self) -> Subscription[EphemeralReceived]:
        """Follow what is never stored."""
        return self._ephemerals.subscribe()

    # -- the port: asking ----------------------------------------------------------------------

    def next_op(self) -> OpId:
        """Name an operation."""
        return op_id(MY_DEVICE, next(self._counter))

    def _take(self, op: OpId, conversation: ConversationId, body: bytes) -> None:
        """Accept or refuse what was sent."""
        if self.refusal is not None:
            self._outcomes[op].fail(self.refusal)
            return
        entry = self.log(conversation, ConversationKind.DIRECT).append(ME, body, op=op)
        self._outcomes[op].give(self._accepted(entry))
        self.touch()

    def _accepted(self, entry: Entry) -> Accepted:
        return Accepted(entry.op, entry.conversation, entry.seq, entry.position, entry.time_ms)

    async def wait_accepted(self, op: OpId) -> Accepted:
        """Wait for an outcome."""
        return await self._outcomes.setdefault(op, Result()).wait()

    def _ask(self, what: str, about: Any) -> None:
        self.asked.append((what, about))
        if self.refusal is not None:
            raise self.refusal

    async def create_direct(self, peer: AccountId, body: bytes = b"") -> ConversationId:
        """Open a direct conversation."""
        self._ask("create_direct", peer)
        log = self.log(direct_conversation(ME, peer), ConversationKind.DIRECT)
        self.rolls[log.conversation] = {ME: (1, 2), peer: (1, 2)}
        log.create(ME, (ME, peer), body, self.next_op())
        self.touch()
        return log.conversation

    async def create_group(
        self, members: Sequence[AccountId] = (), body: bytes = b""
    ) -> ConversationId:
        """Create a group."""
        self._ask("create_group", (tuple(members), body))
        log = self.group(*members, body=body)
        self.touch()
        return log.conversation

    def _change(
        self, change: Change, conversation: ConversationId, accounts: Sequence[AccountId]
    ) -> Accepted:
        self._ask(change.name.lower(), (conversation, tuple(accounts)))
        log = self.log(conversation, ConversationKind.GROUP)
        entry = log.member(change, ME, accounts, self.next_op())
        self.touch()
        return self._accepted(entry)

    async def invite(self, conversation: ConversationId, accounts: Sequence[AccountId]) -> Accepted:
        """Invite."""
        return self._change(Change.INVITED, conversation, accounts)

    async def accept(self, conversation: ConversationId) -> Accepted:
        """Join."""
        return self._change(Change.JOINED, conversation, (ME,))

    async def leave(self, conversation: ConversationId) -> Accepted:
        """Leave."""
        self.log(conversation, ConversationKind.GROUP).joined = False
        return self._change(Change.LEFT, conversation, (ME,))

    async def remove(self, conversation: ConversationId, peer: AccountId) -> Accepted:
        """Remove somebody."""
        return self._change(Change.REMOVED, conversation, (peer,))

    async def redact(self, conversation: ConversationId, seq: int) -> Accepted:
        """Delete an entry's content."""
        self._ask("redact", (conversation, seq))
        log = self.logs[conversation]
        log.entries = [
            replace(one, redacted=True, envelope=b"") if one.seq == seq else one
            for one in log.entries
        ]
        entry = log.append(ME, pack((seq,)), Kind.REDACTED, self.next_op())
        self.touch()
        return self._accepted(entry)

    async def members(self, conversation: ConversationId) -> list[Member]:
        """Tell who is in a conversation."""
        self.asked.append(("members", conversation))
        roll = self.rolls.get(conversation, {ME: (1, 2)})
        return [
            Member(one, role, state, self.names.get(one, "")) for one, (role, state) in roll.items()
        ]

    async def read_through(self, conversation: ConversationId, seq: int) -> int:
        """Note how far one has read."""
        self.asked.append(("read_through", (conversation, seq)))
        self.logs[conversation].read = seq
        self.touch()
        return seq

    def typing(self, conversation: ConversationId, *, on: bool) -> bool:
        """Note that one is typing."""
        self.asked.append(("typing", (conversation, on)))
        return True

    async def devices(self) -> list[DeviceState]:
        """Tell one's devices."""
        return [DeviceState(MY_DEVICE, "desk", 0, 0, 1), DeviceState(device(2), "phone", 0, 0, 1)]

    async def revoke_device(self, revoked: DeviceId) -> None:
        """Remove a device."""
        self._ask("revoke_device", revoked)

    async def link_device(self) -> str:
        """Make an invite."""
        return "wxserve://example.org:7700/code?pin=pin"

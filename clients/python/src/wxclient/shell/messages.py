"""Sending and reading messages."""

from contextlib import AbstractAsyncContextManager

from wxclient._protocol import frames as f
from wxclient._protocol.envelope import ENVELOPE_VERSION, Envelope, Kind
from wxclient._protocol.frames import Accepted
from wxclient._protocol.identifiers import ConversationId, OpId
from wxclient.core.checking import send_frame
from wxclient.entry import Entry
from wxclient.exceptions import ClientClosed
from wxclient.records import Gap, OutboxRow
from wxclient.state import handing, reading
from wxclient.state.handing import Pending

from .entries import Entries
from .service import Service
from .transaction import Transaction


class Messages(Service):
    """The part of ``Client`` for messages."""

    _entries: Entries | None = None
    _handled_since_trim = 0

    # -- sending -------------------------------------------------------------------------------

    async def send(
        self, conversation: ConversationId, body: bytes, *, ttl_s: int = 0, priority: int = 1
    ) -> Accepted:
        """Send a message and wait until the server has it on stable storage.

        Args:
            conversation: where to.
            body: opaque to the server.
            ttl_s: seconds after which the server forgets it; 0 for its usual time.
            priority: 0 … 255.

        Returns:
            Where the entry stands: ``seq``, ``position``, ``time_ms``, ``op``.

        Raises:
            InvalidArgument: the server would not take it; nothing was kept.
            RequestRefused: refused for good; the class says why.
            OutboxFull: too much waits already.
            InsideTransaction: called inside a transaction; use ``tx.send``.

        Delivery: exactly one entry, however often the connection or the program breaks. It is
            durable here before it is sent for the first time.

        Cancellation: the message is sent all the same.
        """
        self._file.check_outside()
        return await self.wait_accepted(
            self.send_nowait(conversation, body, ttl_s=ttl_s, priority=priority)
        )

    def send_nowait(
        self, conversation: ConversationId, body: bytes, *, ttl_s: int = 0, priority: int = 1
    ) -> OpId:
        """Put a message into the outbox.

        It becomes durable a moment later, at the latest when the client is closed.

        Args:
            conversation: where to.
            body: opaque to the server.
            ttl_s: seconds after which the server forgets it; 0 for its usual time.
            priority: 0 … 255.

        Returns:
            The operation, for ``wait_accepted``.

        Raises:
            InvalidArgument: the server would not take it; nothing was kept.
            OutboxFull: too much waits already.

        Delivery: at most one entry, and exactly one once it is durable here.
        """
        op, row = self._compose(conversation, body, ttl_s=ttl_s, priority=priority)
        self._engine.enqueue(row)
        return op

    def _compose(
        self, conversation: ConversationId, body: bytes, *, ttl_s: int, priority: int
    ) -> tuple[OpId, OutboxRow]:
        op = self._new_op(len(body))
        envelope = Envelope(
            ENVELOPE_VERSION, Kind.MESSAGE, conversation, 0, 0, 0, op, ttl_s, priority, (), b"",
            body,
        )  # fmt: skip
        return op, self._engine.core.row(op, conversation, send_frame(envelope))

    # -- receiving -----------------------------------------------------------------------------

    def entries(self, *, own: bool = False) -> Entries:
        """Return an iterator over the entries that were not handled yet.

        Messages of others and of one's other devices, and what the server says (``entry.fact``):
        memberships, redactions, notices. A newer iterator ends an older one.

        Args:
            own: what this very device sent, too.

        Returns:
            An asynchronous iterator of ``HandedEntry``.

        Delivery: every entry until ``commit`` or ``done``, in order per conversation, across
            restarts, each under the same ``key``.
        """
        if self._entries is not None:
            self._entries.supersede()
        self._entries = Entries(
            self._file, self._transaction, self._after_handled, self._options.shell, own=own
        )
        self._entries.failure = self._reporter.failure
        return self._entries

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction on the state file, for tables of one's own.

        Returns:
            A context manager that gives a ``Transaction``.

        Cancellation: undone, unless the commit has begun; then it is finished.
        """
        return self._transaction(None)

    def _transaction(self, pending: Pending | None) -> AbstractAsyncContextManager[Transaction]:
        return self._file.transaction(self._compose, pending, self._engine.stored)

    def _look_again(self) -> None:
        """Tell the iterator that entries were stored, or that the client stopped."""
        if self._entries is None:
            return
        if isinstance(self._reporter.failure, ClientClosed):
            self._entries.supersede()
        self._entries.failure = self._reporter.failure
        self._entries.wake()

    async def _after_handled(self) -> None:
        """Apply the retention now and then."""
        self._handled_since_trim += 1
        wanted = self._options.retention.handled_entries_max is not None
        if wanted and self._handled_since_trim >= self._options.shell.trim_every:
            self._handled_since_trim = 0
            await self.trim()

    async def trim(self) -> int:
        """Delete handled entries beyond the retention in ``Options``.

        Returns:
            How many were deleted.

        Cancellation: only before it starts.
        """
        retention = self._options.retention
        return await self._file.read(lambda sql: handing.trim(sql, retention))

    # -- what is stored ------------------------------------------------------------------------

    async def history(
        self,
        conversation: ConversationId,
        *,
        first: int = 1,
        last: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Return entries stored on this device, one's own included, oldest first.

        Args:
            conversation: which.
            first: lowest sequence number.
            last: highest sequence number; None for the newest.
            limit: the newest so many of that range, at most ``history_max``.

        Returns:
            The entries; what is missing among them is in ``gaps``.
        """
        upto = reading.SQLITE_INTEGER_MAX if last is None else last
        count = min(limit, self._options.shell.history_max)
        return await self._file.read(
            lambda sql: reading.history(sql, conversation, first, upto, count)
        )

    async def gaps(self, conversation: ConversationId) -> list[Gap]:
        """Return which entries of a conversation this device will not get, and why."""
        return await self._file.read(lambda sql: reading.gaps(sql, conversation))

    async def fetch_history(
        self, conversation: ConversationId, first: int, last: int, limit: int = 100
    ) -> tuple[list[Entry], int]:
        """Ask the server for entries, for what is not stored here.

        Args:
            conversation: which.
            first: lowest sequence number.
            last: highest sequence number.
            limit: at most so many entries.

        Returns:
            The entries, oldest first, and the sequence number to go on from, 0 for none.

        Raises:
            RequestRefused: the conversation is not visible.

        Cancellation: the answer is dropped.
        """
        frames = await self._request(f.History(conversation, first, last, limit))
        timeline = self._engine.core.identity.timeline
        entries = [
            Entry.received(timeline, frame, self.device)
            for frame in frames
            if isinstance(frame, f.Deliver)
        ]
        (end,) = (frame for frame in frames if isinstance(frame, f.Done))
        return entries, end.value

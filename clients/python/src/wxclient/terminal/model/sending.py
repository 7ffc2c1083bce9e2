"""Messages of this device, from the input until they are in the log."""

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from wxclient import (
    ClientError,
    ConnectionState,
    ConversationId,
    OpId,
    RequestRefused,
    ServerError,
)
from wxclient.terminal.bodies import write_text
from wxclient.terminal.limits import TEXT_BYTES_MAX
from wxclient.terminal.ports import ChatClient, Clock

from .notebook import Notebook, Sent
from .refusals import refusal_words


class TooLongError(ValueError):
    """The message does not fit; the text says by how much."""


class Sending:
    """Sends, and keeps what is not in the log yet; it survives a kill and a restart.

    Args:
        client: the open device.
        notebook: where messages under way are kept.
        clock: the present time.
        changed: called when a message got further.
    """

    def __init__(
        self, client: ChatClient, notebook: Notebook, clock: Clock, changed: Callable[[], None]
    ) -> None:
        self._client = client
        self._notebook = notebook
        self._clock = clock
        self._changed = changed
        self._order = anyio.Lock()
        self._tasks: TaskGroup | None = None
        self.latency_ms: float | None = None
        """From sending to acceptance, of the latest message sent while connected."""

    def start(self, tasks: TaskGroup) -> None:
        """Follow the messages of earlier runs, and from now on new ones, in these tasks."""
        self._tasks = tasks
        for sent in self._notebook.sent.values():
            if not sent.refused:
                tasks.start_soon(self._settle, sent.op, None)

    async def send(self, conversation: ConversationId, text: str) -> OpId:
        """Send a text; it is durable when this returns, and sent when there is a connection.

        Raises:
            TooLongError: the text does not fit into a message.
            OutboxFull: too much waits already.

        Delivery: exactly one entry. Texts are sent in the order of the calls.
        """
        body = write_text(text)
        over = len(body) - TEXT_BYTES_MAX
        if over > 0:
            raise TooLongError(f"the message is {over:,} bytes too long")
        async with self._order:
            return await self._put(conversation, body)

    async def _put(
        self, conversation: ConversationId, body: bytes, instead: OpId | None = None
    ) -> OpId:
        time_ms = self.now_ms()
        op: OpId | None = None
        try:
            async with self._client.transaction() as tx:
                op = tx.send(conversation, body)
                await self._notebook.put_sent(tx, Sent(op, conversation, time_ms, body))
                if instead is not None:
                    await self._notebook.drop_sent(tx, instead)
        except BaseException:
            if op is not None:
                self._notebook.sent.pop(op, None)
            raise
        self._changed()
        if self._tasks is not None:
            online = self._client.state is ConnectionState.ONLINE
            self._tasks.start_soon(self._settle, op, anyio.current_time() if online else None)
        return op

    async def _settle(self, op: OpId, since_s: float | None) -> None:
        """Wait for the outcome of a message, and keep it until the message is in the log.

        Args:
            op: of the message.
            since_s: when it was sent, if there was a connection; its latency is worth showing.
        """
        try:
            accepted = await self._client.wait_accepted(op)
        except RequestRefused as refusal:
            await self._refused(op, refusal_words(refusal))
            return
        except (ClientError, ServerError):
            if self._client.state is not ConnectionState.STOPPED:
                await self._refused(op, "its outcome is not known any more")
            return
        if since_s is not None:
            self.latency_ms = (anyio.current_time() - since_s) * 1000
        if op in self._notebook.sent:
            self._notebook.sent[op] = self._notebook.sent[op]._replace(accepted_seq=accepted.seq)
        self._changed()

    async def _refused(self, op: OpId, why: str) -> None:
        sent = self._notebook.sent.get(op)
        if sent is not None:
            async with self._client.transaction() as tx:
                await self._notebook.put_sent(tx, sent._replace(refused=why))
        self._changed()

    def now_ms(self) -> int:
        """Return the present time as messages carry it."""
        return int(self._clock().timestamp() * 1000)

    def under_way(self, conversation: ConversationId) -> list[Sent]:
        """Return the messages to a conversation that are not in the log, oldest first."""
        return [sent for sent in self._notebook.sent.values() if sent.conversation == conversation]

    @property
    def waiting(self) -> int:
        """Return how many messages wait for their acceptance."""
        return sum(
            not sent.refused and not sent.accepted_seq for sent in self._notebook.sent.values()
        )

    async def drop(self, ops: list[OpId]) -> None:
        """Forget messages: refused ones, or accepted ones that the log will never show."""
        async with self._client.transaction() as tx:
            for op in ops:
                await self._notebook.drop_sent(tx, op)
        self._changed()

    async def retry(self, conversation: ConversationId) -> int:
        """Send again what was refused in a conversation; return how many."""
        refused = [sent for sent in self.under_way(conversation) if sent.refused]
        for sent in refused:
            async with self._order:
                await self._put(conversation, sent.body, sent.op)
        return len(refused)

    async def discard(self, conversation: ConversationId) -> int:
        """Forget what was refused in a conversation; return how many."""
        refused = [sent.op for sent in self.under_way(conversation) if sent.refused]
        await self.drop(refused)
        return len(refused)

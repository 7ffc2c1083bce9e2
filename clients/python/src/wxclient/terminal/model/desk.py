"""``Desk``: everything that the views and the commands work with, as one object."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import anyio
from anyio.abc import TaskGroup

from wxclient import (
    AccountId,
    ClientError,
    ConnectionState,
    ConversationId,
    ConversationKind,
    EphemeralReceived,
    RequestRefused,
    ServerError,
    StateChanged,
)
from wxclient._protocol.identifiers import direct_conversation
from wxclient.terminal.bodies import Text, read_body, write_title
from wxclient.terminal.ports import ChatClient, Clock
from wxclient.terminal.sanitising import clean_text

from .clerk import Clerk
from .items import Message
from .notebook import Notebook
from .pages import Pages
from .people import People
from .refusals import refusal_words
from .rows import Row, Rows
from .sending import Sending
from .typists import Typists


class Desk:
    """An open device with all that the terminal client keeps about it.

    Args:
        client: the open device.
        clock: the present time.
    """

    def __init__(self, client: ChatClient, clock: Clock) -> None:
        self.client = client
        self.clock = clock
        self.changed: Callable[[], None] = lambda: None
        """Called, often, when anything that is shown may have changed."""
        self.complain: Callable[[str], None] = lambda _complaint: None
        """Called when something that was begun earlier did not work."""
        self.notebook = Notebook()
        self.people = People(client, self.notebook, self._changed)
        self.sending = Sending(client, self.notebook, clock, self._changed)
        self.rows = Rows(client, self.notebook, self.people)
        self.typists = Typists(anyio.current_time)
        self.connection = StateChanged(client.state)
        self.connection_since_s = 0.0
        self._tasks: TaskGroup | None = None
        self.started = anyio.Event()
        """Set when everything is followed."""
        self.clerk = Clerk(client, self.notebook, self.people)

    def _changed(self) -> None:
        self.changed()

    async def open(self) -> None:
        """Read what is kept; before anything else."""
        async with self.client.transaction() as tx:
            await self.notebook.load(tx)
        self.people.want(self.client.self_conversation)

    async def run(self, *, entries: bool = True) -> None:
        """Follow the client until it stops for good; why it did is for whoever holds it open.

        Args:
            entries: whether to handle entries; if not, the caller does, with ``clerk``.
        """
        self._connection_is(StateChanged(self.client.state))
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self.sending.start(tasks)
            for follow in (
                *([self.clerk.run] if entries else []),
                self.people.run,
                self._follow_connection,
                self._follow_updates,
                self._follow_ephemerals,
            ):
                tasks.start_soon(_until_stopped, follow)
            await self._create_missing()  # a kill may have come before the creation was durable
            self.started.set()

    # -- following -----------------------------------------------------------------------------

    async def _follow_connection(self) -> None:
        async for change in self.client.state_changes():
            self._connection_is(change)

    def _connection_is(self, change: StateChanged) -> None:
        self.connection = change
        self.connection_since_s = anyio.current_time()
        self._changed()

    async def _follow_updates(self) -> None:
        async for event in self.client.updates():
            if not isinstance(event, StateChanged | EphemeralReceived):
                self._changed()

    async def _follow_ephemerals(self) -> None:
        async for ephemeral in self.client.ephemerals():
            if self.typists.hear(ephemeral):
                self._changed()

    @property
    def online(self) -> bool:
        """Whether the client has caught up on a connection."""
        return self.connection.state is ConnectionState.ONLINE

    @property
    def retry_in_s(self) -> float:
        """Return how many seconds are left until the next attempt to connect."""
        return max(0.0, self.connection_since_s + self.connection.retry_in_s - anyio.current_time())

    # -- settings ------------------------------------------------------------------------------

    def setting(self, key: str) -> str:
        """Return a setting; empty if there is none."""
        return self.notebook.settings.get(key, "")

    async def set(self, key: str, value: str) -> None:
        """Keep a setting."""
        async with self.client.transaction() as tx:
            await self.notebook.set(tx, key, value)

    # -- conversations -------------------------------------------------------------------------

    def pages(self, row: Row) -> Pages:
        """Return a window on a conversation."""
        return Pages(self.client, self.people, self.sending, row.conversation, row.unread)

    async def open_direct(self, account: AccountId) -> ConversationId:
        """Return the direct conversation with an account; it is created in the background.

        One can write there at once; what is written waits for the creation.

        Args:
            account: of the other.
        """
        conversation = direct_conversation(self.client.account, account)
        about = self.notebook.about(conversation)
        if about.peer is None:
            async with self.client.transaction() as tx:
                await self.notebook.describe(tx, conversation, about._replace(peer=account))
        await self._create_missing(conversation)
        self._changed()
        return conversation

    async def _create_missing(self, *wanted: ConversationId) -> None:
        """Create direct conversations that are kept here and not there; twice does not hurt.

        Args:
            wanted: which; all if there are none.
        """
        known = {view.conversation for view in await self.client.conversations()}
        for conversation in wanted or tuple(self.notebook.conversations):
            peer = self.notebook.about(conversation).peer
            if peer is not None and conversation not in known and self._tasks is not None:
                self._tasks.start_soon(self._create_direct, peer, conversation)

    async def _create_direct(self, account: AccountId, conversation: ConversationId) -> None:
        try:
            await self.client.create_direct(account)
        except RequestRefused as refusal:
            self.complain(f"No conversation with that address: {refusal_words(refusal)}.")
            about = self.notebook.about(conversation)._replace(peer=None)
            async with self.client.transaction() as tx:
                await self.notebook.describe(tx, conversation, about)
        except (ServerError, ClientError):
            return  # stopped for good; the operation is durable, if it was not refused
        self._changed()

    async def create_group(self, title: str, members: Sequence[AccountId]) -> ConversationId:
        """Create a group that has a title.

        Raises:
            RequestRefused: an account does not exist, or a limit is reached.
        """
        return await self.client.create_group(members, write_title(title))

    async def rename(self, subject: bytes, given: str) -> None:
        """Give an account or a conversation a name that only this device shows; empty for none."""
        named = self.notebook.named(subject)._replace(given=given)
        async with self.client.transaction() as tx:
            await self.notebook.name(tx, subject, named)
        self._changed()

    async def retitle(self, conversation: ConversationId, title: str) -> None:
        """Give a group a title that everybody in it sees."""
        async with self.client.transaction() as tx:
            tx.send(conversation, write_title(title))

    async def forget_invitation(self, conversation: ConversationId) -> None:
        """Take an invitation off the list, as when it was answered elsewhere."""
        async with self.client.transaction() as tx:
            await self.notebook.answer(tx, conversation)
        self._changed()

    async def read(self, conversation: ConversationId, seq: int) -> None:
        """Note, for all devices of the account, that one has read through ``seq``."""
        self.rows.see(conversation, seq)
        self._changed()
        with suppress(ServerError, ClientError):  # the next look will note more
            await self.client.read_through(conversation, seq)

    def kind_of(self, conversation: ConversationId) -> ConversationKind | None:
        """Return what a conversation is, as far as the notebook and its id tell."""
        if conversation == self.client.self_conversation:
            return ConversationKind.SELF
        if conversation == self.client.notice_conversation:
            return ConversationKind.NOTICE
        peer = self.people.peer(conversation)
        return ConversationKind.GROUP if peer is None else ConversationKind.DIRECT

    def tell_typing(self, conversation: ConversationId, *, on: bool) -> None:
        """Tell others that one is typing, or stopped."""
        with suppress(ServerError, ClientError):
            self.client.typing(conversation, on=on)

    async def whole_text(self, conversation: ConversationId, message: Message) -> str:
        """Return all of a message, safe to show."""
        body = b""
        if message.seq:
            for entry in await self.client.history(
                conversation, first=message.seq, last=message.seq, limit=1
            ):
                body = entry.body
        else:
            for sent in self.sending.under_way(conversation):
                if message.key.endswith(sent.op.hex()):
                    body = sent.body
        read = read_body(body)
        return clean_text(read.text) if isinstance(read, Text) else message.text


async def _until_stopped(follow: Callable[[], Awaitable[None]]) -> None:
    with suppress(ServerError, ClientError):
        await follow()

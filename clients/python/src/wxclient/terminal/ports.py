"""What the terminal client needs of an open device: the SDK's ``Client``, or a fake in tests."""

from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from wxclient import (
    Accepted,
    AccountId,
    ConnectionState,
    ConversationId,
    ConversationView,
    DeviceId,
    DeviceState,
    Entry,
    EphemeralReceived,
    Event,
    Fact,
    Gap,
    Member,
    OpId,
    StateChanged,
)
from wxclient.shell.transaction import SqlValue

Clock = Callable[[], datetime]
"""Returns the present time, with its zone."""


class Tx(Protocol):
    """A transaction on the state file."""

    async def execute(
        self, statement: str, parameters: Sequence[SqlValue] = ()
    ) -> list[tuple[Any, ...]]:
        """Run one statement."""
        ...

    def send(self, conversation: ConversationId, body: bytes) -> OpId:
        """Send a message if the transaction is committed."""
        ...


class Handed(Protocol):
    """An entry that was not handled yet."""

    @property
    def conversation(self) -> ConversationId:
        """Where it stands."""

    @property
    def seq(self) -> int:
        """Its place there."""

    @property
    def time_ms(self) -> int:
        """When the server took it."""

    @property
    def kind(self) -> int:
        """What it is."""

    @property
    def op(self) -> OpId:
        """By which operation it was sent."""

    @property
    def own(self) -> bool:
        """Whether this device sent it."""

    @property
    def account(self) -> AccountId | None:
        """Who sent it."""

    @property
    def body(self) -> bytes:
        """What a message says."""

    @property
    def fact(self) -> Fact | None:
        """What the server says."""

    def commit(self) -> AbstractAsyncContextManager[Tx]:
        """Handle it in a transaction."""
        ...


class Reading(Protocol):
    """What is known on this device, and what follows."""

    @property
    def account(self) -> AccountId:
        """Whose device it is."""

    @property
    def device(self) -> DeviceId:
        """Which device it is."""

    @property
    def self_conversation(self) -> ConversationId:
        """The conversation among the account's own devices."""

    @property
    def notice_conversation(self) -> ConversationId:
        """The conversation in which the server speaks."""

    @property
    def state(self) -> ConnectionState:
        """How far the connection is."""

    async def conversations(self) -> list[ConversationView]:
        """Return what is known, latest first."""
        ...

    async def history(
        self,
        conversation: ConversationId,
        *,
        first: int = 1,
        last: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Return the newest entries of a range, oldest first."""
        ...

    async def gaps(self, conversation: ConversationId) -> list[Gap]:
        """Return what this device did not get."""
        ...

    def entries(self, *, own: bool = False) -> AsyncIterable[Handed]:
        """Hand over what was not handled."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """Open a transaction."""
        ...

    def state_changes(self) -> AsyncIterable[StateChanged]:
        """Follow the connection."""
        ...

    def updates(self) -> AsyncIterable[Event]:
        """Follow everything."""
        ...

    def ephemerals(self) -> AsyncIterable[EphemeralReceived]:
        """Follow what is never stored."""
        ...


class Asking(Protocol):
    """What the server is asked for, and told."""

    async def wait_accepted(self, op: OpId) -> Accepted:
        """Wait for an operation's outcome."""
        ...

    async def create_direct(self, account: AccountId, body: bytes = b"") -> ConversationId:
        """Open the direct conversation with another account."""
        ...

    async def create_group(
        self, members: Sequence[AccountId] = (), body: bytes = b""
    ) -> ConversationId:
        """Create a group."""
        ...

    async def invite(self, conversation: ConversationId, accounts: Sequence[AccountId]) -> Accepted:
        """Invite accounts."""
        ...

    async def accept(self, conversation: ConversationId) -> Accepted:
        """Join."""
        ...

    async def leave(self, conversation: ConversationId) -> Accepted:
        """Leave, or decline."""
        ...

    async def remove(self, conversation: ConversationId, account: AccountId) -> Accepted:
        """Remove a member."""
        ...

    async def redact(self, conversation: ConversationId, seq: int) -> Accepted:
        """Delete an entry's content for everybody."""
        ...

    async def members(self, conversation: ConversationId) -> list[Member]:
        """Ask who is in a conversation."""
        ...

    async def read_through(self, conversation: ConversationId, seq: int) -> int:
        """Note how far one has read."""
        ...

    def typing(self, conversation: ConversationId, *, on: bool) -> bool:
        """Tell that one is typing."""
        ...

    async def devices(self) -> list[DeviceState]:
        """Ask for one's devices."""
        ...

    async def revoke_device(self, device: DeviceId) -> None:
        """Remove one of one's devices."""
        ...

    async def link_device(self) -> str:
        """Make an invite for one more device."""
        ...


class ChatClient(Reading, Asking, Protocol):
    """Everything that is needed of an open device."""

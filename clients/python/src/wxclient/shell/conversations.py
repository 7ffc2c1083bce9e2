"""Creating conversations, and who is in them."""

from collections.abc import Sequence

from wxclient._protocol import frames as f
from wxclient._protocol.envelope import ConversationKind
from wxclient._protocol.frames import Accepted, Member
from wxclient._protocol.identifiers import (
    AccountId,
    ConversationId,
    direct_conversation,
    group_conversation,
    notice_conversation,
    self_conversation,
)
from wxclient.core.checking import check_identifier
from wxclient.state import reading
from wxclient.state.reading import ConversationView

from .service import Service

MEMBERS_PAGE = 256


class Conversations(Service):
    """The part of ``Client`` for conversations.

    Every change is an operation: durable here before it is sent, carried out once, and still on its
    way when the waiting call is cancelled. Each returns where the entry that says so stands, and
    raises ``RequestRefused`` when it is refused for good, ``InvalidArgument`` when it cannot be sent.
    """

    @property
    def self_conversation(self) -> ConversationId:
        """Return the conversation among one's own devices."""
        return self_conversation(self.account)

    @property
    def notice_conversation(self) -> ConversationId:
        """Return the conversation in which the server speaks to this account."""
        return notice_conversation(self.account)

    async def create_direct(self, account: AccountId, body: bytes = b"") -> ConversationId:
        """Return the one direct conversation with another account, made if it is not there.

        Args:
            account: the other.
            body: kept in the first entry if it is made; opaque.

        Raises:
            InvalidArgument: the account is not 16 bytes.
            RequestRefused: Forbidden for an unknown account, or one that blocks this one.

        Cancellation: it is made all the same.
        """
        check_identifier(account, "account")
        op = self._new_op(len(body))
        conversation = direct_conversation(self.account, account)
        frame = f.Create(op, ConversationKind.DIRECT, (account,), body)
        await self._operate(op, conversation, frame)
        return conversation

    async def create_group(
        self, members: Sequence[AccountId] = (), body: bytes = b""
    ) -> ConversationId:
        """Create a group with this account as its owner.

        Args:
            members: are invited; each joins with ``accept``.
            body: kept in the first entry; opaque.

        Returns:
            The new conversation.

        Raises:
            RequestRefused: Forbidden, ConversationFull, LimitReached.

        Cancellation: it is created all the same.
        """
        op = self._new_op(len(body))
        conversation = group_conversation(op)
        frame = f.Create(op, ConversationKind.GROUP, tuple(members), body)
        await self._operate(op, conversation, frame)
        return conversation

    async def invite(self, conversation: ConversationId, accounts: Sequence[AccountId]) -> Accepted:
        """Invite accounts (1 … 100) into a group."""
        op = self._new_op()
        frame = f.Invite(op, conversation, tuple(accounts))
        return await self._operate(op, conversation, frame)

    async def accept(self, conversation: ConversationId) -> Accepted:
        """Join a group this account was invited to."""
        op = self._new_op()
        return await self._operate(op, conversation, f.Accept(op, conversation))

    async def leave(self, conversation: ConversationId) -> Accepted:
        """Leave a group, or decline an invitation."""
        op = self._new_op()
        return await self._operate(op, conversation, f.Leave(op, conversation))

    async def remove(self, conversation: ConversationId, account: AccountId) -> Accepted:
        """Remove a member or an invited account from a group."""
        op = self._new_op()
        return await self._operate(op, conversation, f.Remove(op, conversation, account))

    async def set_role(
        self, conversation: ConversationId, account: AccountId, role: int
    ) -> Accepted:
        """Give a member a role: 1 member, 2 administrator, 3 owner."""
        op = self._new_op()
        return await self._operate(op, conversation, f.SetRole(op, conversation, account, role))

    async def close(self, conversation: ConversationId) -> Accepted:
        """Close a group for writing, for ever."""
        op = self._new_op()
        return await self._operate(op, conversation, f.Close(op, conversation))

    async def redact(self, conversation: ConversationId, seq: int) -> Accepted:
        """Delete the content of entry ``seq`` for everybody."""
        op = self._new_op()
        return await self._operate(op, conversation, f.Redact(op, conversation, seq))

    async def conversations(self) -> list[ConversationView]:
        """Return the conversations this device knows, latest first, with unread counts."""
        account = self.account
        return await self._file.read(lambda sql: reading.conversations(sql, account))

    async def members(self, conversation: ConversationId) -> list[Member]:
        """Ask the server who is in a conversation: joined and invited, by account id.

        Raises:
            RequestRefused: the conversation is not visible.

        Cancellation: the answer is dropped.
        """
        members: list[Member] = []
        more = True
        while more:
            after = members[-1].account if members else b""
            page = await self._ask(f.Members(conversation, after, MEMBERS_PAGE), f.MemberList)
            members.extend(page.members)
            more = page.more and bool(page.members)
        return members

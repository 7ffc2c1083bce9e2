"""Who is who: names of accounts and conversations, and which account a text means."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import anyio

from wxclient import (
    AccountId,
    ConversationId,
    ConversationKind,
    ConversationView,
    Member,
    ServerError,
)
from wxclient._protocol.identifiers import direct_conversation
from wxclient.terminal.addresses import PREFIX, parse_address, short_address
from wxclient.terminal.limits import MEMBERS_ASKED_MAX, MEMBERS_NAMED_MAX, TITLE_CHARS_MAX
from wxclient.terminal.ports import ChatClient
from wxclient.terminal.sanitising import clean_line

from .notebook import Invitation, Named, Notebook

JOINED: Final = 2
"""State of a member who takes part; 1 is invited."""
SELF_NAME: Final = "Notes to self"
NOTICE_NAME: Final = "Notices"


class People:
    """Names, from three sources: the user's own, the server's, and addresses where there is none.

    Args:
        client: the open device.
        notebook: where names are kept.
        changed: called when a name changed.
    """

    def __init__(self, client: ChatClient, notebook: Notebook, changed: Callable[[], None]) -> None:
        self._client = client
        self._notebook = notebook
        self._changed = changed
        self._members: dict[ConversationId, tuple[Member, ...]] = {}
        self._wanted: dict[ConversationId, None] = {}
        self._asked: set[ConversationId] = set()
        self._wake = anyio.Event()

    # -- names ---------------------------------------------------------------------------------

    def name(self, account: AccountId) -> str:
        """Return what to call an account; "You" for one's own."""
        if account == self._client.account:
            return "You"
        given, seen = self._notebook.named(account)
        return given or seen or short_address(account)

    @property
    def own_name(self) -> str:
        """Return one's own name as others see it, or an empty text."""
        return self._notebook.named(self._client.account).seen

    def names(self, accounts: Iterable[AccountId]) -> str:
        """Return several accounts as one text: "Ann, Bob and Cem"."""
        found = [self.name(account) for account in accounts]
        listed = " and ".join(part for part in (", ".join(found[:-1]), *found[-1:]) if part)
        return listed or "nobody"

    def peer(self, conversation: ConversationId) -> AccountId | None:
        """Return the other account of a direct conversation, if it is known."""
        return self._notebook.about(conversation).peer

    def invitation(self, conversation: ConversationId) -> Invitation | None:
        """Return the invitation to a conversation, if it is open."""
        return self._notebook.invitations.get(conversation)

    def name_of(self, conversation: ConversationId, kind: ConversationKind | None) -> str:
        """Return what to call a conversation."""
        given = self._notebook.named(conversation).given
        about = self._notebook.about(conversation)
        if given:
            return given
        match kind:
            case ConversationKind.SELF:
                return SELF_NAME
            case ConversationKind.NOTICE:
                return NOTICE_NAME
            case ConversationKind.DIRECT if about.peer is not None:
                return self.name(about.peer)
        return about.title or self._named_by_members(conversation) or _numbered(conversation)

    def _named_by_members(self, conversation: ConversationId) -> str:
        others = [m for m in self.members(conversation) if m.account != self._client.account]
        names = [self.name(member.account) for member in others[:MEMBERS_NAMED_MAX]]
        more = len(others) - len(names)
        return clean_line(", ".join(names), TITLE_CHARS_MAX) + (f" +{more}" if more else "")

    # -- members -------------------------------------------------------------------------------

    def members(self, conversation: ConversationId) -> tuple[Member, ...]:
        """Return the members as they were last asked for; empty before."""
        return self._members.get(conversation, ())

    def want(self, conversation: ConversationId, *, again: bool = False) -> None:
        """Have the members of a conversation asked for when there is a connection.

        Args:
            conversation: which.
            again: even if they were asked for before, as when somebody joined.
        """
        if (conversation in self._asked and not again) or len(self._wanted) >= MEMBERS_ASKED_MAX:
            return
        self._asked.add(conversation)
        self._wanted[conversation] = None
        self._wake.set()

    async def run(self) -> None:
        """Ask for the members of one wanted conversation after the other, for ever."""
        while True:
            await self._wake.wait()
            if not self._wanted:
                self._wake = anyio.Event()
                continue
            conversation = next(iter(self._wanted))
            with suppress(ServerError):  # one that is not visible any more keeps its name
                await self.ask(conversation)
            self._wanted.pop(conversation, None)

    async def ask(self, conversation: ConversationId) -> tuple[Member, ...]:
        """Ask the server for the members, and learn their names.

        Raises:
            ServerError: the conversation is not visible.
        """
        members = tuple(await self._client.members(conversation))
        self._members[conversation] = members
        seen = {member.account: clean_line(member.name, TITLE_CHARS_MAX) for member in members}
        news = [one for one, name in seen.items() if self._notebook.named(one).seen != name]
        about = self._notebook.about(conversation)
        peer = self._peer_among(conversation, members) if about.peer is None else None
        if news or peer is not None:
            async with self._client.transaction() as tx:
                for account in news:
                    given = self._notebook.named(account).given
                    await self._notebook.name(tx, account, Named(given, seen[account]))
                if peer is not None:
                    await self._notebook.describe(tx, conversation, about._replace(peer=peer))
        self._changed()
        return members

    def _peer_among(
        self, conversation: ConversationId, members: tuple[Member, ...]
    ) -> AccountId | None:
        """Return the other one, if this is the direct conversation of two."""
        for member in members:
            if direct_conversation(self._client.account, member.account) == conversation:
                return member.account
        return None

    def learn_kinds(self, views: Iterable[ConversationView]) -> None:
        """Have the members asked for where a name depends on them."""
        for view in views:
            about = self._notebook.about(view.conversation)
            nameless = view.kind is ConversationKind.GROUP and not about.title
            peerless = view.kind is ConversationKind.DIRECT and (
                about.peer is None or not self._notebook.named(about.peer).seen
            )
            if nameless or peerless:
                self.want(view.conversation)

    # -- which account is meant ----------------------------------------------------------------

    def find(self, text: str) -> AccountId:
        """Return the account that an address or a known name means.

        Raises:
            ValueError: none, or more than one; for a person.
        """
        plain = text.strip().removeprefix("@")
        if plain.lower().startswith(PREFIX) or not self._called(plain):
            return parse_address(plain)
        found = self._called(plain)
        if len(found) > 1:
            raise ValueError(f"{len(found)} people are called {plain!r}: give the address")
        return found[0]

    def knows(self, text: str) -> bool:
        """Whether ``find`` would return an account."""
        try:
            self.find(text)
        except ValueError:
            return False
        return True

    def _called(self, name: str) -> list[AccountId]:
        wanted = name.casefold()
        accounts = {about.peer for about in self._notebook.conversations.values()} | {
            member.account for members in self._members.values() for member in members
        }
        return [
            account
            for account in accounts
            if account is not None and self.name(account).casefold() == wanted
        ]


def _numbered(conversation: ConversationId) -> str:
    return f"Group {conversation.hex()[:6]}"

"""Handles each entry once: what it means for names, invitations and messages under way.

What is shown comes from the stored history; the clerk keeps what the history alone does not tell.
It also sends a group's title again to those whom this device had invited, when they join: they
cannot read what was written before, the group's first entry included.
"""

import sqlite3

from wxclient import (
    Change,
    Closed,
    ConversationId,
    Created,
    EntryAlreadyHandled,
    Fact,
    Invited,
    Kind,
    Membership,
    StateError,
)
from wxclient._protocol.identifiers import AccountId
from wxclient.terminal.bodies import Title, read_body, write_title
from wxclient.terminal.limits import TITLE_CHARS_MAX
from wxclient.terminal.ports import ChatClient, Handed, Tx
from wxclient.terminal.sanitising import clean_line

from .notebook import Invitation, Notebook
from .people import People


class Clerk:
    """Takes entries from the SDK, one at a time.

    Args:
        client: the open device.
        notebook: what is kept.
        people: who has to know of changed members.
    """

    def __init__(self, client: ChatClient, notebook: Notebook, people: People) -> None:
        self._client = client
        self._notebook = notebook
        self._people = people

    async def run(self) -> None:
        """Handle entries for ever.

        Raises:
            Exception: why the client stopped for good.
        """
        async for entry in self._client.entries(own=True):
            await self.handle(entry)

    async def handle(self, entry: Handed) -> None:
        """Handle one entry and what follows from it, in one transaction.

        Delivery: once; nothing happens if it was handled before.
        """
        try:
            async with entry.commit() as tx:
                await self._take(tx, entry)
        except EntryAlreadyHandled:
            return
        except (StateError, sqlite3.Error):
            return  # as when the disk is full: the SDK hands it over again after a while
        if isinstance(entry.fact, Created | Membership):
            self._people.want(entry.conversation, again=True)

    async def _take(self, tx: Tx, entry: Handed) -> None:
        if entry.own:
            await self._notebook.drop_sent(tx, entry.op)
        if entry.kind == Kind.MESSAGE:
            await self._retitle(tx, entry.conversation, entry.body)
        elif entry.fact is not None:
            await self._note(tx, entry, entry.fact)

    async def _retitle(self, tx: Tx, conversation: ConversationId, data: bytes) -> None:
        """Keep a title, if there is one in the body."""
        body = read_body(data)
        if isinstance(body, Title):
            title = clean_line(body.title, TITLE_CHARS_MAX)
            about = self._notebook.about(conversation)
            if title and title != about.title:
                await self._notebook.describe(tx, conversation, about._replace(title=title))

    async def _note(self, tx: Tx, entry: Handed, fact: Fact) -> None:
        match fact:
            case Created():
                await self._created(tx, entry, fact)
            case Invited(conversation, by):
                invitation = Invitation(conversation, by, entry.time_ms)
                await self._notebook.be_invited(tx, invitation)
                self._people.want(conversation, again=True)
            case Membership():
                await self._changed(tx, entry, fact)
            case Closed():
                about = self._notebook.about(entry.conversation)
                await self._notebook.describe(tx, entry.conversation, about._replace(closed=True))
            case _:
                pass

    async def _created(self, tx: Tx, entry: Handed, fact: Created) -> None:
        await self._retitle(tx, entry.conversation, fact.body)
        own = self._client.account
        others = [member for member in (*fact.members, fact.creator) if member != own]
        if fact.kind == fact.kind.DIRECT and others:
            about = self._notebook.about(entry.conversation)
            await self._notebook.describe(tx, entry.conversation, about._replace(peer=others[0]))
        elif fact.kind == fact.kind.GROUP and entry.own:
            await self._remember_invited(tx, entry.conversation, fact.members)

    async def _changed(self, tx: Tx, entry: Handed, fact: Membership) -> None:
        if fact.change is Change.INVITED:
            if entry.own:
                await self._remember_invited(tx, entry.conversation, fact.accounts)
            return
        if fact.change is Change.ROLE:
            return
        for account in fact.accounts:
            if account == self._client.account:
                await self._notebook.answer(tx, entry.conversation)
            invited = await self._notebook.uninvite(tx, entry.conversation, account)
            title = self._notebook.about(entry.conversation).title
            if invited and title and fact.change is Change.JOINED:
                tx.send(entry.conversation, write_title(title))

    async def _remember_invited(
        self, tx: Tx, conversation: ConversationId, accounts: tuple[AccountId, ...]
    ) -> None:
        for account in accounts:
            await self._notebook.invite(tx, conversation, account)

"""The list of conversations: invitations first, then the latest first."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from wxclient import ConversationId, ConversationKind, ConversationView, Entry, Kind
from wxclient.terminal.bodies import Text, Title, read_body
from wxclient.terminal.limits import TITLE_CHARS_MAX
from wxclient.terminal.ports import ChatClient
from wxclient.terminal.sanitising import clean_line

from .notebook import Notebook
from .people import People
from .words import fact_words

_PREVIEW_CHARS_MAX: Final = 80
_LOOK_BACK: Final = 4
"""Entries in which a preview is looked for; a redaction has none of its own."""
INVITATION_NAME: Final = "Invitation"
_HIDDEN: Final = frozenset({ConversationKind.DEVICE})


class Row(NamedTuple):
    """A conversation in the list.

    Attributes:
        conversation: which.
        kind: of it; None if it is not known yet.
        name: to show.
        preview: of the newest entry; may be empty.
        time: of the newest entry, if there is one.
        unread: messages.
        invitation: whether this is an invitation that was not answered.
        writable: whether one can write there.
    """

    conversation: ConversationId
    kind: ConversationKind | None
    name: str
    preview: str = ""
    time: datetime | None = None
    unread: int = 0
    invitation: bool = False
    writable: bool = True


class Rows:
    """Makes the list; the newest entry of each conversation is read when it changed only."""

    def __init__(self, client: ChatClient, notebook: Notebook, people: People) -> None:
        self._client = client
        self._notebook = notebook
        self._people = people
        self._latest: dict[ConversationId, tuple[int, Entry | None]] = {}
        self._seen: dict[ConversationId, int] = {}

    async def make(self) -> list[Row]:
        """Return the list as it is now."""
        views = [view for view in await self._client.conversations() if view.kind not in _HIDDEN]
        self._people.learn_kinds(views)
        known = {view.conversation for view in views}
        rows = [self._invitation(one) for one in self._open_invitations(views)]
        invited = {row.conversation for row in rows}
        direct = ConversationKind.DIRECT
        rows += [
            Row(opening, direct, self._people.name_of(opening, direct))
            for opening, about in self._notebook.conversations.items()
            if about.peer is not None and opening not in known
        ]
        for view in views:
            if view.conversation not in invited:
                rows.append(await self._row(view))
        return rows

    def see(self, conversation: ConversationId, seq: int) -> None:
        """Count what stands up to ``seq`` as read, before the server knows."""
        self._seen[conversation] = max(seq, self._seen.get(conversation, 0))

    def _open_invitations(self, views: Iterable[ConversationView]) -> list[ConversationId]:
        joined = {view.conversation for view in views if view.joined}
        return [one for one in self._notebook.invitations if one not in joined]

    def _invitation(self, conversation: ConversationId) -> Row:
        invitation = self._notebook.invitations[conversation]
        time = datetime.fromtimestamp(invitation.time_ms / 1000).astimezone()
        name = self._notebook.about(conversation).title or INVITATION_NAME
        preview = f"from {self._people.name(invitation.inviter)}"
        kind = ConversationKind.GROUP
        return Row(conversation, kind, name, preview, time, invitation=True, writable=False)

    async def _row(self, view: ConversationView) -> Row:
        entry = await self._newest(view)
        unread = 0 if self._seen.get(view.conversation, 0) >= view.received else view.unread
        closed = self._notebook.about(view.conversation).closed
        return Row(
            view.conversation,
            view.kind,
            self._people.name_of(view.conversation, view.kind),
            "" if entry is None else self._preview(entry, view.kind),
            None if entry is None else datetime.fromtimestamp(entry.time_ms / 1000).astimezone(),
            unread,
            writable=view.joined and not closed and view.kind is not ConversationKind.NOTICE,
        )

    async def _newest(self, view: ConversationView) -> Entry | None:
        """Return the newest entry that has a preview."""
        received, entry = self._latest.get(view.conversation, (-1, None))
        if received != view.received:
            entries = await self._client.history(view.conversation, limit=_LOOK_BACK)
            entry = next((one for one in reversed(entries) if self._preview(one, view.kind)), None)
            self._latest[view.conversation] = (view.received, entry)
        return entry

    def _preview(self, entry: Entry, kind: ConversationKind | None) -> str:
        if entry.fact is not None:
            return fact_words(entry.fact, entry.account, self._people)
        if entry.kind != Kind.MESSAGE:
            return ""
        if entry.redacted:
            return "message deleted"
        match read_body(entry.body):
            case Text(text):
                who = ""
                if entry.account == self._client.account:
                    who = "You: "
                elif kind is ConversationKind.GROUP and entry.account is not None:
                    who = f"{self._people.name(entry.account).partition(' ')[0]}: "
                return who + clean_line(text, _PREVIEW_CHARS_MAX)
            case Title(title):
                return f"Group “{clean_line(title, TITLE_CHARS_MAX)}”"
            case _:
                return "(cannot be shown)"

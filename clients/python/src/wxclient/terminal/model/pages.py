"""The open conversation: what is loaded of it, and more when one scrolls there."""

from collections.abc import Sequence

from wxclient import ConversationId, Entry, Gap, Kind
from wxclient.terminal.limits import NOTES_MAX, PAGE_ENTRIES, WINDOW_ENTRIES_MAX
from wxclient.terminal.ports import ChatClient

from .items import Item, Note, Window, build_items
from .notebook import Sent
from .people import JOINED, People
from .sending import Sending


class Pages:
    """A window on one conversation's history.

    It follows the newest entry and grows back to wherever one scrolls. A full window moves: what is
    farthest from where one scrolls is let go, and read again on the way back.
    """

    def __init__(
        self,
        client: ChatClient,
        people: People,
        sending: Sending,
        conversation: ConversationId,
        unread: int,
    ) -> None:
        self._client = client
        self._people = people
        self._sending = sending
        self._first = 0
        self._last: int | None = None
        self._shown: list[int] = []
        self._unread = unread
        self._unread_after: int | None = None
        self._entries_max = PAGE_ENTRIES
        self._notes: list[Note] = []
        self._notes_made = 0
        self.conversation = conversation
        self.newest = 0
        """Sequence number of the newest entry that is loaded."""
        self.complete = False
        """Whether there is nothing older."""

    @property
    def follows(self) -> bool:
        """Whether the window ends with the newest entry, also when that changes."""
        return self._last is None

    def follow(self) -> None:
        """Move the window back to the newest entry, with the next ``load``."""
        if self._last is not None:
            self._first, self._last = 0, None

    async def load(self) -> list[Item]:
        """Return what to show now; what is stored may have changed in any way."""
        opened = self._first == 0
        entries = await self._client.history(
            self.conversation,
            first=max(self._first, 1),
            last=self._last,
            limit=PAGE_ENTRIES if opened else WINDOW_ENTRIES_MAX,
        )
        gaps = await self._client.gaps(self.conversation)
        self._shown = [entry.seq for entry in entries]
        if entries:
            self.newest = max(self.newest, entries[-1].seq)
            await self._begin_with(entries[0].seq)
        if self._unread:
            self._unread_after = self._separator(entries)
            self._unread = 0
        if not entries:
            self._welcome()
        shown = [gap for gap in gaps if self._holds(gap.first)]
        under_way = await self._under_way(gaps) if self.follows else []
        notes = tuple(note for note in self._notes if self.follows or self._holds(note.after))
        window = Window(entries, shown, under_way, notes, self._unread_after)
        return build_items(window, self._people, self._client.account, None)

    async def load_older(self) -> list[Item]:
        """Load one page more, and return what to show then."""
        if not self.complete:
            older = await self._client.history(
                self.conversation, last=self._first - 1, limit=PAGE_ENTRIES
            )
            if older:
                self._shown[:0] = [entry.seq for entry in older]
                await self._begin_with(older[0].seq)
                if len(self._shown) > WINDOW_ENTRIES_MAX:
                    self._last = self._shown[WINDOW_ENTRIES_MAX - 1]
        return await self.load()

    async def load_newer(self) -> list[Item]:
        """Load about one page more at the end, and return what to show then."""
        step = PAGE_ENTRIES
        while self._last is not None:
            last, self._last = self._last, self._last + step
            if self._last >= self.newest:
                self._last = None
            elif await self._client.history(
                self.conversation, first=last + 1, last=self._last, limit=1
            ):
                break
            step *= 2  # all that was there is gone: look farther
        return await self.load()

    def _holds(self, seq: int) -> bool:
        """Whether a place in the conversation is inside the window."""
        return (self.complete or seq >= self._first) and (self._last is None or seq <= self._last)

    async def _begin_with(self, seq: int) -> None:
        if seq == self._first:
            return
        self._first = seq
        older = await self._client.history(self.conversation, last=seq - 1, limit=1)
        self.complete = not older

    def _separator(self, entries: Sequence[Entry]) -> int | None:
        """Return after which entry the unread ones begin."""
        others = [
            entry.seq
            for entry in entries
            if entry.kind == Kind.MESSAGE and entry.account != self._client.account
        ]
        return others[-min(self._unread, len(others))] - 1 if others else None

    async def _under_way(self, gaps: Sequence[Gap]) -> list[Sent]:
        """Return what is not in the log yet; forget what will never be."""
        sent = self._sending.under_way(self.conversation)
        gone = [
            one.op for one in sent if any(g.first <= one.accepted_seq <= g.through for g in gaps)
        ]
        if gone:
            await self._sending.drop(gone)
        return [one for one in sent if one.op not in gone]

    def _welcome(self) -> None:
        """Say what an empty conversation is."""
        if self._notes:
            return
        invitation = self._people.invitation(self.conversation)
        if invitation is not None:
            members = self._people.members(self.conversation)
            inside = [m.account for m in members if m.state == JOINED]
            who = f"{self._people.name(invitation.inviter)} invites you to a group."
            others = f"\nIn it now: {self._people.names(inside)}." if inside else ""
            self.add_note(
                "Invitation", f"{who}{others}\nYou will read what is written from then on."
            )
        elif self.conversation == self._client.self_conversation:
            self.add_note("Notes to self", "What you write here, only your own devices get.")

    def add_note(self, title: str, text: str) -> None:
        """Show an answer to a command below what is there now."""
        self._notes_made += 1
        time_ms = self._sending.now_ms()
        self._notes.append(Note(f"n{self._notes_made}", self.newest, time_ms, title, text))
        del self._notes[:-NOTES_MAX]

    def forget_unread(self) -> None:
        """Take the separator away."""
        self._unread_after = None

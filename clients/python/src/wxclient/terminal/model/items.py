"""A conversation as a list of what is shown, one item under the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from enum import Enum
from typing import Final, NamedTuple

from wxclient import AccountId, Created, Entry, Gap, Kind
from wxclient.terminal.bodies import Text, Title, Unknown, read_body
from wxclient.terminal.limits import TITLE_CHARS_MAX
from wxclient.terminal.sanitising import clean_line, clean_text, shorten

from .notebook import Sent
from .words import Names, fact_words, gap_words, unknown_words

RUN_MS: Final = 5 * 60 * 1000
"""Messages of one sender at most this far apart stand under one heading."""


class Progress(Enum):
    """How far a message of one's own is."""

    OTHERS = "of somebody else"
    SENDING = "not accepted yet"
    ACCEPTED = "on stable storage"
    REFUSED = "refused for good"


class Day(NamedTuple):
    """A separator: what follows is of this day."""

    key: str
    day: date


class Message(NamedTuple):
    """Something that somebody wrote.

    Attributes:
        key: names the item as long as it is shown.
        seq: of the entry; 0 if there is none yet.
        time: when it was taken, or written.
        account: who wrote it.
        name: of who wrote it.
        text: safe to show; of a deleted or unknown message what to show instead.
        plain: whether ``text`` is what was written.
        hidden_chars: how much of it is left away.
        progress: of one's own.
        why: it was refused.
        headed: whether name and time stand above it.
    """

    key: str
    seq: int
    time: datetime
    account: AccountId
    name: str
    text: str
    plain: bool
    hidden_chars: int
    progress: Progress
    why: str
    headed: bool


class Happening(NamedTuple):
    """Something that the server says: who joined, who left."""

    key: str
    time: datetime
    words: str


class Hole(NamedTuple):
    """Entries that this device did not get."""

    key: str
    words: str


class Unread(NamedTuple):
    """A separator: what follows was not read when the conversation was opened."""

    key: str


class Note(NamedTuple):
    """An answer to a command; only this screen shows it.

    Attributes:
        key: names the item.
        after: it stands after this entry.
        time_ms: when it was given; it stands before what was written later.
        title: what it answers.
        text: the answer.
    """

    key: str
    after: int
    time_ms: int
    title: str
    text: str


Item = Day | Message | Happening | Hole | Unread | Note


@dataclass(frozen=True, slots=True)
class Window:
    """What is loaded of a conversation.

    Attributes:
        entries: ascending and without doubles.
        gaps: what is missing among them, ascending.
        sent: messages that are not among the entries.
        notes: answers to commands, in the order in which they came.
        unread_after: the separator stands after this entry; None for no separator.
    """

    entries: Sequence[Entry] = ()
    gaps: Sequence[Gap] = ()
    sent: Sequence[Sent] = ()
    notes: Sequence[Note] = ()
    unread_after: int | None = None


def build_items(window: Window, names: Names, own: AccountId, zone: tzinfo | None) -> list[Item]:
    """Return what to show of a conversation.

    Args:
        window: what is loaded.
        names: of the accounts.
        own: one's own account.
        zone: in which times are shown; None for the system's.
    """
    maker = _Maker(names, own, zone)
    return list(_separated(maker.items(window), window))


class _Maker:
    def __init__(self, names: Names, own: AccountId, zone: tzinfo | None) -> None:
        self._names = names
        self._own = own
        self._zone = zone
        self._title: str | None = None

    def items(self, window: Window) -> Iterator[Item]:
        gaps, notes = _merged(window.gaps), list(window.notes)
        for entry in window.entries:
            while gaps and gaps[0].first < entry.seq:
                yield _hole(gaps.pop(0))
            while notes and notes[0].after < entry.seq:
                yield notes.pop(0)
            item = self._entry(entry)
            if item is not None:
                yield item
        yield from map(_hole, gaps)
        logged = {entry.op for entry in window.entries}
        for sent in window.sent:
            if sent.op in logged:
                continue
            while notes and notes[0].time_ms <= sent.time_ms:
                yield notes.pop(0)
            yield self._sent(sent)
        yield from notes

    def _entry(self, entry: Entry) -> Item | None:
        fact = entry.fact
        if entry.kind == Kind.MESSAGE:
            return self._message(entry)
        if fact is None:
            return self._happening(entry, "an entry of a kind that this version does not know")
        if isinstance(fact, Created):
            body = read_body(fact.body)
            self._title = body.title if isinstance(body, Title) else None
        words = fact_words(fact, entry.account, self._names)
        return self._happening(entry, words) if words else None

    def _happening(self, entry: Entry, words: str) -> Happening:
        return Happening(f"e{entry.seq}", self._time(entry.time_ms), words)

    def _message(self, entry: Entry) -> Item | None:
        account = entry.account or AccountId(bytes(16))
        if entry.redacted:
            return self._said(entry, account, "message deleted", plain=False)
        match read_body(entry.body):
            case Title(title):
                return self._retitled(entry, account, title)
            case Unknown() as unknown:
                return self._said(entry, account, unknown_words(unknown), plain=False)
            case Text(text):
                return self._said(entry, account, clean_text(text), plain=True)

    def _retitled(self, entry: Entry, account: AccountId, title: str) -> Item | None:
        """Say so only if it changed: titles are repeated for those who join."""
        before, self._title = self._title, title
        if title == before:
            return None
        words = f"the group “{clean_line(title, TITLE_CHARS_MAX)}”"
        return self._happening(entry, f"{self._names.name(account)} named {words}")

    def _said(self, entry: Entry, account: AccountId, text: str, *, plain: bool) -> Message:
        shown, hidden_chars = shorten(text)
        progress = Progress.ACCEPTED if account == self._own else Progress.OTHERS
        return Message(
            f"o{entry.op.hex()}" if entry.own else f"e{entry.seq}", entry.seq,
            self._time(entry.time_ms), account, self._names.name(account), shown, plain,
            hidden_chars, progress, "", headed=True,
        )  # fmt: skip

    def _sent(self, sent: Sent) -> Message:
        body = read_body(sent.body)
        text = clean_text(body.text) if isinstance(body, Text) else ""
        shown, hidden_chars = shorten(text)
        progress = Progress.ACCEPTED if sent.accepted_seq else Progress.SENDING
        return Message(
            f"o{sent.op.hex()}", 0, self._time(sent.time_ms), self._own,
            self._names.name(self._own), shown, plain=True, hidden_chars=hidden_chars,
            progress=Progress.REFUSED if sent.refused else progress, why=sent.refused, headed=True,
        )  # fmt: skip

    def _time(self, time_ms: int) -> datetime:
        return datetime.fromtimestamp(time_ms / 1000, self._zone).astimezone(self._zone)


def _merged(gaps: Sequence[Gap]) -> list[Gap]:
    """Return gaps, those that follow each other for one reason as one."""
    merged: list[Gap] = []
    for gap in gaps:
        last = merged[-1] if merged else None
        if last is not None and last.through + 1 == gap.first and last.reason == gap.reason:
            merged[-1] = last._replace(through=gap.through)
        else:
            merged.append(gap)
    return merged


def _hole(gap: Gap) -> Hole:
    return Hole(f"g{gap.first}", gap_words(gap))


def _separated(items: Iterator[Item], window: Window) -> Iterator[Item]:
    """Put in days and the mark of what is unread; let runs of one sender share a heading."""
    day: date | None = None
    before: Message | None = None
    unread_after = window.unread_after
    for item in items:
        if isinstance(item, Message | Happening):
            if item.time.date() != day:
                day, before = item.time.date(), None
                yield Day(f"d{day.isoformat()}", day)
            fresh = isinstance(item, Message) and item.progress is Progress.OTHERS
            if unread_after is not None and fresh and _seq(item) > unread_after:
                unread_after = before = None
                yield Unread("u")
        if isinstance(item, Message):
            yield item._replace(headed=not _continues(before, item))
            before = item
        else:
            before = None
            yield item


def _seq(item: Item) -> int:
    return item.seq if isinstance(item, Message) else 0


def _continues(before: Message | None, item: Message) -> bool:
    return (
        before is not None
        and before.account == item.account
        and abs((item.time - before.time).total_seconds()) * 1000 <= RUN_MS
    )

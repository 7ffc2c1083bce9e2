"""A conversation as a list of items: order, separators, words, what is missing."""

from dataclasses import replace
from datetime import UTC

from wxclient import AccountId, Change, ConversationId, ConversationKind, OpId
from wxclient._protocol.packing import pack
from wxclient.terminal.bodies import write_text, write_title
from wxclient.terminal.limits import SHOWN_CHARS_MAX
from wxclient.terminal.model.items import (
    Day,
    Happening,
    Hole,
    Item,
    Message,
    Note,
    Progress,
    Unread,
    Window,
    build_items,
)
from wxclient.terminal.model.notebook import Sent

from .fake_client import ME, MY_DEVICE
from .fake_log import MINUTE_MS, NOON_MS, FakeLog, account

BOB, CEM = account(2), account(3)
NAMES = {ME: "You", BOB: "Bob", CEM: "Cem"}


class FixedNames:
    def name(self, one: AccountId) -> str:
        return NAMES[one]

    def names(self, accounts: tuple[AccountId, ...]) -> str:
        return " and ".join(map(self.name, accounts))


def group() -> FakeLog:
    return FakeLog(ConversationId(b"g" * 16), ConversationKind.GROUP, MY_DEVICE)


def items(window: Window) -> list[Item]:
    return build_items(window, FixedNames(), ME, UTC)


def words(log: FakeLog) -> list[str]:
    shown = items(Window(log.entries))
    return [item.words for item in shown if isinstance(item, Happening)]


def said(shown: list[Item]) -> list[str]:
    return [item.text for item in shown if isinstance(item, Message)]


def test_membership_is_told_in_words() -> None:
    log = group()
    log.create(ME, (BOB, CEM), write_title("Boat club"))
    log.member(Change.JOINED, BOB, (BOB,))
    log.member(Change.INVITED, BOB, (CEM,))
    log.member(Change.REMOVED, ME, (BOB,))
    log.member(Change.LEFT, CEM, (CEM,))
    log.member(Change.ROLE, ME, (CEM,))
    assert words(log) == [
        "You created the group “Boat club” and invited Bob and Cem",
        "Bob joined",
        "Bob invited Cem",
        "You removed Bob",
        "Cem left",
        "You made Cem a member",
    ]


def test_facts_and_kinds_of_later_versions_are_shown_as_such() -> None:
    log = group()
    log.append(BOB, pack(("surprise", 1)), kind=20)
    log.append(BOB, b"", kind=77)
    log.append(BOB, pack((1, 9, b"x")))
    log.append(BOB, b"\xc1")
    assert words(log) == [
        "A notice that this version does not know: surprise",
        "an entry of a kind that this version does not know",
    ]
    shown = [item for item in items(Window(log.entries)) if isinstance(item, Message)]
    assert [item.text for item in shown] == [
        "a message of kind 1.9, which this version cannot show",
        "a message in a form that this version cannot show",
    ]
    assert not any(item.plain for item in shown)


def test_runs_of_one_sender_share_a_heading() -> None:
    log = group()
    for sender in (BOB, BOB, ME, BOB):
        log.append(sender, write_text("hi"))
    late = replace(log.entries[-1], seq=9, time_ms=log.entries[-1].time_ms + 6 * MINUTE_MS)
    shown = [item for item in items(Window([*log.entries, late])) if isinstance(item, Message)]
    assert [item.headed for item in shown] == [True, False, True, True, True]


def test_days_are_separated() -> None:
    log = group()
    first = log.append(BOB, write_text("hi"))
    second = replace(first, seq=2, time_ms=first.time_ms + 24 * 60 * MINUTE_MS)
    shown = items(Window([first, second]))
    assert [type(item) for item in shown] == [Day, Message, Day, Message]
    assert isinstance(shown[2], Day)
    assert shown[2].day.isoformat() == "2026-01-02"


def test_gaps_stand_where_something_is_missing() -> None:
    log = group()
    log.skip(310, 3)
    log.skip(312, 3)
    log.append(BOB, write_text("seen"))
    log.skip(314, 1)
    log.append(BOB, write_text("after"))
    log.skip(316, 255)
    shown = items(Window(log.entries, log.gaps))
    holes = [item.words for item in shown if isinstance(item, Hole)]
    assert holes == [
        "312 entries not visible to this device",
        "1 entry expired",
        "1 entry gone by age",
    ]
    kinds = [type(item).__name__ for item in shown]
    assert kinds == ["Hole", "Day", "Message", "Hole", "Message", "Hole"]


def test_redacted_message_is_deleted_and_not_told_twice() -> None:
    log = group()
    entry = log.append(BOB, write_text("secret"))
    log.append(BOB, pack((1,)), kind=18)
    redacted = replace(entry, redacted=True, envelope=b"")
    shown = items(Window([redacted, log.entries[1]]))
    assert [type(item) for item in shown] == [Day, Message]
    assert said(shown) == ["message deleted"]


def test_title_is_told_when_it_changes_only() -> None:
    log = group()
    log.create(ME, (BOB,), write_title("Boats"))
    log.append(ME, write_title("Boats"))
    log.append(BOB, write_title("Ships\x1b"))
    assert words(log)[1:] == ["Bob named the group “Ships␛”"]


def test_messages_under_way_stand_at_the_end_until_they_are_in_the_log() -> None:
    log = group()
    body = write_text("mine")
    entry = log.append(ME, body, op=OpId(MY_DEVICE + bytes(7) + b"\x01"))
    logged = Sent(entry.op, log.conversation, NOON_MS, body)
    waiting = Sent(OpId(b"2" * 16), log.conversation, NOON_MS, body)
    accepted = Sent(OpId(b"3" * 16), log.conversation, NOON_MS, body, accepted_seq=5)
    refused = Sent(OpId(b"4" * 16), log.conversation, NOON_MS, body, "no")
    shown = items(Window(log.entries, sent=[logged, waiting, accepted, refused]))
    messages = [item for item in shown if isinstance(item, Message)]
    assert [item.progress for item in messages] == [
        Progress.ACCEPTED, Progress.SENDING, Progress.ACCEPTED, Progress.REFUSED,
    ]  # fmt: skip
    assert messages[0].key == f"o{entry.op.hex()}"
    assert len({item.key for item in shown}) == len(shown)


def test_notes_keep_their_place() -> None:
    log = group()
    log.append(BOB, write_text("before"))
    note = Note("n1", 1, NOON_MS, "Your address", "wx-…")
    log.append(BOB, write_text("after"))
    later = Sent(OpId(b"2" * 16), log.conversation, NOON_MS + 1, write_text("later"))
    kinds = [type(item) for item in items(Window(log.entries, notes=[note]))]
    assert kinds == [Day, Message, Note, Message]
    kinds = [type(item) for item in items(Window(log.entries[:1], sent=[later], notes=[note]))]
    assert kinds == [Day, Message, Note, Message]


def test_unread_mark_stands_before_the_first_new_message_of_others() -> None:
    log = group()
    for sender in (BOB, ME, BOB, BOB):
        log.append(sender, write_text("hi"))
    shown = items(Window(log.entries, unread_after=1))
    assert [type(item) for item in shown] == [Day, Message, Message, Unread, Message, Message]
    assert not any(isinstance(item, Unread) for item in items(Window(log.entries)))


def test_long_message_is_shortened_in_the_timeline() -> None:
    log = group()
    log.append(BOB, write_text("x" * (SHOWN_CHARS_MAX + 7)))
    (message,) = [item for item in items(Window(log.entries)) if isinstance(item, Message)]
    assert message.hidden_chars == 7

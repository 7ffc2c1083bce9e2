"""Groups of our engine and two that nobody here wrote, each in a process of its own.

What each can, and whether it is tried here, stands in ``CAN``; the same table is in
``docs/encryption.md``. Fixed steps: what is random here is keys alone.
"""

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import pytest

from wxclient import mls

from . import installing
from .circle import CONTEXT, LABEL, SIZE, Circle, agree, refuses
from .parties import Foreign, Ours, Party, Refused

pytestmark = pytest.mark.slow

OURS, TS_MLS, AGENTVAULT = "ours", "ts-mls", "agentvault"
ENGINES = (TS_MLS, AGENTVAULT)
INSTALLERS = {TS_MLS: installing.ts_mls, AGENTVAULT: installing.agentvault}
BASE = mls.X25519_AES128GCM_SHA256_ED25519
XWING = mls.XWING_AES256GCM_SHA512_ED25519

CAN = {
    "create, join, add, remove": (True, True),
    "update by commit": (True, True),
    "commit an update that ours proposes": (True, True),
    "propose an addition or removal": (True, True),
    "send, receive, out of order": (True, True),
    "a message of the epoch before": (True, True),
    "exporter": (True, True),
    "epoch authenticator": (True, False),
    "authenticated data": (True, False),
    "commit as a public message": (True, False),
    "external pre-shared key": (True, False),
    "external commit": (True, False),
    "X-Wing (0x0053)": (True, False),
}
"""Per feature: ts-mls, agentvault-mls-rs-uniffi. All that is true is tried below."""


class Cast(NamedTuple):
    """Which engines the three members run: the first creates, the others come in this order."""

    suite: int
    seats: tuple[str, ...]

    def __str__(self) -> str:
        return f"{mls.suite_of(self.suite).code:#06x}-{'-'.join(self.seats)}"


def seatings(suite: int, *engines: str) -> list[Cast]:
    """Return every order of three engines."""
    return [Cast(suite, order) for order in sorted(set(permutations(engines)))]


CASTS = [
    *seatings(BASE, OURS, OURS, TS_MLS),
    *seatings(BASE, OURS, OURS, AGENTVAULT),
    *seatings(BASE, OURS, TS_MLS, AGENTVAULT),
    *seatings(XWING, OURS, OURS, TS_MLS),
]
EVERY_CAST = pytest.mark.parametrize("cast", CASTS, ids=str)
BOTH_SUITES = pytest.mark.parametrize("suite", [BASE, XWING], ids=["base", "xwing"])

Seat = Callable[[str, str, int], Party]


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, Foreign]]:
    """The processes of foreign engines; each is one client at a time."""
    engines: dict[str, Foreign] = {}
    yield engines
    for one in engines.values():
        one.close()


@pytest.fixture
def seat(running: dict[str, Foreign]) -> Seat:
    """Return a new client of an engine."""

    def seated(engine: str, name: str, suite: int) -> Party:
        if engine == OURS:
            return Ours(name, suite)
        if engine not in running:
            running[engine] = Foreign(INSTALLERS[engine]())
        running[engine].start(name, suite)
        return running[engine]

    return seated


def party_of(cast: Cast, seat: Seat) -> list[Party]:
    """Return the members of a cast, in no group yet."""
    return [
        seat(engine, f"{engine} {number}", cast.suite) for number, engine in enumerate(cast.seats)
    ]


def seated(cast: Cast, seat: Seat) -> tuple[Circle, list[Party]]:
    """Return a group of all members of a cast."""
    first, second, third = party_of(cast, seat)
    circle = Circle(first)
    circle.add(first, [second, third])
    return circle, [first, second, third]


@EVERY_CAST
def test_group_that_grows_and_renews_its_keys_agrees_after_each_step(
    cast: Cast, seat: Seat
) -> None:
    first, second, third = party_of(cast, seat)
    circle = Circle(first)
    circle.add(first, [second])
    circle.talk()
    circle.add(second, [third])
    circle.talk()
    for one in (first, third, second):
        circle.update(one)
    circle.talk()
    assert circle.epochs == 5


@EVERY_CAST
def test_messages_out_of_order_or_late_are_read_once(cast: Cast, seat: Seat) -> None:
    circle, members = seated(cast, seat)
    circle.talk_out_of_order((2, 0, 3, 1))
    late = [(one, one.encrypt(b"late")) for one in members]
    circle.update(members[0])
    for sender, message in late:
        for one in circle.others(sender):
            assert one.process(message, sender.name) == b"late"


@EVERY_CAST
def test_removed_member_is_out_and_the_others_agree(cast: Cast, seat: Seat) -> None:
    circle, (first, second, third) = seated(cast, seat)
    circle.talk()
    circle.remove(first, second)
    circle.talk()
    message = third.encrypt(b"among us")
    assert first.process(message, third.name) == b"among us"
    assert refuses(second, message, third)


@EVERY_CAST
def test_proposals_of_one_are_committed_by_another(cast: Cast, seat: Seat) -> None:
    circle, (first, second, third) = seated(cast, seat)
    circle.talk()
    newcomer = Ours("newcomer", cast.suite)
    circle.spread(second.propose_add(newcomer.package()), second)
    circle.enter(first.commit(), first, [newcomer])
    circle.spread(newcomer.propose_update(), newcomer)
    circle.update(third)
    circle.talk()
    circle.spread(third.propose_remove(circle.leaves[second.name], second.name), third)
    commit = first.commit()
    second.process(commit.message, first.name)
    circle.leave(second)
    circle.enter(commit, first)
    circle.talk()
    assert refuses(second, newcomer.encrypt(b"among us"), newcomer)


@BOTH_SUITES
def test_external_psk_is_mixed_in_by_either_engine(suite: int, seat: Seat) -> None:
    ours, theirs = Ours("ours", suite), seat(TS_MLS, "theirs", suite)
    circle = Circle(ours)
    circle.add(ours, [theirs])
    for number, one in enumerate((ours, theirs)):
        psk, key = b"key %d" % number, bytes([number]) * 32
        for holder in (ours, theirs):
            holder.add_psk(psk, key)
        circle.enter(one.commit_psk(psk), one)
    circle.talk()


@BOTH_SUITES
def test_different_external_psks_part_the_engines(suite: int, seat: Seat) -> None:
    ours, theirs = Ours("ours", suite), seat(TS_MLS, "theirs", suite)
    circle = Circle(ours)
    circle.add(ours, [theirs])
    ours.add_psk(b"psk", b"one")
    theirs.add_psk(b"psk", b"another")
    with pytest.raises(Refused, match="confirmation tag"):
        theirs.process(ours.commit_psk(b"psk").message, "ours")
    assert not agree(circle.secrets())


@BOTH_SUITES
@pytest.mark.parametrize("we_join", [True, False], ids=["ours joins", "theirs joins"])
def test_external_commit_of_one_is_accepted_by_the_other(
    suite: int, seat: Seat, *, we_join: bool
) -> None:
    ours, theirs = Ours("ours", suite), seat(TS_MLS, "theirs", suite)
    member, joiner = (theirs, ours) if we_join else (ours, theirs)
    circle = Circle(member)
    watcher = Ours("watcher", suite)
    circle.add(member, [watcher])
    commit = joiner.join_externally(member.group_info())
    circle.spread(commit.message, joiner)
    circle.seat(joiner)
    circle.check()
    circle.talk()
    circle.update(joiner)


@BOTH_SUITES
def test_authenticated_data_and_public_commits_are_understood(suite: int, seat: Seat) -> None:
    ours, theirs = Ours("ours", suite), seat(TS_MLS, "theirs", suite)
    circle = Circle(theirs)
    circle.add(theirs, [ours])
    assert ours.process(theirs.encrypt(b"text", b"theirs says"), "theirs") == b"text"
    assert ours.authenticated_data == b"theirs says"
    assert theirs.process(ours.encrypt(b"text", b"ours says"), "ours") == b"text"
    circle.enter(ours.commit_public(b"ours commits"), ours)
    circle.enter(theirs.commit_public(b"theirs commits"), theirs)
    assert ours.authenticated_data == b"theirs commits"
    circle.talk()


@pytest.mark.parametrize("engine", ENGINES)
def test_other_exporter_arguments_or_epoch_are_seen_by_the_comparison(
    engine: str, seat: Seat
) -> None:
    ours, theirs = Ours("ours", BASE), seat(engine, "theirs", BASE)
    circle = Circle(ours)
    circle.add(ours, [theirs])
    right = ours.secrets(LABEL, CONTEXT, SIZE)
    assert agree([right, theirs.secrets(LABEL, CONTEXT, SIZE)])
    flipped = bytes([LABEL[0] ^ 1]) + LABEL[1:]
    assert not agree([right, theirs.secrets(flipped, CONTEXT, SIZE)])
    assert not agree([right, theirs.secrets(LABEL, CONTEXT[1:], SIZE)])
    commit = ours.commit()
    with pytest.raises(AssertionError, match="differ"):
        circle.check()
    theirs.process(commit.message, "ours")
    circle.check()


def test_other_epoch_authenticator_alone_is_seen_by_the_comparison() -> None:
    ours = Ours("ours", BASE)
    circle = Circle(ours)
    right = circle.secrets()[0]
    assert right.authenticator is not None
    flipped = bytes([right.authenticator[0] ^ 1]) + right.authenticator[1:]
    assert not agree([right, right._replace(authenticator=flipped)])


@pytest.mark.parametrize("engine", ENGINES)
def test_engine_that_shows_the_authenticator_is_the_one_of_the_table(
    engine: str, seat: Seat
) -> None:
    theirs = seat(engine, "theirs", BASE)
    theirs.create()
    shows = theirs.secrets(LABEL, CONTEXT, SIZE).authenticator is not None
    assert shows == CAN["epoch authenticator"][ENGINES.index(engine)]


def test_table_of_engines_is_that_of_the_document() -> None:
    document = Path(__file__).parents[5] / "docs" / "encryption.md"
    rows = [
        f"| {feature} | {' | '.join('yes' if can else 'no' for can in engines)} |"
        for feature, engines in CAN.items()
    ]
    assert "\n".join(rows) in document.read_text()

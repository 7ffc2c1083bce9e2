"""The delivery machine has to go red when delivery is broken: on purpose, one way a test.

A way that is not found would mean that the machine is blind there. Only the search is done, not
the shrinking; limits that favour what is broken make it short.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import trio
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RULE_MARKER, initialize, run_state_machine_as_test

from tests.property.delivery_configs import configs
from tests.property.delivery_machine import Delivery
from tests.property.delivery_world import FEW_SENDS, Config, World
from wxserve.protocol.codec import encode
from wxserve.protocol.frames import Synced
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId
from wxserve.router import delivery
from wxserve.router.delivery import Delivery as Pushing
from wxserve.router.fanouts import Fanouts
from wxserve.router.limits import RouterLimits
from wxserve.router.session import Following, Session
from wxserve.store import appends, operations, reading, retention
from wxserve.store.cursors import Cursors
from wxserve.store.driver_seeded import Cut, SeededDriver
from wxserve.store.state import Conversation, Entry
from wxserve.store.store import Store
from wxserve.store.transaction import Transaction
from wxserve.store.turns import Turns

EXAMPLES_MAX = 600


class Way(NamedTuple):
    """One way to break delivery: what is put in the place of what.

    Attributes:
        rules: the rules of the machine that are used, all if there are none.
        limits: what of the configuration is fixed.
    """

    name: str
    where: object
    attribute: str
    instead: object
    rules: str = ""
    limits: dict[str, Any] = {}  # noqa: RUF012 - never changed


def push_whatever_was_sent(self: Pushing, entry: Entry, accounts: tuple[AccountId, ...]) -> None:
    """Push an entry without a look at the one before it."""
    conversation, seq = entry.conversation.id, entry.seq
    for session in self._followers(accounts):
        if session.following is Following.LIVE and session.sent.get(conversation, 0) < seq:
            session.link.write(entry.frame)
            session.sent[conversation] = seq
            self.note_untold(session)


def skip_in_silence(
    self: Pushing, session: Session, conversation: ConversationId, through: int, reason: int
) -> None:
    session.sent[conversation] = through


def say_current(self: Pushing, session: Session, entry: Entry) -> bool:
    if session.following is Following.NOTHING:
        return False
    session.sent[entry.conversation.id] = entry.seq
    return True


def say_synced(self: Pushing, session: Session) -> None:
    if session.following is Following.LIVE:
        session.link.write(encode(Synced(self._store.position)))
        self.refill(session)


def forget_what_came_early(
    self: Pushing, session: Session, conversation: Conversation, seq: int
) -> int | None:
    if session.following is Following.SYNCING:
        return None
    session.sent[conversation.id] = seq - 1
    return seq - 1


def acknowledge_one_more(
    self: Store, device: DeviceId, conversation: ConversationId, seq: int
) -> None:
    self.cursors.waiting.raise_to(device, conversation, seq + 1)


def forget_operations(self: Store, device: DeviceId, floor: int) -> None:
    state = self.device(device)
    if state is not None:
        state.ops = {}


async def report_before_commit(
    self: SeededDriver, work: Callable[[sqlite3.Connection], Any], done: Callable[..., None]
) -> None:
    """Say that all went well, then commit; the power may go in between."""
    sql = self._writer
    await self._pause()
    if self._cuts(Cut.BEFORE):
        return
    sql.execute("BEGIN IMMEDIATE")
    result = work(sql)
    done(result, None)
    if self._cuts(Cut.UNCOMMITTED) or self._cuts(Cut.COMMITTED):
        sql.execute("ROLLBACK")
    else:
        sql.execute("COMMIT")
    await trio.lowlevel.checkpoint()


TALK = "send everybody_sends everybody_reads read everybody_arrives arrive drop wait "
FEW = {"sends": FEW_SENDS}
TWINS = {"twins": True}
ONE_BY_ONE = {"router": RouterLimits(fanout_step_sessions=1)}
SLOW = {"router": RouterLimits(credit_entries=3, synced_interval_s=0.1)}
LAGGING = {"twins": True, "router": RouterLimits(outgoing_bytes_max=1)}
WAYS = (
    Way("sequence not checked", Pushing, "_push_to", push_whatever_was_sent),
    Way("skip forgotten", Pushing, "_write_skip", skip_in_silence),
    Way("lagging forgotten", Pushing, "fall_behind", lambda *_: None),
    Way("current always", Pushing, "accept_own", say_current, TALK),
    Way("synced too early", Pushing, "go_on", say_synced, TALK, SLOW),
    Way("early entries forgotten", Pushing, "_first_push", forget_what_came_early),
    Way("fan-outs forgotten", Fanouts, "first_waiting", lambda *_: None, TALK, ONE_BY_ONE),
    Way(
        "registers forgotten",
        Session,
        "has_registers",
        False,
        "write_register everybody_sends everybody_reads",
        LAGGING,
    ),
    Way("intervals ignored", reading, "clip", lambda intervals, seq, head: (seq, head)),
    Way("device ignored", delivery, "device_position_limit", lambda *_: 0),
    Way("no dedupe", appends, "dedupe", lambda *_: None),
    Way("no dedupe of administration", operations, "dedupe", lambda *_: None),
    Way("order ignored", Turns, "check", lambda *_: None, TALK + "try_again", FEW),
    Way(
        "revocation ignored", Transaction, "forget_device", lambda *_: None, TALK + "revoke", TWINS
    ),
    Way("cursor too far", Store, "acknowledge", acknowledge_one_more),
    Way(
        "unwritten cursors ignored",
        Cursors,
        "unwritten",
        lambda *_: {},
        TALK + "acknowledge list_all",
    ),
    Way("floor lost", Store, "raise_floor", forget_operations),
    Way("pins ignored", retention, "_pin", lambda *_: 1 << 62),
    Way(
        "reported before the commit",
        SeededDriver,
        "_commit",
        report_before_commit,
        "send everybody_arrives power_cut",
    ),
    Way("changes forgotten", Store, "changed_after", lambda *_: False),
)


def machine(way: Way) -> type[Delivery]:
    """Return the machine with the rules and limits that make the search for this way short."""

    def start(self: Delivery, config: Config) -> None:
        self.world = World(replace(config, **way.limits))

    kept = way.rules.split()
    names = [name for name, member in vars(Delivery).items() if hasattr(member, RULE_MARKER)]
    body = {name: None for name in names if kept and name not in kept}
    assert set(kept) <= set(names), "a rule that is not there"
    return type("Sabotaged", (Delivery,), {**body, "start": initialize(config=configs)(start)})


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.replace(" ", "-"))
def test_delivery_machine_goes_red(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way.where, way.attribute, way.instead)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine(way),
            settings=settings(
                max_examples=EXAMPLES_MAX,
                stateful_step_count=40,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )

"""One life of a store: opened as shipped, used by a few people at once, ended in the middle."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import trio

from tests.unit.store.room import Person, Room
from wxserve.protocol import frames as f
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    OpId,
    direct_conversation,
    group_conversation,
    op_counter,
    op_id,
    self_conversation,
)
from wxserve.store import opening
from wxserve.store.contents import content_digest
from wxserve.store.directory import DataDirectory
from wxserve.store.errors import is_full
from wxserve.store.lifetime import open_on
from wxserve.store.limits import StoreLimits
from wxserve.store.operations import Caller
from wxserve.store.state import Append, Entry
from wxserve.store.store import Store
from wxserve.store.transaction import Transaction
from wxserve.testing.memory import TestClock

from .paced import PacedDriver
from .world import Accepted, Enrolled, Event, Floor, Heard, Refused, Sent, Talk, World

PEOPLE_MIN: Final = 3
PEOPLE_MAX: Final = 6
WAIT_S: Final = 600.0
"""Virtual time after which an answer will not come any more."""
LIMITS: Final = StoreLimits(
    ballast_bytes=0, batch_units_max=16, merge_entries=24, merge_slice_rows=8,
    keep_acknowledged_s=2.0, maintenance_s=3.0, cursor_flush_s=1.0,
    conversations_cached_max=2, devices_cached_max=2,
)  # fmt: skip
"""Small, so that a short life merges, prunes, flushes and evicts many times."""
SWALLOWED: Final = 99
"""A rule that no policy has."""
Tell = Callable[[Event], None]


class Scene:
    """A store in use, and everything that it has told so far.

    Attributes:
        store: the real one.
        driver: what runs its SQL.
        world: what was told.
        room: for what needs no record.
        open: operations without an answer yet, and how often each was handed in.
    """

    def __init__(self, store: Store, driver: PacedDriver, world: World, tell: Tell) -> None:
        self.store = store
        self.driver = driver
        self.world = world
        self._tell = tell
        self.room = Room(store)
        self.open: Counter[bytes] = Counter()
        self._answers = trio.Event()

    def tell(self, event: Event) -> None:
        """Note an event, now."""
        self.world.learn(event)
        self._tell(event)

    def person(self, number: int) -> Person:
        """Return somebody by number."""
        known = self.world.people[number]
        return Person(AccountId(known.account), DeviceId(known.device))

    def hand_in(self, sent: Sent) -> None:
        """Hand an operation to the store, for the first time or again."""
        if sent.op not in self.world.sent:
            self.tell(sent)
        self.open[sent.op] += 1
        person, op = self.person(sent.person), OpId(sent.op)
        if sent.frame is None:
            conversation = ConversationId(sent.conversation)
            envelope = encode_envelope(message(conversation, op, sent.body))
            self.store.append(
                Append(
                    person.account, person.device, op_counter(op), op, conversation, envelope,
                    0, 0, None, None, 0, lambda _, outcome: self._answered(op, outcome),
                )
            )  # fmt: skip
        else:
            digest = content_digest(repr(sent.frame).encode())
            caller = Caller(person.account, person.device, op, digest, None)
            self.store.administer(
                caller, sent.frame, lambda outcome, _: self._answered(op, outcome)
            )

    def _answered(self, op: OpId, outcome: Any) -> None:
        self.open -= Counter([op])
        self._answers.set()
        if isinstance(outcome, Entry):
            outcome = outcome.accepted
        if isinstance(outcome, Refusal):
            certain = outcome.code != ErrorCode.SHUTTING_DOWN  # its commit may have come through
            self.tell(Refused(op, outcome.code, certain))
        else:
            self.tell(Accepted(op, outcome.conversation, outcome.seq, outcome.position))

    def send(self, number: int, conversation: bytes, body: bytes) -> Sent:
        """Send a new message; return it."""
        sent = Sent(self._next_op(number), number, conversation, body)
        self.hand_in(sent)
        return sent

    def _next_op(self, number: int) -> OpId:
        return op_id(self.person(number).device, self.world.counters[number] + 1)

    async def settle(self) -> bool:
        """Wait for all answers; return whether they came."""
        with trio.move_on_after(WAIT_S):
            while self.open:
                self._answers = trio.Event()
                await self._answers.wait()
        return not self.open

    # -- people and conversations --------------------------------------------------------------

    async def enrol(self, random: Random) -> bool:
        """Bring in a device with an account of its own; return whether that was possible."""
        self.room = Room(self.store, random.getrandbits(32))
        try:
            person = await self.room.enrol()
        except Refusal:
            return False
        self.tell(Enrolled(person.account, person.device))
        number = len(self.world.people) - 1
        self.tell(Talk(self_conversation(person.account), (number,), (number,)))
        return True

    def create_direct(self, one: int, other: int) -> None:
        """Let two people begin to talk."""
        accounts = self.person(one).account, self.person(other).account
        conversation = direct_conversation(*accounts)
        if conversation in self.world.talks:
            return
        frame = f.Create(self._next_op(one), 1, (accounts[1],), b"")
        self.tell(Talk(conversation, (one, other), (one, other)))
        self.hand_in(Sent(frame.op, one, conversation, b"", frame))

    def create_group(self, owner: int, invited: list[int]) -> None:
        """Let somebody found a group; whoever is invited joins at once."""
        op = self._next_op(owner)
        conversation = group_conversation(op)
        accounts = tuple(self.person(number).account for number in invited)
        self.tell(Talk(conversation, (owner, *invited), (owner,)))
        self.hand_in(Sent(op, owner, conversation, b"", f.Create(op, 2, accounts, b"title")))
        for number in invited:
            self.change_group(number, conversation, f.Accept)

    def change_group(self, number: int, conversation: bytes, kind: Any) -> None:
        """Let somebody join or leave a group."""
        op = self._next_op(number)
        frame = kind(op, ConversationId(conversation))
        self.hand_in(Sent(op, number, conversation, b"", frame))


@asynccontextmanager
async def scene(
    directory: Path, world: World, tell: Tell, seed: int, *, maintained: bool = True
) -> AsyncIterator[Scene]:
    """Open a store as shipped, on a paced driver, in virtual time."""
    data = DataDirectory(directory)
    try:
        connections = opening.open_connections(data.database, readers=1)
        try:
            driver = PacedDriver(connections, seed)
            entropy = Random(seed).randbytes
            opened = open_on(driver, clock=TestClock(), entropy=entropy, limits=LIMITS)
            async with trio.open_nursery() as nursery:
                driver.start(nursery)
                async with opened as store, trio.open_nursery() as upkeep:
                    if maintained:
                        upkeep.start_soon(store.maintain, directory)
                        await trio.sleep(0.001)  # it begins before anybody else does anything
                    yield Scene(store, driver, world, tell)
                    upkeep.cancel_scope.cancel()
                nursery.cancel_scope.cancel()
        finally:
            for connection in reversed(connections):
                connection.close()
    finally:
        data.close()


async def play(scene: Scene, random: Random, steps: int) -> None:
    """Use the store: ask again what is in doubt, then do this and that."""
    for sent in scene.world.doubtful:
        scene.hand_in(sent)
    await scene.settle()
    while len(scene.world.people) < PEOPLE_MIN:
        if not await scene.enrol(random):
            return
    if len(scene.world.talks) < 2 * PEOPLE_MIN:
        scene.create_direct(0, 1)
        scene.create_group(2, [0, 1])
    for _ in range(steps):
        await _step(scene, random)
        if scene.store.writer.failed:
            return
    await scene.settle()


async def _step(scene: Scene, random: Random) -> None:
    (act,) = random.choices(list(ACTS), list(ACTS.values()))
    await act(scene, random)
    await trio.sleep(random.choice((0.003, 0.05, 0.7)) * (1 + random.random()))


async def _send(scene: Scene, random: Random) -> None:
    for _ in range(random.randint(1, 10)):
        conversation, talk = random.choice(list(scene.world.talks.items()))
        scene.send(random.choice(talk.members), conversation, _body(random))


async def _rest(scene: Scene, random: Random) -> None:
    await trio.sleep(random.uniform(1, 9))


async def _enrol(scene: Scene, random: Random) -> None:
    if len(scene.world.people) < PEOPLE_MAX:
        await scene.enrol(random)


async def _begin_to_talk(scene: Scene, random: Random) -> None:
    scene.create_direct(*random.sample(range(len(scene.world.people)), 2))


async def _spoil(scene: Scene, random: Random) -> None:
    scene.store.submit(_spoiled(random), lambda *_: None)


async def _overflow(scene: Scene, random: Random) -> None:
    scene.store.submit(_swallow, lambda *_: None)


async def provoke(scene: Scene) -> None:
    """Hand in one batch whose middle makes nothing of an error of the database."""
    conversation, talk = next(iter(scene.world.talks.items()), (b"", None))
    if talk is None:
        return
    for number in range(8):
        if number == 4:
            scene.store.submit(_swallow, lambda *_: None)
        scene.send(talk.listeners[0], conversation, number.to_bytes(1000))
    await scene.settle()


def _body(random: Random) -> bytes:
    return random.randbytes(random.choice((8, 40, 300, 300, 5000)))


async def _ask_again(scene: Scene, random: Random) -> None:
    if not scene.world.accepted:
        return
    op = random.choice(list(scene.world.accepted))
    sent = scene.world.sent[op]
    if op_counter(OpId(op)) >= scene.world.floors.get(sent.person, 0):
        scene.hand_in(sent)


async def _hear(scene: Scene, random: Random) -> None:
    """Let everybody of a conversation acknowledge what was accepted in it."""
    conversation, talk = random.choice(list(scene.world.talks.items()))
    known = [one.seq for one in scene.world.accepted.values() if one.conversation == conversation]
    if known:
        through = random.choice((max(known), random.choice(known)))
        for number in talk.members:
            scene.tell(Heard(number, conversation, through))
            device = scene.person(number).device
            scene.store.acknowledge(device, ConversationId(conversation), through)


async def _raise_floor(scene: Scene, random: Random) -> None:
    world = scene.world
    number = random.randrange(len(world.people))
    asked = [*world.doubtful, *(world.sent[op] for op in scene.open)]
    waiting = [op_counter(OpId(one.op)) for one in asked if one.person == number]
    counter = min(waiting, default=world.counters[number] + 1)
    scene.tell(Floor(number, counter))
    scene.store.raise_floor(scene.person(number).device, counter)


async def _move(scene: Scene, random: Random) -> None:
    """Let somebody leave a group, or join it again."""
    groups = [talk for talk in scene.world.talks.values() if talk.members != talk.listeners]
    if groups:
        talk = random.choice(groups)
        kind = random.choice((f.Leave, f.Accept))
        scene.change_group(random.choice(talk.members[1:]), talk.conversation, kind)


def _spoiled(random: Random) -> Callable[[Transaction], None]:
    """Return a unit that writes, then refuses; nothing of it may be left."""
    key = f"spoiled-{random.random()}"

    def work(tx: Transaction) -> None:
        tx.sql.execute("INSERT INTO meta VALUES (?, 1)", (key,))
        raise Refusal(ErrorCode.FORBIDDEN)

    return work


def _swallow(tx: Transaction) -> None:
    """Write more than the page cache holds, take it back, and make nothing of a full disk."""
    rows = [(number.to_bytes(4000), b"", SWALLOWED) for number in range(24)]
    try:
        tx.sql.executemany("INSERT INTO policy VALUES (?, ?, ?)", rows)
        tx.sql.execute("DELETE FROM policy WHERE rule = ?", (SWALLOWED,))
    except sqlite3.Error as error:
        if not is_full(error):
            raise


ACTS: Final[dict[Callable[[Scene, Random], Awaitable[None]], int]] = {
    _send: 50, _ask_again: 10, _hear: 15, _raise_floor: 5, _spoil: 3, _overflow: 3, _enrol: 4,
    _begin_to_talk: 4, _move: 3, _rest: 3,
}  # fmt: skip
"""What is done, and how often."""

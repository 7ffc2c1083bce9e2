"""A store with people in it, for tests: on virtual time, or as shipped."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import trio

from wxserve.protocol import frames as f
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, op_id
from wxserve.store.contents import content_digest
from wxserve.store.devices import Newcomer, enrol
from wxserve.store.directory import DATABASE_NAME
from wxserve.store.driver_seeded import SeededDriver, open_seeded_driver
from wxserve.store.lifetime import open_on, open_store
from wxserve.store.limits import StoreLimits
from wxserve.store.operations import Caller
from wxserve.store.reading import Piece
from wxserve.store.state import OPEN, Append, Entry
from wxserve.store.store import Store, View
from wxserve.store.transaction import Transaction
from wxserve.testing.memory import TestClock

SMALL = StoreLimits(ballast_bytes=0)
"""The usual limits, without anything kept back."""
EVERYTHING = View(((1, OPEN),), 0, 256, 1 << 20)
"""All that one read gives of a conversation that was always visible."""


@dataclass(frozen=True)
class Person:
    """An account with one device."""

    account: AccountId
    device: DeviceId


class Reply:
    """What became of one operation."""

    def __init__(self) -> None:
        self._told = trio.Event()
        self.values: list[Any] = []

    def append_done(self, append: Append, outcome: Entry | Accepted | Refusal) -> None:
        del append
        self.unit_done(outcome, ())

    def unit_done(self, value: Any, entries: tuple[Entry, ...]) -> None:
        del entries
        self.values.append(value)
        self._told.set()

    async def wait(self) -> Any:
        """Return the outcome: an acceptance or a refusal."""
        await self._told.wait()
        (value,) = self.values
        return value.accepted if isinstance(value, Entry) else value

    @property
    def is_told(self) -> bool:
        return bool(self.values)


class Room:
    """The store, and what it takes to speak to it."""

    def __init__(self, store: Store, seed: int = 0) -> None:
        self.store = store
        self._random = Random(seed)

    # -- people --------------------------------------------------------------------------------

    async def enrol(self, account: AccountId | None = None) -> Person:
        """Bring in a device, of a new account if none is given."""
        draw = self._random.randbytes
        newcomer = Newcomer(
            draw(12), 1 << 50, account, AccountId(draw(16)), DeviceId(draw(8)), draw(32), "a", "d"
        )
        limits = self.store.limits
        device = await self.store.run(lambda tx: enrol(tx, newcomer, limits))
        return Person(device.account, device.id)

    async def direct(self, one: Person, other: Person, counter: int) -> ConversationId:
        """Create the direct conversation of two people."""
        frame = f.Create(op_id(one.device, counter), 1, (other.account,), b"")
        accepted = await self.administer(one, frame)
        return ConversationId(accepted.conversation)

    async def administer(self, person: Person, frame: Any) -> Any:
        """Carry out an operation on a conversation."""
        return await self.administer_nowait(person, frame).wait()

    def administer_nowait(self, person: Person, frame: Any) -> Reply:
        reply = Reply()
        digest = content_digest(repr(frame).encode())
        caller = Caller(person.account, person.device, frame.op, digest, None)
        self.store.administer(caller, frame, reply.unit_done)
        return reply

    # -- messages ------------------------------------------------------------------------------

    def append(
        self, person: Person, conversation: ConversationId, counter: int, body: bytes = b"hello"
    ) -> Append:
        """Return a message, ready to append; its ``context`` is the reply."""
        op = op_id(person.device, counter)
        envelope = encode_envelope(message(conversation, op, body))
        reply = Reply()
        return Append(
            person.account, person.device, counter, op, conversation, envelope,
            0, 0, None, reply, 0, reply.append_done,
        )  # fmt: skip

    def send_nowait(
        self, person: Person, conversation: ConversationId, counter: int, body: bytes = b"hello"
    ) -> Reply:
        """Append a message; the reply comes later."""
        append = self.append(person, conversation, counter, body)
        self.store.append(append)
        reply = append.context
        assert isinstance(reply, Reply)
        return reply

    async def send(
        self, person: Person, conversation: ConversationId, counter: int, body: bytes = b"hello"
    ) -> Any:
        """Append a message and return what became of it."""
        return await self.send_nowait(person, conversation, counter, body).wait()

    async def accepted(
        self, person: Person, conversation: ConversationId, counters: range
    ) -> list[Accepted]:
        """Send messages at once; return their acceptances."""
        replies = [self.send_nowait(person, conversation, counter) for counter in counters]
        outcomes = [await reply.wait() for reply in replies]
        assert all(isinstance(one, Accepted) for one in outcomes), outcomes
        return outcomes

    # -- reading -------------------------------------------------------------------------------

    async def read(
        self, conversation: ConversationId, first: int, last: int, view: View = EVERYTHING
    ) -> list[Piece]:
        """Read a range of committed entries."""
        told = trio.Event()
        found: list[list[Piece] | None] = []

        def done(pieces: list[Piece] | None) -> None:
            found.append(pieces)
            told.set()

        wanted = self.store.range_of(conversation, first, last, view)
        assert self.store.read_range(wanted, done)
        await told.wait()
        assert found[0] is not None, "the read failed"
        return found[0]

    async def load(self, conversation: ConversationId) -> Any:
        """Return a conversation as committed."""
        return await self.store.run(lambda tx: tx.conversation(conversation))

    async def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds on the writing connection."""

        def work(tx: Transaction) -> list[tuple[Any, ...]]:
            return tx.sql.execute(sql, values).fetchall()

        return await self.store.run(work)


class SeededRoom(Room):
    """A store on the driver of simulations."""

    def __init__(self, store: Store, driver: SeededDriver, nursery: trio.Nursery) -> None:
        super().__init__(store)
        self.driver = driver
        self.nursery = nursery


@asynccontextmanager
async def seeded_room(
    directory: Path,
    *,
    seed: int = 0,
    clock: TestClock | None = None,
    limits: StoreLimits = SMALL,
    maintained: bool = True,
) -> AsyncIterator[SeededRoom]:
    """Open a store for one simulated life; leaving ends it like a crash."""
    clock = clock or TestClock()
    entropy = Random(seed).randbytes
    async with (
        open_seeded_driver(directory / DATABASE_NAME, seed) as driver,
        open_on(driver, clock=clock, entropy=entropy, limits=limits) as store,
        trio.open_nursery() as nursery,
    ):
        if maintained:
            nursery.start_soon(store.maintain, directory)
        yield SeededRoom(store, driver, nursery)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def shipped_room(directory: Path, limits: StoreLimits = SMALL) -> AsyncIterator[Room]:
    """Open a store as the server does."""
    os.chmod(directory, 0o700)  # noqa: PTH101 - a path's method would be a blocking call
    async with open_store(
        directory, clock=WallClock(), entropy=Random(0).randbytes, limits=limits
    ) as store:
        yield Room(store)


class WallClock:
    """A wall clock that ticks once per look."""

    def __init__(self) -> None:
        self._ticks = count(1_800_000_000_000)

    def now_ms(self) -> int:
        return next(self._ticks)

    def elapsed_ms(self) -> int:
        return next(self._ticks)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Let time pass until something is so."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - what it asks for has no event
            await trio.sleep(0.001)

"""Two people who talk in a store that keeps little, and days that pass at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import (
    ConversationId,
    op_id,
)
from wxserve.store.devices import log_in
from wxserve.store.limits import StoreLimits
from wxserve.testing.memory import TestClock

from .room import Person, SeededRoom, seeded_room

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
LIMITS = StoreLimits(
    ballast_bytes=0,
    merge_entries=1,
    maintenance_s=5,
    keep_acknowledged_s=3600,
    keep_s_max=86_400,
    dormant_s=10 * 3600,
)


class Scene:
    """Two people who talk, and a clock."""

    def __init__(self, room: SeededRoom, clock: TestClock) -> None:
        self.room = room
        self.clock = clock
        self.one: Person
        self.other: Person
        self.talk: ConversationId
        self.counter = 1

    async def begin(self) -> None:
        self.one, self.other = await self.room.enrol(), await self.room.enrol()
        self.talk = await self.room.direct(self.one, self.other, 1)

    async def say(self, times: int = 1, ttl_s: int = 0) -> None:
        for _ in range(times):
            self.counter += 1
            op = op_id(self.one.device, self.counter)
            envelope = encode_envelope(message(self.talk, op, b"x", ttl_s=ttl_s))
            append = self.room.append(self.one, self.talk, self.counter)._replace(
                envelope=envelope, ttl_s=ttl_s
            )
            self.room.store.append(append)
            assert isinstance(await append.context.wait(), Accepted)

    def acknowledge(self, person: Person, seq: int) -> None:
        self.room.store.acknowledge(person.device, self.talk, seq)
        self.room.store.raise_floor(person.device, self.counter + 1)

    async def stay(self, person: Person) -> None:
        """Log in, as who is not dormant does."""
        await self.room.store.run(lambda tx: log_in(tx, person.device))

    async def floor(self, conversation: ConversationId | None = None) -> int:
        """Let housekeeping come round twice; return the last number that is gone."""
        await trio.sleep(12)
        rows = await self.room.rows(
            "SELECT floor_seq FROM conversation WHERE conversation = ?", conversation or self.talk
        )
        return int(rows[0][0])


@asynccontextmanager
async def scene(
    directory: Path, clock: TestClock | None = None, limits: StoreLimits = LIMITS
) -> AsyncIterator[Scene]:
    clock = clock or TestClock()
    async with seeded_room(directory, clock=clock, limits=limits) as room:
        yield Scene(room, clock)

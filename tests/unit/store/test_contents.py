"""By what an operation is recognised when it comes again, wherever its content is by then."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from wxserve.protocol import frames as f
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import op_id
from wxserve.store.limits import StoreLimits
from wxserve.testing.memory import TestClock

from .scene import DAY_MS, LIMITS, Scene, scene

Fate = Callable[[Scene], Awaitable[None]]
COUNTER = 2
NEVER_MERGED = replace(LIMITS, merge_entries=1_000_000, maintenance_s=1000)


async def stays(s: Scene) -> None:
    rows = await s.room.rows("SELECT digest FROM log WHERE seq = 2")
    assert rows == [(None,)], "what nobody asks for is not reckoned"


async def merged(s: Scene) -> None:
    await trio.sleep(2)
    assert await s.room.rows("SELECT count(*) FROM op WHERE counter = ?", COUNTER) == [(1,)]


async def redacted(s: Scene) -> None:
    redact = f.Redact(op_id(s.one.device, 9), s.talk, 2)
    assert isinstance(await s.room.administer(s.one, redact), Accepted)
    await gone(s)


async def expired(s: Scene) -> None:
    s.clock.let_pass(60_000)
    await trio.sleep(1001)
    await gone(s)


async def gone(s: Scene) -> None:
    assert await s.room.rows("SELECT count(*) FROM log WHERE seq = 2 AND frame IS NULL") == [(1,)]


async def pruned(s: Scene) -> None:
    s.clock.let_pass(20 * DAY_MS)
    await trio.sleep(12)
    assert await s.room.rows("SELECT * FROM log WHERE conversation = ?", s.talk) == []


async def redacted_merged_and_pruned(s: Scene) -> None:
    await redacted(s)
    await pruned(s)


def handed_in(s: Scene, body: bytes) -> Callable[[], Awaitable[Accepted | Refusal]]:
    """Hand in the same operation; return what waits for what became of it."""
    envelope = encode_envelope(message(s.talk, op_id(s.one.device, COUNTER), body, ttl_s=60))
    append = s.room.append(s.one, s.talk, COUNTER)._replace(envelope=envelope, ttl_s=60)
    s.room.store.append(append)
    return append.context.wait  # type: ignore[no-any-return]


async def check(s: Scene, first: Accepted) -> None:
    """Both in one commit, and each in one of its own."""
    for _ in range(2):
        same, other = handed_in(s, b"the body"), handed_in(s, b"another")
        assert await same() == first
        refusal = await other()
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.seq) == (ErrorCode.CONFLICT, first.seq)
        assert await handed_in(s, b"the body")() == first


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("fate", "limits"),
    [
        (stays, NEVER_MERGED),
        (redacted, NEVER_MERGED),
        (expired, replace(LIMITS, maintenance_s=1000)),
        (merged, replace(LIMITS, maintenance_s=1000)),
        (pruned, LIMITS),
        (redacted_merged_and_pruned, LIMITS),
    ],
)
async def test_operation_is_recognised_whatever_became_of_its_content(
    tmp_path: Path,
    autojump_clock: MockClock,
    fate: Fate,
    limits: StoreLimits,
    restarts: bool,
) -> None:
    clock = TestClock()
    async with scene(tmp_path, clock, limits) as s:
        await s.begin()
        first, twin = handed_in(s, b"the body"), handed_in(s, b"the body")
        other = handed_in(s, b"another")
        accepted = await first()
        assert isinstance(accepted, Accepted)
        assert await twin() == accepted, "twice in one commit"
        assert isinstance(await other(), Refusal)
        await fate(s)
        await check(s, accepted)
        people = s.one, s.other, s.talk
    if restarts:
        async with scene(tmp_path, clock, limits) as s:
            s.one, s.other, s.talk = people
            await check(s, accepted)

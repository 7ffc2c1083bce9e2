"""Reading the log: ranges on both sides of the border between the index and what it lacks yet."""

from itertools import product
from pathlib import Path

import trio
from trio.testing import MockClock

from wxserve.store.limits import StoreLimits
from wxserve.store.state import OPEN
from wxserve.store.store import View

from .room import seeded_room

MERGED, UNMERGED = 300, 100
LIMITS = StoreLimits(ballast_bytes=0, merge_entries=MERGED)


async def test_ranges_are_whole_whatever_of_them_is_merged(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, limits=LIMITS) as room:
        one, other = await room.enrol(), await room.enrol()
        talk, elsewhere = await room.direct(one, other, 1), await room.direct(other, one, 1)
        if talk == elsewhere:
            elsewhere = await room.direct(one, await room.enrol(), 2)
        await room.accepted(one, talk, range(10, 10 + MERGED))
        await trio.sleep(60)
        # In turns, so that the positions of one conversation have gaps.
        replies = [
            room.send_nowait(one, conversation, 2 * counter + which)
            for counter in range(200, 200 + UNMERGED)
            for which, conversation in enumerate((talk, elsewhere))
        ]
        await replies[-1].wait()
        index = await room.rows("SELECT max(seq) FROM entry WHERE conversation = ?", talk)
        log = await room.rows(
            "SELECT seq, frame, 0 FROM log WHERE conversation = ? ORDER BY seq", talk
        )
        head = 1 + MERGED + UNMERGED
        assert index == [(1 + MERGED,)]
        assert len(log) == head
        borders = [1, MERGED, MERGED + 1, MERGED + 2, MERGED + 32, MERGED + 33, MERGED + 34, head]
        for first, last, rows_max in product(borders, borders, (1, 2, 31, 32, 33, 64, 200)):
            if first <= last:
                view = View(((1, OPEN),), 0, rows_max, 1 << 20)
                pieces = await room.read(talk, first, last, view)
                assert pieces == log[first - 1 : min(last, first - 1 + rows_max)]

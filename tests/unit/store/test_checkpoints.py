"""When the log is copied back, against a model of SQLite's write-ahead log."""

from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.store.room import seeded_room
from wxserve.store import checkpoints
from wxserve.store.checkpoints import CHECKPOINT_CHANGES, Checkpoints
from wxserve.store.transaction import Transaction

CHANGES, LONG = 40, 100


class Log:
    """How long the log is and how much of it is copied back; one page for each changed row."""

    def __init__(self) -> None:
        self.pages = 0
        self.copied = 0
        self.longest = 0
        self._snapshot: int | None = None

    def begin_commit(self) -> None:
        if self.pages and self.copied == self.pages:
            assert self._snapshot is None, "the log starts anew under a checkpoint"
            self.pages = self.copied = 0

    def commit(self, changes: int) -> None:
        self.pages += changes
        self.longest = max(self.longest, self.pages)

    def begin_checkpoint(self) -> None:
        assert self.copied < self.pages, "nothing to do: the WAL-reset bug"
        self._snapshot = self.pages

    def end_checkpoint(self) -> int:
        assert self._snapshot is not None
        self.copied, self._snapshot = self._snapshot, None
        return self.copied


class Play:
    """A writer that commits, and a checkpointer beside it; what is told comes in time or late."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.log = Log()
        self.rules = Checkpoints()
        self._began: int | None = None
        self._told: tuple[int, int] | None = None
        self._beside = False
        self.wholes = 0

    def step(self) -> None:
        random, rules, log = self._random, self.rules, self.log
        if self._told is not None and random.random() < 0.7:
            rules.committed(*self._told)
            self._told = None
        if self._began is not None and random.random() < 0.5:
            changes = random.choice((0, 1, 3, 15))
            log.commit(changes)
            self._told, self._began = (self._began, changes), None
        if self._beside and random.random() < 0.3:
            self._beside = False
            rules.end(log.end_checkpoint(), whole=False)
        if self._began is None and self._told is None:
            self._go_on()

    def _go_on(self) -> None:
        rules, log = self.rules, self.log
        if rules.whole_due:
            self.wholes += 1
            rules.start()
            if log.copied < log.pages:
                log.begin_checkpoint()
                log.end_checkpoint()
            rules.end(log.pages, whole=True)
        elif rules.due:
            rules.start()
            log.begin_checkpoint()
            self._beside = True
        self._began = rules.begin_commit()
        log.begin_commit()


@given(st.integers(0, 2**32))
def test_each_has_something_to_do_and_the_log_stays_bounded(seed: int) -> None:
    with (
        patch.object(checkpoints, "CHECKPOINT_CHANGES", CHANGES),
        patch.object(checkpoints, "LOG_PAGES_LONG", LONG),
    ):
        play = Play(Random(seed))
        for _ in range(600):
            play.step()
        assert play.log.longest < 8 * LONG
        assert play.log.longest < LONG or play.wholes


def test_none_is_due_while_nothing_was_committed_since_the_last() -> None:
    rules = Checkpoints()

    def due() -> bool:
        return rules.due

    began = rules.begin_commit()
    rules.committed(began, checkpoints.CHECKPOINT_CHANGES)
    assert due()
    late = rules.begin_commit()
    rules.start()
    assert not due()
    rules.end(1, whole=False)
    rules.committed(late, checkpoints.CHECKPOINT_CHANGES)
    assert not due(), "it may have been copied back already"
    rules.committed(rules.begin_commit(), 0)
    assert not due()
    rules.committed(rules.begin_commit(), 1)
    assert due()


@pytest.mark.usefixtures("autojump_clock")
async def test_checkpoint_comes_after_enough_changes_and_lets_the_log_begin_anew(
    tmp_path: Path,
) -> None:
    def write(first: int, tx: Transaction) -> None:
        rows = [(f"note{number}",) for number in range(first, CHECKPOINT_CHANGES)]
        tx.sql.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, 1)", rows[: 1 if first else None]
        )

    async with seeded_room(tmp_path, maintained=False) as room:
        log = Path(f"{tmp_path}/wxserve.sqlite3-wal")
        await room.store.run(partial(write, 0))
        grown = log.stat().st_size
        await trio.sleep(1)
        for number in range(5):
            await room.store.run(partial(write, number + 1))
        assert log.stat().st_size == grown, "the log began anew"

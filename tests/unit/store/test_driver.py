"""The shipped driver: its threads, its end, and reads that would keep the log from ending."""

import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from wxserve.store.driver_aiosqlite import AiosqliteDriver, open_driver
from wxserve.store.errors import StoreRefusedError

pytestmark = pytest.mark.wire


def worker_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if "_connection_worker_thread" in one.name]


def names(directory: Path) -> set[str]:
    return {one.name for one in directory.iterdir()}


class Answer:
    """Waits for what a driver reports."""

    def __init__(self) -> None:
        self._told = trio.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def __call__(self, value: Any, error: BaseException | None) -> None:
        assert not self._told.is_set(), "told twice"
        self.value, self.error = value, error
        self._told.set()

    @property
    def is_told(self) -> bool:
        return self._told.is_set()

    async def wait(self) -> Any:
        with trio.fail_after(20):
            await self._told.wait()
        if self.error is not None:
            raise self.error
        return self.value


async def commit(driver: AiosqliteDriver, *statements: str) -> None:
    def work(sql: sqlite3.Connection) -> None:
        for statement in statements:
            sql.execute(statement)

    answer = Answer()
    driver.commit(work, answer)
    await answer.wait()


def rows(sql: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return sql.execute("SELECT * FROM meta ORDER BY key").fetchall()


async def read(driver: AiosqliteDriver) -> list[tuple[Any, ...]]:
    answer = Answer()
    driver.read(rows, answer)
    found: list[tuple[Any, ...]] = await answer.wait()
    return found


async def test_commit_is_seen_by_readers_and_left_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    async with open_driver(path) as driver:
        await commit(driver, "INSERT INTO meta VALUES ('a', 1)")
        assert [await read(driver) for _ in range(3)] == [[("a", 1)]] * 3
        assert len(worker_threads()) == 4
    assert not worker_threads()
    assert names(tmp_path) == {path.name}, "closed in the wrong order"


async def test_failing_work_is_rolled_back_and_told(tmp_path: Path) -> None:
    async with open_driver(tmp_path / "x.sqlite3") as driver:
        with pytest.raises(sqlite3.OperationalError):
            await commit(driver, "INSERT INTO meta VALUES ('a', 1)", "nonsense")
        assert await read(driver) == []
        await commit(driver, "INSERT INTO meta VALUES ('b', 2)")
        assert await read(driver) == [("b", 2)]


async def test_work_that_ends_the_interpreter_is_told_like_any_error(tmp_path: Path) -> None:
    def leave(sql: sqlite3.Connection) -> None:
        sql.execute("INSERT INTO meta VALUES ('a', 1)")
        sys.exit(3)

    async with open_driver(tmp_path / "x.sqlite3") as driver:
        answer = Answer()
        driver.commit(leave, answer)
        with pytest.raises(SystemExit):
            await answer.wait()
        assert await read(driver) == []


async def test_closed_driver_tells_instead_of_keeping_silent(tmp_path: Path) -> None:
    async with open_driver(tmp_path / "x.sqlite3") as driver:
        pass
    for start in (driver.commit, driver.read):
        answer = Answer()
        start(rows, answer)
        with pytest.raises(ValueError, match="closed"):
            await answer.wait()


async def test_refusal_to_open_comes_bare_and_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreRefusedError, match="cannot be opened"):
        async with open_driver(path):
            raise AssertionError("opened")
    assert not worker_threads()


class CancelAt(trio.abc.Instrument):
    """Cancels a scope after so many task steps."""

    def __init__(self, steps: int) -> None:
        self.scope = trio.CancelScope()
        self._left = steps

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        del task
        self._left -= 1
        if self._left == 0:
            self.scope.cancel()

    @property
    def came_too_late(self) -> bool:
        return self._left > 0


async def test_cancelled_at_any_step_of_opening_leaves_no_thread_and_no_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.sqlite3"
    steps = 0
    late = False
    while not late:
        steps += 1
        cancel = CancelAt(steps)
        trio.lowlevel.add_instrument(cancel)
        with trio.fail_after(20), cancel.scope:
            async with open_driver(path):
                for _ in range(20):
                    await trio.lowlevel.checkpoint()
                late = cancel.came_too_late
                cancel.scope.cancel()
                await trio.sleep_forever()
        trio.lowlevel.remove_instrument(cancel)
        assert not worker_threads(), f"step {steps}"
        assert names(tmp_path) <= {path.name}, f"step {steps}: not closed"
    assert steps > 10


async def test_cancelled_at_any_step_of_closing_leaves_no_thread_and_no_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.sqlite3"
    steps, late = 0, False
    while not late:
        steps += 1
        cancel = CancelAt(steps)
        with trio.fail_after(20), cancel.scope:
            async with open_driver(path) as driver:
                driver.commit(rows, Answer())
                trio.lowlevel.add_instrument(cancel)
        late = cancel.came_too_late
        trio.lowlevel.remove_instrument(cancel)
        assert not worker_threads(), f"step {steps}"
        assert names(tmp_path) <= {path.name}, f"step {steps}: not closed"
    assert steps > 5


DYING = """
import sys, trio
from pathlib import Path
from wxserve.store.driver_aiosqlite import open_driver

async def main():
    async with open_driver(Path(sys.argv[1])) as driver:
        def boom(value, error):
            raise RuntimeError("the loop dies here")
        driver.commit(lambda sql: sql.execute("INSERT INTO meta VALUES ('a', 1)"), boom)
        await trio.sleep_forever()

trio.run(main)
"""


def test_event_loop_that_dies_does_not_keep_the_process(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    ended = subprocess.run(
        [sys.executable, "-c", DYING, str(path)], capture_output=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert b"the loop dies here" in ended.stderr


# -- the write-ahead log ---------------------------------------------------------------------------


class Gate:
    """A read that lasts until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self._go = threading.Event()

    def __call__(self, sql: sqlite3.Connection) -> list[tuple[Any, ...]]:
        found = rows(sql)
        self.began.set()
        assert self._go.wait(20)
        return found

    def let_go(self) -> None:
        self._go.set()


async def begin(driver: AiosqliteDriver) -> tuple[Gate, Answer]:
    gate, answer = Gate(), Answer()
    driver.read(gate, answer)
    await trio.to_thread.run_sync(gate.began.wait)
    return gate, answer


async def pages_after_checkpoint(driver: AiosqliteDriver) -> int:
    answer = Answer()
    driver.checkpoint(answer, whole=True)
    await answer.wait()
    await commit(driver, "INSERT OR REPLACE INTO meta VALUES ('last', 1)")
    answer = Answer()
    driver.checkpoint(answer, whole=True)
    pages: int = await answer.wait()
    return pages


async def test_checkpoint_lets_the_log_start_anew(tmp_path: Path) -> None:
    async with open_driver(tmp_path / "x.sqlite3") as driver:
        for number in range(20):
            await commit(driver, f"INSERT INTO meta VALUES ('{number}', 1)")
        assert await pages_after_checkpoint(driver) <= 2


async def longest_log(driver: AiosqliteDriver, rounds: int) -> int:
    """Return how long the log gets while each read begins before the one before it has ended."""
    longest = 0
    earlier, told = await begin(driver)
    for number in range(rounds):
        gate, answer = Gate(), Answer()
        driver.read(gate, answer)
        earlier.let_go()
        await told.wait()
        await commit(driver, f"INSERT INTO meta VALUES ('{number}', 1)")
        pages = Answer()
        driver.checkpoint(pages, whole=True)
        while not pages.is_told:
            if driver._held is not None:
                gate.let_go()
            await trio.lowlevel.checkpoint()
        longest = max(longest, await pages.wait())
        earlier, told = gate, answer
    earlier.let_go()
    await told.wait()
    return longest


@pytest.mark.parametrize(("pages_max", "grows"), [(20, False), (1 << 30, True)])
async def test_reads_that_always_overlap_do_not_let_the_log_grow(
    tmp_path: Path, pages_max: int, *, grows: bool
) -> None:
    async with open_driver(tmp_path / "x.sqlite3") as driver:
        driver._wal_pages_max = pages_max
        assert (await longest_log(driver, 60) > 40) is grows, "without the limit it must grow"


async def test_held_reads_come_after_the_checkpoint_in_their_order(tmp_path: Path) -> None:
    order: list[str] = []

    def note(name: str, answer: Answer, value: Any, error: BaseException | None) -> None:
        order.append(name)
        answer(value, error)

    async with open_driver(tmp_path / "x.sqlite3") as driver:
        driver._wal_pages_max = 0
        gate, told = await begin(driver)
        done = [Answer() for _ in range(3)]
        driver.checkpoint(partial(note, "checkpoint", done[0]), whole=True)
        while driver._held is None:
            await trio.lowlevel.checkpoint()
        driver.read(rows, partial(note, "one", done[1]))
        assert not order
        gate.let_go()
        await told.wait()
        for answer in done[:2]:
            await answer.wait()
        assert order == ["checkpoint", "one"]

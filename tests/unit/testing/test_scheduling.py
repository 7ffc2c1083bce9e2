"""A canary: a new version of trio that schedules in another way is noticed here first."""

import re

import trio

from tests.architecture.sources import sources
from wxserve.testing.scheduling import run_seeded

TASKS = 6
STEPS = 4


def schedule(seed: int) -> list[tuple[float, int]]:
    """Return in which order tasks run that all want to run at the same times."""
    order: list[tuple[float, int]] = []

    async def walk(number: int) -> None:
        for step in range(STEPS):
            order.append((trio.current_time(), number))
            await trio.sleep(0.25 * (step % 2))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(TASKS):
                nursery.start_soon(walk, number)

    run_seeded(seed, main)
    return order


def test_runs_of_one_seed_are_the_same() -> None:
    assert all(schedule(1) == schedule(1) for _ in range(50))


def test_runs_of_different_seeds_differ() -> None:
    assert len({tuple(schedule(seed)) for seed in range(20)}) >= 19


def test_virtual_time_passes_at_once() -> None:
    assert max(now_s for now_s, _ in schedule(1)) == 0.25


def test_private_scheduling_of_trio_is_touched_in_one_place() -> None:
    private = re.compile(r"trio\._core|_ALLOW_DETERMINISTIC_SCHEDULING")
    touching = {one.path for one in sources() if one.is_python and private.search(one.text)}
    assert touching == {
        "src/wxserve/testing/scheduling.py",
        "tests/unit/testing/test_scheduling.py",
    }

"""The running time: nothing grows old by a jump of the wall clock."""

from wxserve.store.running import DOWNTIME_COUNTED_MS, RunningTime

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS


class Clock:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.wall_ms = 1_800_000_000_000
        self.passed_ms = 77

    def now_ms(self) -> int:
        return self.wall_ms

    def elapsed_ms(self) -> int:
        return self.passed_ms


def test_running_time_begins_at_nothing_and_follows_the_time_that_passes() -> None:
    clock = Clock()
    running = RunningTime(clock)
    assert running.now_ms() == 0
    clock.passed_ms += 5
    assert running.now_ms() == 5


def test_running_time_ignores_the_wall_clock() -> None:
    clock = Clock()
    running = RunningTime(clock)
    for jump_ms in (YEAR_MS, -2 * YEAR_MS):
        clock.wall_ms += jump_ms
        assert running.now_ms() == 0


def test_running_time_goes_on_after_a_restart_and_counts_the_time_between() -> None:
    running = RunningTime(Clock())
    running.go_on(1000, 500)
    assert running.now_ms() == 1500


def test_running_time_counts_no_more_than_a_day_between_and_nothing_negative() -> None:
    running = RunningTime(Clock())
    running.go_on(1000, YEAR_MS)
    assert running.now_ms() == 1000 + DOWNTIME_COUNTED_MS == 1000 + DAY_MS
    running.go_on(1000, -YEAR_MS)
    assert running.now_ms() == 1000

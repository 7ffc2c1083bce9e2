"""Virtual time for the tests that ask for it with ``usefixtures("autojump_clock")``."""

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any

import pytest
import trio
from trio.abc import Clock, Instrument
from trio.testing import MockClock


def run_on_virtual_time(
    main: Callable[[], Awaitable[Any]],
    clock: Clock | None = None,
    instruments: Sequence[Instrument] = (),
) -> Any:
    """Run a test on a clock that jumps to the next deadline when nothing else is to be done."""
    return trio.run(main, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-trio itself looks for a clock among a test's arguments only."""
    for item in items:
        asked = {name for mark in item.iter_markers("usefixtures") for name in mark.args}
        if "autojump_clock" in asked and iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.trio(run=run_on_virtual_time))

"""The n-th call of the disk fails, for every n: the store stops, or refuses, and loses nothing.

The usual run tries every ``STRIDE``-th n, beginning anywhere; with a budget, all of them.
"""

import time

import pytest

from tests.fault.power.needs import NEEDS_COMPILER
from tests.fault.power.trouble import GROUPS
from tests.fault.power.worker import LIBRARIES, run_worker
from tests.fault.results import budget_s, new_seed, progress, record

pytestmark = [pytest.mark.fault, pytest.mark.slow, NEEDS_COMPILER]
STRIDE = 97
SILENT_WAYS = ("silent-units", "silent-unnoted")
"""Units that make nothing of a failed write; the first one is covered by the connection's note."""
FULL_WAYS = ("heads", "no-check", "no-savepoints")
"""Ways to break the store that only a full disk shows; the last one is covered by a check."""


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("group", GROUPS)
def test_call_of_the_disk_that_fails_loses_nothing_accepted(group: str, library: str) -> None:
    end, seed = time.monotonic() + budget_s(), new_seed()
    for turn in range(STRIDE if budget_s() else 1):
        first = str((seed + turn) % STRIDE)
        arguments = ("--seed", str(seed), "--first", first, "--stride", str(STRIDE))
        tally = run_worker(library, "--case", group, *arguments)
        assert tally.faults, "nothing failed"
        record(
            "P6" if group == "enospc" else "P7", f"the n-th call fails, {group}, {library}",
            tally.cuts, faults=tally.faults, seeds=[seed], accepted=tally.accepted,
            lost=tally.lost + tally.damaged, doubled=tally.doubled, reordered=tally.reordered,
        )  # fmt: skip
        if tally.failures:
            pytest.fail("\n".join([*tally.failures, tally.summary]), pytrace=False)
        progress(f"{turn + 1} of {STRIDE} parts of all calls, {group}, {library}")
        if time.monotonic() > end:
            break


def full(way: str, library: str) -> int:
    """Return how much is found wrong with a store that is broken on purpose, on a full disk."""
    arguments = ("--case", "write-enospc-once", "--seed", "1", "--stride", "41")
    tally = run_worker(library, "--sabotage", way, *arguments)
    assert tally.faults
    return len(tally.failures)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("way", ["heads", "no-check"])
def test_full_disk_under_a_store_broken_on_purpose_is_noticed(way: str, library: str) -> None:
    assert full(way, library)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("way", SILENT_WAYS)
def test_failed_write_that_units_keep_to_themselves_stops_the_store_because_it_is_noted(
    way: str, library: str
) -> None:
    arguments = ("--case", "write-eio-once", "--seed", "1", "--first", "28", "--stride", "35")
    tally = run_worker(library, "--sabotage", way, *arguments)
    assert tally.faults
    assert bool(tally.failures) is (way == "silent-unnoted"), tally.failures


@pytest.mark.parametrize("library", LIBRARIES)
def test_transaction_that_is_gone_is_noticed_without_savepoints(library: str) -> None:
    assert not full("no-savepoints", library)

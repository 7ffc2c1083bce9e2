"""Power cuts under the store, with both SQLite libraries: nothing that was accepted is lost."""

import pytest

from tests.fault.power.campaign import Tally
from tests.fault.power.needs import NEEDS_COMPILER
from tests.fault.power.sabotage import WAYS
from tests.fault.power.worker import LIBRARIES, run_worker
from tests.fault.results import budget_s, new_seed, record
from tests.fault.test_io_errors import FULL_WAYS, SILENT_WAYS

pytestmark = [pytest.mark.fault, pytest.mark.slow, NEEDS_COMPILER]
CUTS = 2000
CUTS_SABOTAGED = 300
CUT_WAYS = (
    "early",
    "normal",
    "off",
    "copy-off",
    "no-directories",
    "own-directory",
    "one-directory",
)
"""Ways to break the store that only a power cut shows."""


def cut(library: str, seed: int, cuts: int, *more: str) -> Tally:
    return run_worker(library, "--seed", str(seed), "--cuts", str(cuts), *more)


@pytest.mark.parametrize("library", LIBRARIES)
def test_power_cut_loses_and_doubles_nothing_accepted(
    library: str, pytestconfig: pytest.Config
) -> None:
    seed = new_seed()
    tally = cut(library, seed, CUTS, "--budget", str(budget_s()))
    record(
        "P1", f"power cuts, {library}", tally.cuts, faults=tally.cuts, seeds=[seed],
        accepted=tally.accepted, lost=tally.lost + tally.damaged, doubled=tally.doubled,
        reordered=tally.reordered, folders=["src/wxserve/protocol", "src/wxserve/store"],
    )  # fmt: skip
    tried = tally.cuts >= CUTS and tally.accepted >= tally.cuts and tally.beside >= tally.lives
    if tally.failures or not tried:
        pytest.fail("\n".join([*tally.failures, tally.summary]), pytrace=False)
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    reporter.write_line(f" {library}, seed {seed}: {tally.summary}")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("way", CUT_WAYS)
def test_power_cut_of_a_store_broken_on_purpose_is_noticed(way: str, library: str) -> None:
    tally = cut(library, 8, CUTS_SABOTAGED, "--sabotage", way)
    assert tally.lost
    assert tally.cuts < CUTS_SABOTAGED, "it took too long to notice"


@pytest.mark.parametrize("library", LIBRARIES)
def test_equal_seeds_give_equal_cuts(library: str) -> None:
    first, second = (cut(library, 7, 45) for _ in range(2))
    assert first == second
    assert first != cut(library, 8, 45)


def test_every_way_to_break_the_store_is_tried() -> None:
    assert {"none", *CUT_WAYS, *FULL_WAYS, *SILENT_WAYS} == set(WAYS)

"""Seeds that nobody has run before, for as long as the budget: P3, P4, P5, P8 and P26.

Without a budget a few seeds, always the same: the usual tests say the same every time.
"""

import time

import pytest

from tests.fault.results import budget_s, new_seed, progress, record
from tests.sim.campaign import Campaign
from tests.sim.plan import ACTS
from tests.sim.preparing import simulate_plan
from tests.sim.sabotage import WAYS
from tests.sim.telling import failure

pytestmark = [pytest.mark.fault, pytest.mark.slow]
SEEDS_MIN = 30
REPLAYS = 100
REPLAYS_MIN = 3
SHOW_EVERY_SEEDS = 100
JUDGED = [
    *(f"src/wxserve/{room}" for room in ("protocol", "router", "store", "testing")),
    "clients/python/src",
]


def test_new_seeds_keep_their_promises(pytestconfig: pytest.Config) -> None:
    budget, first = budget_s(), new_seed()
    campaign, end_s = Campaign(), time.monotonic() + budget
    failed = None
    while failed is None and (campaign.seeds < SEEDS_MIN or time.monotonic() < end_s):
        result = campaign.run(first + campaign.seeds)
        failed = result if result.faults else None
        if campaign.seeds % SHOW_EVERY_SEEDS == 0:
            progress(f"simulation: {campaign.seeds:,} seeds from {first}")
    what = f"simulated worlds, seeds {first} and up"
    faults = campaign.faults - campaign.fired["send"]
    record(
        "P3, P4, P5, P8", what, campaign.seeds, faults=faults, seeds=[first], folders=JUDGED,
        **campaign.figures(),
    )  # fmt: skip
    if failed is not None:
        pytest.fail(failure(failed), pytrace=False)
    assert campaign.counts["raw duplicates"] > 0
    if campaign.seeds >= 1000:
        assert set(campaign.fired) >= set(ACTS)
    tell(
        pytestconfig,
        f"{campaign.seeds:,} seeds from {first}, {faults:,} faults, {campaign.figures()}",
    )


def test_failures_made_by_sabotage_replay_identically(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = REPLAYS if budget_s() else REPLAYS_MIN
    first, done = new_seed(), 0
    while done < wanted:
        way = WAYS[done % len(WAYS)]
        with monkeypatch.context() as patches:
            way.apply(patches)
            failed = Campaign(way.plan).first_failure(
                range(first + 1000 * done, first + 1000 * (done + 1))
            )
            assert failed is not None, f"{way.name} is not found"
            again = simulate_plan(way.plan(failed.seed))
        assert (again.trace, again.faults) == (failed.trace, failed.faults), (
            f"{way.name} {failed.seed}"
        )
        done += 1
        progress(f"replay of failures: {done} of {wanted}")
    what = "failures made by sabotage, replayed by their seeds"
    record("P26", what, done, seeds=[first], folders=JUDGED)
    tell(pytestconfig, f"{done} failing traces replayed identically, seeds from {first}")


def tell(pytestconfig: pytest.Config, text: str) -> None:
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    reporter.write_line(f" {text}")

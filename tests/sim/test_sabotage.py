"""The simulator has to go red when server or client is broken on purpose, and to replay how."""

import pytest

from tests.sim.campaign import Campaign
from tests.sim.preparing import simulate_plan
from tests.sim.sabotage import WAYS, Way

SEEDS_MAX = 60
REPLAYED = 5
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.replace(" ", "-"))
def test_simulator_goes_red(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    way.apply(monkeypatch)
    assert Campaign(way.plan).first_failure(range(SEEDS_MAX)) is not None


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.replace(" ", "-"))
def test_simulator_unbroken_stays_green_under_the_same_plans(way: Way) -> None:
    assert Campaign(way.plan).first_failure(range(3)) is None


@pytest.mark.parametrize("way", WAYS[:REPLAYED], ids=lambda way: way.name.replace(" ", "-"))
def test_failing_trace_is_replayed_by_its_seed(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    way.apply(monkeypatch)
    failed = Campaign(way.plan).first_failure(range(SEEDS_MAX))
    assert failed is not None
    again = simulate_plan(way.plan(failed.seed))
    assert again.trace == failed.trace
    assert again.faults == failed.faults

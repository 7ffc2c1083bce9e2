"""Signals to server and clients under load: nothing is lost, doubled or reordered."""

from pathlib import Path

import pytest

from tests.fault.results import budget_s, new_seed, progress, record
from tests.fault.torture import Size, Torture

KILLS_MIN = 30
CROWD = Size(
    devices=60,
    devices_per_process=10,
    groups=3,
    direct_pause_s=0.5,
    group_pause_s=15,
    calm_s=1.0,
    stop_s=3.0,
)
"""The long run."""
CROWD_BUDGET_S = 120
"""Below it there is no time for a crowd to come together."""


@pytest.mark.fault(share=4)
@pytest.mark.wire
@pytest.mark.slow
def test_signals_to_server_and_clients_lose_double_and_reorder_nothing(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    budget = budget_s()
    seed = new_seed()
    crowd = budget > CROWD_BUDGET_S
    torture = Torture(tmp_path, CROWD if crowd else Size(), seed)
    try:
        torture.prepare()
        torture.run(1 if crowd else KILLS_MIN, budget * 0.8, progress)
        verdict = torture.settle(max(90, budget * 0.2))
    finally:
        torture.close()
    told = f"{torture.rounds} rounds, {dict(torture.signals)}, {verdict}"
    exercised = verdict.accepted > 100 and verdict.duplicates > 0 and verdict.settled
    if not (verdict.holds and exercised):
        pytest.fail(f"seed {seed}: {told}\n{torture.client_logs()[-2000:]}", pytrace=False)
    record(
        "P2, P3, P11",
        "kill -9, SIGSTOP and SIGTERM of server and clients over TLS",
        torture.signals["SIGKILL"],
        faults=torture.signals.total(),
        accepted=verdict.accepted,
        raw_duplicates=verdict.duplicates,
        seeds=[seed],
    )
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    reporter.write_line(f" {told}")

"""Each scenario, small and short, against the real server: it runs, and nothing is lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.engine import build
from bench.load import main
from bench.town import Town, group_accounts, places

pytestmark = [pytest.mark.slow, pytest.mark.wire]

SHORT = ["--seconds", "0.4", "--warm-s", "0.1", "--pairs", "2", "--quiet", "--json"]
OPENSSL = build().openssl


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run a scenario that must pass; return its row."""
    assert main([*SHORT, *arguments]) == 0, capsys.readouterr().err
    row: dict[str, Any] = json.loads(capsys.readouterr().out)
    return row


def test_pairs_run_has_figures_of_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    row = run(capsys, "--scenario", "pairs", "--repeat", "2")
    assert row["runs"] == 2
    assert row["msgs_per_s"] > 0
    assert row["server_cpu_us_per_msg"] > 0
    assert row["server_rss_kb"] > 1000
    assert row["conversations"] == row["stored_entries"] == 0
    assert row["spread"]["msgs_per_s"][0] <= row["msgs_per_s"]


@pytest.mark.skipif(not OPENSSL, reason="the generator is built without OpenSSL")
def test_pairs_run_over_tls(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--scenario", "pairs", "--tls")["tls"] == "1.3"


def test_pairs_run_without_openssl(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WXSERVE_BENCH_OPENSSL", "0")
    assert run(capsys, "--scenario", "pairs")["msgs_per_s"] > 0


def test_pairs_run_on_a_prefilled_store(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bench.prefill.CACHE", tmp_path)
    row = run(capsys, "--scenario", "pairs", "--conversations", "1000", "--active", "20")
    assert row["active"] == 20
    assert row["conversations"] >= 1000
    assert row["stored_entries"] > row["conversations"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["fanout", "--members", "5"], "server_cpu_us_per_delivery"),
        (["offline", "--messages", "200"], "drain_per_s"),
        (["idle", "--devices", "20"], "logins_per_s"),
        (["idle", "--devices", "20", "--since", "zero"], "logins_per_s"),
        (["rate", "--shares", "25,50"], "half_p99_ms"),
        (["soak", "--rate", "200"], "samples"),
        (["mixed", "--devices", "20", "--rate", "200"], "reconnects_per_s"),
        (["storm", "--devices", "20", "--rate", "200"], "back_s"),
    ],
)
def test_scenario_runs_and_finds_its_figure(
    capsys: pytest.CaptureFixture[str], arguments: list[str], field: str
) -> None:
    row = run(capsys, "--scenario", *arguments)
    assert row["failed"] == []
    assert row[field] is not None


def test_town_gives_everybody_about_as_many_conversations() -> None:
    town = Town(accounts=400, conversations=4000, shared=20, large=(100,), memberships=50)
    counts = [0] * town.accounts
    for place in places(town):
        for member in place.members:
            counts[member] += 1
    ordinary = counts[2 * town.shared_pairs :]
    assert min(ordinary) >= 45
    assert max(ordinary) <= 60


def test_town_has_as_many_conversations_as_it_says() -> None:
    town = Town(accounts=400, conversations=4000, shared=20, large=(100,))
    everything = list(places(town))
    assert len(everything) == town.conversations + 3 * town.accounts
    assert len({place.id for place in everything}) == len(everything)
    assert len(set(group_accounts(town, 7))) == town.group_members

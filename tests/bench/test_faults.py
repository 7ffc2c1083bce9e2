"""A run against a server that breaks one promise fails, and says which."""

import json
from typing import Any

import pytest

from bench.load import FAILED, main
from tests.bench.conftest import StartFake

pytestmark = [pytest.mark.slow, pytest.mark.wire]

RUN = ["--pairs", "4", "--window", "4", "--seconds", "0.3", "--warm-s", "0", "--quiet"]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main([*RUN, *arguments])
    row: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, row


def test_run_against_a_faithful_server_passes(
    fake_server: StartFake, capsys: pytest.CaptureFixture[str]
) -> None:
    code, row = run(fake_server("none"), capsys)
    assert (code, row["failed"]) == (0, [])
    assert row["msgs_per_s"] > 0
    assert row["late"] == 0


@pytest.mark.parametrize(
    ("fault", "counter"),
    [
        ("lose", "lost"),
        ("lose", "holes"),
        ("no-answer", "lost"),
        ("double", "duplicated"),
        ("reorder", "reordered"),
        ("corrupt", "corrupted"),
        ("hang-up", "disconnects"),
    ],
)
def test_run_against_a_faulty_server_fails(
    fake_server: StartFake, capsys: pytest.CaptureFixture[str], fault: str, counter: str
) -> None:
    code, row = run([*fake_server(fault), "--settle-ms", "500"], capsys)
    assert code == FAILED
    assert counter in row["failed"]
    assert row[counter] > 0


def test_run_against_a_slow_server_counts_late_messages(
    fake_server: StartFake, capsys: pytest.CaptureFixture[str]
) -> None:
    code, row = run([*fake_server("late"), "--late-ms", "100", "--seconds", "0.8"], capsys)
    assert code == 0
    assert row["late"] > 0
    assert row["p50_ms"] > 100


def test_burst_is_counted_to_the_message(
    fake_server: StartFake, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*fake_server("none"), "--scenario", "fanout", "--members", "3"]
    _, row = run(arguments, capsys)
    assert row["failed"] == []
    assert row["deliveries_per_s"] == pytest.approx(2 * row["msgs_per_s"], rel=0.2)


def test_row_has_the_fields_that_others_read(
    fake_server: StartFake, capsys: pytest.CaptureFixture[str]
) -> None:
    _, row = run(fake_server("none"), capsys)
    assert {
        "msgs_per_s", "server_cpu_us_per_msg", "p50_ms", "p99_ms", "lost", "duplicated",
        "reordered", "generator_busy", "durability", "tls", "server_rss_kb", "conversations",
        "stored_entries",
    } <= row.keys()  # fmt: skip
    assert row["durability"].startswith("unknown")

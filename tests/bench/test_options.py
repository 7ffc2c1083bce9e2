"""What the command line refuses, and how several runs become one row."""

import pytest

from bench.options import Options, complaint, parse
from bench.rows import marks, median_row


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "127.0.0.1:1"],
        ["--body-bytes", "15"],
        ["--active", "100"],
        ["--pairs", "0"],
        ["--members", "1"],
        ["--seconds", "0"],
        ["--scenario", "dance"],
        ["--target", "127.0.0.1:1", "--invites", "x", "--conversations", "10"],
        ["--target", "127.0.0.1:1", "--invites", "x", "--syncs"],
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2


def test_options_default_to_pairs_of_fifty() -> None:
    assert parse([]) == Options()
    assert complaint(Options()) == ""


def row(**fields: object) -> dict[str, object]:
    """Return a row of a good run."""
    nothing = dict.fromkeys(
        ("lost", "duplicated", "reordered", "holes", "corrupted", "disconnects", "late"), 0
    )
    return {"scenario": "pairs", **nothing, "failed": [], **fields}


def test_median_row_takes_the_middle_of_each_field() -> None:
    rows = [row(msgs_per_s=float(n), p99_ms=30 - n) for n in (10, 30, 20)]
    found = median_row(rows)
    assert (found["msgs_per_s"], found["p99_ms"]) == (20, 10)
    assert found["spread"]["msgs_per_s"] == [10, 30]
    assert found["runs"] == 3


def test_median_row_keeps_every_fault() -> None:
    rows = [row(msgs_per_s=1.0), row(msgs_per_s=2.0, lost=3, failed=["lost"]), row(msgs_per_s=3.0)]
    found = median_row(rows)
    assert (found["lost"], found["failed"]) == (3, ["lost"])


def test_median_row_of_runs_with_a_saturated_generator_is_marked() -> None:
    found = median_row([row(generator_saturated=False), row(generator_saturated=True)])
    assert "generator" in marks(found)


@pytest.mark.parametrize(
    ("fields", "mark"),
    [
        ({"failed": ["lost"]}, "FAILED: lost"),
        ({"generator_saturated": True}, "generator > 80 %"),
        ({"others_share": 0.2}, "processor shared"),
        ({"late": 3}, "3 late"),
        ({}, ""),
    ],
)
def test_marks_say_what_is_wrong_with_a_row(fields: dict[str, object], mark: str) -> None:
    assert marks(row(**fields)) == mark

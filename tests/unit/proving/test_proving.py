"""How a budget is shared, how results are kept, and what the tables make of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fault.results import record
from tools.generators.reliability import bound, tables
from tools.proving.budget import Proof, clock, ordered, seconds, share_of
from tools.proving.record import code, keep, read, skip_reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90s", 90), ("40m", 2400), ("1.5h", 5400), ("0", 0)],
)
def test_seconds_of_a_time_are_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "40d", "-1s", "inf", "nan"])
def test_seconds_of_no_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        seconds(text)


def test_share_of_a_proof_grows_by_what_the_earlier_ones_left() -> None:
    waiting = [Proof("a", 1), Proof("b", 2), Proof("c", 1)]
    assert share_of(100, waiting) == 25
    assert share_of(99, waiting[1:]) == 66
    assert share_of(-5, waiting[2:]) == 0
    assert share_of(100, [Proof("d", 0)]) == 0


def test_proofs_that_need_no_share_come_first() -> None:
    proofs = [Proof("a", 1), Proof("b", 0), Proof("c", 2), Proof("d", 0)]
    assert [proof.name for proof in ordered(proofs)] == ["b", "d", "a", "c"]


def test_clock_shows_minutes_and_seconds() -> None:
    assert [clock(0), clock(61.9), clock(3600)] == ["0:00", "1:01", "60:00"]


def test_result_of_a_proof_is_one_line_and_without_a_file_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WXSERVE_PROVE_RESULTS", raising=False)
    record("P1", "told nobody", 1)
    monkeypatch.setenv("WXSERVE_PROVE_RESULTS", str(tmp_path / "results"))
    record("P2", "killed", 30, faults=40, accepted=7, seeds=list(range(100)))
    (line,) = (tmp_path / "results").read_text().splitlines()
    found = json.loads(line)
    assert found["seeds"] == list(range(20))
    del found["seeds"]
    assert found == {
        "promise": "P2", "what": "killed", "rounds": 30, "faults": 40, "accepted": 7, "lost": 0,
        "doubled": 0, "reordered": 0,
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_record_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    assert read(path) == []
    keep([{"what": "a"}, {"what": "b"}], {"code": "1", "commit": "c"}, path)
    keep([{"what": "c"}], {"code": "2", "commit": "d"}, path)
    assert [(line["what"], line["code"]) for line in read(path)] == [
        ("a", "1"), ("b", "1"), ("c", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("s [100%]\nSKIPPED [1] tests/fault/a.py:61: NOT PROVED HERE: no nft\n1 skipped in 1s\n",
         "NOT PROVED HERE: no nft"),
        ("SKIPPED [2] tests/a.py:6: no library\n1 passed, 2 skipped in 1s\n", ""),
        (". [100%]\n1 passed in 0.1s\n", ""),
        ("1 skipped in 0.1s\n", "skipped"),
        ("F\n1 failed, 1 skipped in 1s\n", ""),
    ],
)  # fmt: skip
def test_reason_of_a_proof_that_was_skipped_is_found(output: str, expected: str) -> None:
    assert skip_reason(output) == expected


def test_code_is_another_when_a_file_of_the_product_is(tmp_path: Path) -> None:
    for folder in ("src", "clients/python/src"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/a.py").write_text("a")
    before = code(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/a.py").write_text("a")
    assert code(tmp_path) == before
    (tmp_path / "src/a.py").write_text("b")
    assert code(tmp_path) != before


def line(what: str, rounds: int, version: str, **more: Any) -> dict[str, Any]:
    return {"promise": "P2", "what": what, "rounds": rounds, "code": version, "commit": "c", **more}


def test_result_of_some_folders_is_kept_with_the_code_of_these(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    folders = ["src/wxserve/protocol", "src/wxserve/store"]
    keep([{"what": "a", "folders": folders}], {"code": "1", "commit": "c"}, path)
    (line,) = read(path)
    assert line["code"] == code(folders=folders) != code()


def test_result_of_some_folders_stays_when_the_code_around_it_changes() -> None:
    text = tables([
        line("fuzzed", 4, "f1", folders=["a", "b"]),
        line("fuzzed", 5, "f2", folders=["a", "b"]),
        line("killed", 10, "1"),
        line("killed", 20, "2"),
    ])  # fmt: skip
    now, before = text.split("Earlier code")
    assert "Code `2`, `f2` (`a`, `b` alone)" in now
    assert "| fuzzed | 5 |" in now
    assert "| killed | 20 |" in now
    assert "| fuzzed | 4 |" in before


def test_tables_add_up_results_of_the_same_code_and_keep_other_code_apart() -> None:
    text = tables([
        line("kill", 1000, "old", accepted=5, lost=1),
        line("kill", 10, "new", accepted=5, seeds=[1]),
        line("kill", 20, "new", accepted=6, seeds=[2]),
        line("test_x", 0, "new", promise="", failed=1),
        line("test_y: no nft", 0, "new", promise="", skipped=1),
    ])
    now, before = text.split("Earlier code")
    assert "Code `new`" in now
    assert "| P2 | kill | 30 | 0 | 11 | 0 | 0 | 0 | 0 | 0 | < 0.1 | 1, 2 |" in now
    assert "| – | test_x | 0 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | – | – |" in now
    assert "| – | test_y: no nft | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 | – | – |" in now
    assert "| P2 | kill | 1,000 | 0 | 5 | 1 | 0 | 0 | 0 | 0 | – | – |" in before


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"rounds": 300}, "< 0.01"),
        ({"rounds": 0}, "–"),
        ({"rounds": 3}, "–"),
        ({"rounds": 300, "doubled": 1}, "–"),
        ({"rounds": 300, "failed": 1}, "–"),
    ],
)
def test_bound_is_told_after_good_rounds_only(row: dict[str, int], expected: str) -> None:
    counts = dict.fromkeys(("rounds", "lost", "doubled", "reordered", "failed"), 0)
    assert bound({**counts, **row}) == expected

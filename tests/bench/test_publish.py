"""docs/benchmarks.md says what its rows say."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.pictures import draw
from bench.publish import main, parts, renewed

PEER_ROW = {
    "server": "wxserve", "work": "pairs 1×1", "version": "1", "harness": "abc", "window_s": 10.0,
    "repetition": 0, "machine_ms": 5.0, "durability": "synced", "msgs_per_s": 1.0,
    "server_cpu_us_per_msg": 2.0, "failed": [], "scenario": "pairs",
}  # fmt: skip


def test_document_is_in_step_with_its_rows() -> None:
    assert main(["--check"]) == 0


def test_parts_are_written_between_their_marks() -> None:
    text = "a\n<!-- begin one -->\nold\n<!-- end one -->\nb\n"
    fresh = renewed(text, {"one": ["new", ""]})
    assert fresh == "a\n<!-- begin one -->\nnew\n<!-- end one -->\nb\n"
    assert renewed(fresh, {"one": ["new", ""]}) == fresh


def test_part_that_nobody_writes_is_an_error() -> None:
    with pytest.raises(ValueError, match="two"):
        renewed("<!-- begin two -->\n<!-- end two -->", {"one": []})


def test_rows_of_an_older_harness_are_left_out(tmp_path: Path) -> None:
    rows = [{**PEER_ROW, "harness": "old", "server": "b"}, PEER_ROW]
    (tmp_path / "peers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = parts(tmp_path)
    assert "`abc`" in found["circumstances"][0]
    assert not any("| b" in line for line in found["works"])


def test_parts_without_rows_say_so(tmp_path: Path) -> None:
    found = parts(tmp_path)
    assert found["ahead"] == found["works"] == found["growth"] == ["Nothing is measured yet."]


class FakePlots(ModuleType):
    """Draws nothing; every call but those below is taken and forgotten."""

    def __init__(self) -> None:
        super().__init__("plots")
        self.saved: list[str] = []
        self.bars: list[dict[str, float]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: None

    def subplots(
        self, rows: int = 1, columns: int = 1, **options: object
    ) -> tuple["FakePlots", Any]:
        return self, self if rows == columns == 1 else [self] * columns

    def barh(self, names: list[str], values: list[float], color: list[str]) -> None:
        self.bars.append(dict(zip(names, values, strict=True)))

    def savefig(self, path: Path, **options: object) -> None:
        self.saved.append(path.name)


def test_pictures_are_drawn_of_what_there_are_rows_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plots = FakePlots()
    monkeypatch.setattr("importlib.import_module", lambda name: plots)
    points = [{"wanted_per_s": 10.0, "p99_ms": 1.0}]
    peers = [PEER_ROW, {**PEER_ROW, "server": "b", "points": points, "server_cpu_us_per_msg": 3.0}]
    grown = [{"kind": "log", "size": size, "server_cpu_us_per_msg": 1.0} for size in (0, 10)]
    names = ["pairs-1x1.png", "growth-log.png", "latency.png"]
    assert draw(tmp_path, peers, grown) == plots.saved == names
    assert plots.bars[0] == {"wxserve": 2.0, "b": 3.0}
    assert plots.bars[1]["wxserve"] == 1.0
    assert math.isnan(plots.bars[2]["b"])  # a figure that it does not have
    assert draw(tmp_path, peers[:1], grown[:1]) == []

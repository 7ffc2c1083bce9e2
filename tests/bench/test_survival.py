"""What is told of a server that is killed, or of a slow reader: the relay keeps nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.peers import survival
from bench.peers.archives import in_files
from bench.peers.launching import Place
from bench.peers.survival import AWAY_EACH, PAIRS, hurt_once, survival_tables

pytestmark = [pytest.mark.slow, pytest.mark.wire]


@pytest.fixture(autouse=True)
def soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for what is lost."""
    monkeypatch.setattr(survival, "OPTIONS", replace(survival.OPTIONS, settle_ms=300))


def test_relay_that_is_killed_has_lost_what_readers_missed() -> None:
    row = hurt_once("relay", "kill -9 with readers away", 0.1)
    assert row["accepted"] == row["accepted_and_lost"] == PAIRS * AWAY_EACH
    assert row["in_archive"] is None


def test_our_server_that_is_killed_has_lost_nothing() -> None:
    row = hurt_once("wxserve", "kill -9 with readers away", 0.1)
    assert row["accepted"] == PAIRS * AWAY_EACH
    assert row["accepted_and_lost"] == row["unanswered"] == 0


def test_our_server_that_is_killed_under_load_goes_on() -> None:
    row = hurt_once("wxserve", "kill -9 under load", 0.3)
    assert row["accepted_and_lost"] == row["duplicated"] == row["reordered"] == 0
    assert row["disconnects"] == 2 * PAIRS


def test_slow_reader_of_the_relay_is_kept_in_its_memory() -> None:
    row = hurt_once("relay", "slow reader", 0.5)
    assert row["accepted_while_slow"] > 0
    assert row["accepted_and_lost"] == 0
    assert row["rss_grown_kb"] > 0


def test_table_says_what_is_missing_in_an_archive_too() -> None:
    row = {
        "server": "x", "case": "kill -9 under load", "receipt": "kept", "accepted": 10,
        "accepted_and_lost": 4, "in_archive": 9, "duplicated": 0, "reordered": 0,
    }  # fmt: skip
    (line,) = (line for line in survival_tables([row]) if line.startswith("| x"))
    assert [cell.strip() for cell in line.split("|")][3:6] == ["10", "4", "1"]


def test_archive_of_files_is_counted_by_messages(tmp_path: Path) -> None:
    folder = tmp_path / "data/localhost/archive"
    folder.mkdir(parents=True)
    bodies = [f"{number:048x}filler" for number in (1, 2, 2)]
    (folder / "u1.list").write_text("\n".join(f'item({{ "{body}" }});' for body in bodies))
    assert in_files(Place(tmp_path, 1, None, 2), [0, 1]) == 2

"""The comparison: who is measured when, what is kept, what is told. Without any peer."""

import json
from pathlib import Path

import pytest

from bench.journal import Journal
from bench.peers.compare import arguments, key, servers, turns
from bench.peers.registry import EXTRAS, PEERS
from bench.peers.tables import ahead, comparison, of_work, shown, times, work_tables
from bench.peers.works import SYNCS, WORKS, measured


def row(server: str, work: str = "pairs 50×16", **fields: object) -> dict[str, object]:
    """Return a row of a good run."""
    return {
        "server": server, "work": work, "version": "1", "durability": "synced; really",
        "scenario": "pairs",
        "msgs_per_s": 1000.0, "server_cpu_us_per_msg": 10.0, "p50_ms": 1.0, "p99_ms": 2.0,
        "failed": [], **fields,
    }  # fmt: skip


def test_servers_take_turns_within_a_work() -> None:
    works = measured(quick=True)[:2]
    order = [(turn.work.name, turn.server) for turn in turns(["a", "b"], works, 1)]
    first, second = (work.name for work in works)
    assert order == [(first, "a"), (first, "b"), (second, "a"), (second, "b")]


def test_each_repetition_begins_with_another_server() -> None:
    works = measured(quick=True)[:1]
    assert [turn.server for turn in turns(["a", "b", "c"], works, 3)] == [*"abc", *"bca", *"cab"]


def test_syncs_are_counted_once() -> None:
    found = [turn.repetition for turn in turns(["a"], [SYNCS], 3)]
    assert found == [0]


def test_quick_run_is_a_part_of_the_whole() -> None:
    assert {work.name for work in measured(quick=True)} < {
        work.name for work in measured(quick=False)
    }
    assert "offline drain" not in {work.name for work in measured(quick=False)}


def test_extras_are_measured_when_asked_for() -> None:
    usual, every = servers("", extras=False), servers("", extras=True)
    assert usual[0] == "wxserve"
    assert set(every) - set(usual) == set(EXTRAS)
    assert servers("nats,wxserve", extras=False) == ["nats", "wxserve"]


def test_unknown_server_is_refused() -> None:
    with pytest.raises(SystemExit):
        arguments(["--servers", "wxserve,telegraph"])


def test_every_peer_says_what_its_receipt_means() -> None:
    assert all(len(peer.receipt) > 10 for peer in PEERS)
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_journal_finds_what_was_kept_and_nothing_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep" / "rows.jsonl")
    turn, other = list(turns(["wxserve"], measured(quick=True)[:2], 1))
    journal.add({**key(turn, 2.0), "msgs_per_s": 1.0})
    again = Journal(journal.path)
    assert again.find(**key(turn, 2.0)) == journal.rows
    assert again.find(**key(turn, 10.0)) == again.find(**key(other, 2.0)) == []


def test_journal_with_a_line_cut_off_goes_on_after_the_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2')
    journal = Journal(path)
    journal.add({"a": 3})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"a": 1}, {"a": 3}]


def test_peer_ahead_is_told_with_both_figures() -> None:
    rows = [row("wxserve"), row("b", server_cpu_us_per_msg=5.0), row("c", p99_ms=1.99)]
    _, _, line = ahead(rows)
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "pairs 50×16", "CPU µs each", "10", "b 5", "–",
    ]  # fmt: skip


def test_row_in_which_nothing_completed_is_marked_and_never_ahead() -> None:
    rows = [
        row("wxserve"),
        row("b", msgs_per_s=0.0, p50_ms=0.0, p99_ms=0.0, server_cpu_us_per_msg=None),
    ]
    assert ahead(rows) == ["Nowhere."]
    (line,) = (line for line in work_tables(rows) if line.startswith("| b"))
    assert "nothing completed" in line


def test_table_has_ratios_to_ours_and_the_median() -> None:
    rows = [row("wxserve"), *(row("b", server_cpu_us_per_msg=cost) for cost in (20.0, 90.0, 30.0))]
    (line,) = (line for line in work_tables(rows) if line.startswith("| b"))
    cells = [cell.strip() for cell in line.split("|")][1:-1]
    assert cells[3:6] == ["30", "20–90", "3.00"]


def test_table_shows_the_counted_syncs_beside_the_receipt() -> None:
    rows = [row("b"), row("b", SYNCS.name, syncs_per_s=500.0)]
    (line,) = (line for line in work_tables(rows) if line.startswith("| b"))
    assert "synced; 0.50 syncs/message" in line


def test_figure_of_a_shared_run_is_taken_from_it() -> None:
    drain = next(work for work in WORKS if work.name == "offline drain")
    assert list(of_work([row("a", "offline store")], drain)) == ["a"]


def test_nothing_measured_is_said() -> None:
    assert comparison([]) == ["Nothing is measured yet."]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.123456, "0.123"), (12.34, "12.3"), (12345.6, "12,346")]
)
def test_figure_is_shown_with_three_digits(value: float | None, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("theirs", "ours", "text"), [(None, 1, "–"), (3, 2, "1.50"), (200, 2, "100"), (1, 0, "–")]
)
def test_ratio_is_theirs_to_ours(theirs: float | None, ours: float, text: str) -> None:
    assert times(theirs, ours) == text

"""The oracle of the torture goes red for every kind of fault, and for nothing else."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

CHECKER = Path(__file__).with_name("checker.py")
GOOD = {
    "j0": [
        "L", "I j0.1 aa", "A j0.1 aa 3", "I j0.2 aa", "E 1 aa 1 -", "E 2 aa 2 -", "E 3 aa 3 j0.1",
        "D 2 1", "L", "E 4 aa 4 j1.1", "E 5 aa 5 j0.2", "E 6 99 1 -", "D 0 1", "Z",
    ],
    "j1": [
        "L", "I j1.1 aa", "A j1.1 aa 4", "A j1.1 aa 4", "E 1 aa 2 -", "E 2 aa 3 j0.1",
        "E 3 aa 4 j1.1", "E 4 aa 5 j0.2", "Z",
    ],
    "j2": ["L", "E 1 bb 1 -", "I j2.1 bb", "Z"],
}  # fmt: skip
"""j0 and j1 talk in aa. j0 was killed before it heard of its second message; j2 before it sent."""
PLACES = {"j0": ["aa"], "j1": ["aa"], "j2": ["bb"]}


def verdict(directory: Path, journals: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Run the checker as the torture does."""
    plan = []
    for name, lines in journals.items():
        path = directory / name
        path.write_text("".join(line + "\n" for line in lines))
        plan.append({"journal": str(path), "conversations": PLACES[name]})
    (directory / "plan.json").write_text(json.dumps(plan))
    output = subprocess.run(
        [sys.executable, "-I", "-S", str(CHECKER), str(directory)], check=True, capture_output=True
    ).stdout
    found: dict[str, Any] = json.loads(output)
    return found


def faults(found: dict[str, Any]) -> dict[str, int]:
    """Return the kinds of fault that were found."""
    kinds = ("lost", "doubled", "reordered", "invented", "holes")
    return {kind: found[kind] for kind in kinds if found[kind]}


def test_checker_on_a_good_history_finds_nothing(tmp_path: Path) -> None:
    found = verdict(tmp_path, GOOD)
    assert faults(found) == {}
    assert found["examples"] == {}
    told = {name: found[name] for name in ("accepted", "duplicates", "lives", "settled")}
    assert told == {"accepted": 2, "duplicates": 4, "lives": 4, "settled": True}


CHANGES = {
    "accepted, and the receiver has it not": ("j1", "E 2 aa 3 j0.1", [], {"lost", "holes"}),
    "told nobody, one device has it": ("j1", "E 4 aa 5 j0.2", [], {"lost", "holes"}),
    "the sender itself has it not": ("j0", "E 3 aa 3 j0.1", [], {"lost", "holes"}),
    "something else stands at its place": (
        "j1", "E 2 aa 3 j0.1", ["E 2 aa 3 -"], {"lost", "reordered"},
    ),
    "the last one is lost on all devices": (
        "j1", "A j1.1 aa 4", ["A j1.1 aa 6"], {"doubled", "lost", "holes"},
    ),
    "handed over twice": ("j1", "E 2 aa 3 j0.1", ["E 2 aa 3 j0.1", "E 9 aa 3 j0.1"], {"doubled"}),
    "two entries of one message": (
        "j1", "E 4 aa 5 j0.2", ["E 4 aa 5 j0.2", "E 5 aa 6 j0.2"],
        {"doubled", "lost", "holes"},
    ),
    "accepted at two places": (
        "j1", "A j1.1 aa 4", ["A j1.1 aa 4", "A j1.1 aa 5"],
        {"doubled", "lost", "reordered"},
    ),
    "handed over in another order": (
        "j1", "E 2 aa 3 j0.1", ["E 5 aa 3 j0.1"], {"reordered"},
    ),
    "a sender's own order is broken": (
        "j0", "I j0.1 aa", ["I j0.2 aa", "I j0.1 aa"], {"reordered"},
    ),
    "a message that nobody sent": ("j1", "E 4 aa 5 j0.2", ["E 4 aa 5 j7.7"], {"invented", "lost", "reordered"}),
    "a message of another conversation": ("j2", "E 1 bb 1 -", ["E 1 bb 1 j0.1"], {"invented", "doubled"}),
    "a message to a stranger": ("j2", "Z", ["E 2 aa 3 j0.1", "Z"], {"invented"}),
    "a number that nobody has an entry for": ("j1", "E 1 aa 2 -", ["E 1 aa 1 -"], {"holes"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_checker_on_a_broken_history_names_the_fault(tmp_path: Path, name: str) -> None:
    journal, line, instead, kinds = CHANGES[name]
    at = GOOD[journal].index(line)
    broken = [*GOOD[journal][:at], *instead, *GOOD[journal][at + 1 :]]
    found = verdict(tmp_path, {**GOOD, journal: broken})
    assert set(faults(found)) == kinds, found


def test_checker_while_a_device_is_still_sending_is_not_settled(tmp_path: Path) -> None:
    assert not verdict(tmp_path, {**GOOD, "j2": ["L", "Z", "L"]})["settled"]


def test_checker_reads_past_a_line_that_was_cut(tmp_path: Path) -> None:
    verdict(tmp_path, GOOD)
    with (tmp_path / "j2").open("a") as journal:
        journal.write("E 2 bb")
    output = subprocess.run(
        [sys.executable, "-I", "-S", str(CHECKER), str(tmp_path)], check=True, capture_output=True
    ).stdout
    assert faults(json.loads(output)) == {}


def test_checker_on_a_line_that_is_no_fact_fails(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        verdict(tmp_path, {**GOOD, "j2": ["X"]})

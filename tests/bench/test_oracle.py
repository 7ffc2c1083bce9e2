"""The oracle of the generator, fed by hand: each counter against known input."""

import json
import subprocess
from typing import Any

import pytest

from bench.engine import build

NOTHING_WRONG = {
    "lost": 0, "duplicated": 0, "reordered": 0, "holes": 0, "corrupted": 0, "late": 0,
    "redelivered": 0,
}  # fmt: skip


def judge(devices: int, conversations: int, events: str) -> dict[str, Any]:
    """Feed events, separated by ``;``, and return the verdict."""
    lines = "\n".join([f"{devices} {conversations}", *events.split(";")])
    done = subprocess.run(
        [str(build().path), "--judge"], input=lines, capture_output=True, text=True, check=True
    )
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict


def wrong(verdict: dict[str, Any]) -> dict[str, int]:
    """Return the counters that are not zero."""
    return {name: verdict[name] for name in NOTHING_WRONG if verdict[name]}


# send D C; accept D C counter seq current; deliver D C seq origin counter; other D C seq
OVERTAKEN = "send 0 0; send 0 0; accept 0 0 2 1 1; accept 0 0 1 2 1"
WELL = "send 0 0; accept 0 0 1 1 1; deliver 1 0 1 0 1"


def test_message_accepted_and_delivered_is_complete() -> None:
    verdict = judge(2, 1, WELL)
    assert wrong(verdict) == {}
    assert verdict["sent"] == verdict["accepted"] == verdict["delivered"] == 1
    assert verdict["completed"] == 1


def test_own_entry_as_deliver_counts_as_well() -> None:
    assert (
        wrong(judge(2, 1, "send 0 0; accept 0 0 1 1 0; deliver 0 0 1 0 1; deliver 1 0 1 0 1")) == {}
    )


def test_delivery_before_acceptance_is_no_fault() -> None:
    assert wrong(judge(2, 1, "send 0 0; deliver 1 0 1 0 1; accept 0 0 1 1 1")) == {}


def test_refused_operation_is_not_lost() -> None:
    assert wrong(judge(2, 1, "send 0 0; refuse 0 1")) == {}


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ("send 0 0", {"lost": 1}),
        ("send 0 0; accept 0 0 1 1 1", {"lost": 1}),
        ("send 0 0; deliver 1 0 1 0 1", {"lost": 1}),
        (WELL + "; deliver 1 0 1 0 1", {"duplicated": 1}),
        (WELL + "; accept 0 0 1 1 1", {"duplicated": 1}),
        (WELL + "; deliver 1 0 2 0 1", {"duplicated": 1}),
        ("send 0 0; accept 0 0 1 1 1; deliver 1 0 2 0 1", {"lost": 1, "corrupted": 1}),
        (WELL + "; other 1 0 3", {"holes": 1}),
        (WELL + "; other 1 0 3; other 1 0 2", {"reordered": 1}),
        (WELL + "; other 1 0 100; other 1 0 70; other 1 0 70", {"holes": 97, "reordered": 1, "duplicated": 1}),
        (WELL + "; skip 1 0 2; other 1 0 3", {}),
        (WELL + "; skip 1 0 2; other 1 0 2", {"duplicated": 1}),
        (WELL + "; session 1; other 1 0 1; other 1 0 2", {"redelivered": 1}),
        (WELL + "; session 1; other 1 0 3", {"holes": 1}),
        (WELL + "; session 1; other 1 0 1; other 1 0 1", {"redelivered": 1, "duplicated": 1}),
        ("send 0 0; accept 0 0 1 1 0; deliver 1 0 1 0 1", {"holes": 1}),
        (OVERTAKEN + "; deliver 1 0 1 0 2; deliver 1 0 2 0 1", {"reordered": 1}),
        ("late 0; " + WELL, {"late": 2}),
    ],
)  # fmt: skip
def test_fault_is_counted_exactly(events: str, found: dict[str, int]) -> None:
    assert wrong(judge(2, 1, events)) == found


def test_message_to_three_readers_that_one_misses_is_lost_once() -> None:
    events = "send 0 0; accept 0 0 1 1 1; deliver 1 0 1 0 1; deliver 2 0 1 0 1"
    assert wrong(judge(4, 1, events)) == {"lost": 1}


def test_conversations_are_judged_apart() -> None:
    assert wrong(judge(2, 2, WELL + "; send 0 1; accept 0 1 2 1 1; deliver 1 1 1 0 2")) == {}


def test_thousands_of_open_operations_are_all_kept() -> None:
    sends = ";".join("send 0 0" for _ in range(3000))
    answers = ";".join(f"accept 0 0 {n} {n} 1; deliver 1 0 {n} 0 {n}" for n in range(1, 3001))
    verdict = judge(2, 1, f"{sends};{answers}")
    assert wrong(verdict) == {}
    assert verdict["completed"] == 3000

"""Malformed input is refused and nothing else: replayed, mutated here, guided in the long size."""

import random
import re
import subprocess
import sys
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from tests.fault.results import budget_s, new_seed, progress, record
from tests.fuzz.campaign import GUIDED
from tests.fuzz.corpus import CRASHES, crashes, seeds
from tests.fuzz.mutation import inputs
from tests.fuzz.targets import TARGETS

MUTATED = 500
MEMORY_BASE = 8 << 20
MEMORY_TIMES = 100
"""What one input may cost: what packing.py says of a body, and what a connection keeps beside it."""
every_target = pytest.mark.parametrize("name", TARGETS)


@every_target
def test_target_on_old_crashes_and_mutated_vectors_holds(name: str) -> None:
    seed = new_seed()
    target, start = TARGETS[name], seeds(name)
    for data in (*start, *islice(inputs(random.Random(seed), start), MUTATED)):
        try:
            target(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, the input must be told
            pytest.fail(f"seed {seed}: {error!r}\n{data.hex()}", pytrace=True)


@pytest.mark.parametrize("name", ["connection", "msgpack", "envelope", "bodies"])
def test_memory_of_one_input_is_bounded(name: str) -> None:
    target = TARGETS[name]
    hostile = [b"\0" + bytes([byte]) * 60_000 for byte in (0x80, 0x90, 0x91, 0xC0, 0xDC, 0x9F)]
    hostile += [b"\0\0" + data for data in hostile]
    target(hostile[0])
    for data in (*crashes(name), *hostile):
        tracemalloc.start()
        target(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= MEMORY_BASE + MEMORY_TIMES * len(data), (data[:4].hex(), peak)


def test_every_folder_of_crashes_belongs_to_a_target() -> None:
    assert {path.name for path in CRASHES.iterdir() if path.is_dir()} <= set(TARGETS)


@every_target
def test_target_has_seeds(name: str) -> None:
    assert len(seeds(name)) >= 2


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS if budget_s() else ["connection"])
def test_campaign_finds_no_crash(name: str, tmp_path: Path) -> None:
    seed = new_seed()
    progress(f"{name}, seed {seed}")
    seconds = budget_s() or 1
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.campaign", name, str(seconds), str(seed), str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )
    told = ended.stdout + ended.stderr
    found = [path.read_bytes().hex() for path in tmp_path.iterdir()]
    assert ended.returncode == 0, f"seed {seed}: {found}\n{told[-3000:]}"
    (runs,) = map(int, re.findall(r"number_of_executed_units:\s*(\d+)", told))
    record(
        "P23",
        f"fuzzing: {name}, " + ("guided by coverage" if GUIDED else "plain mutation"),
        runs,
        seeds=[seed],
        folders=["src/wxserve/protocol"],
    )

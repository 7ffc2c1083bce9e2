"""The official test vectors of the first cipher suite, a small set of our own, and the runner."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wxclient.mls.vectors.__main__ import main
from wxclient.mls.vectors.running import run

ROOT = Path(__file__).resolve().parents[4]
OFFICIAL = Path(os.environ.get("WXSERVE_MLS_VECTORS", ROOT.parent / "shared/vectors/mls"))
"""Where somebody put the official vectors: other people's files, not copied into this project."""
OWN = Path(__file__).parent / "vectors"

# How many cases of the first cipher suite each official file has: a file that shrank is noticed.
OFFICIAL_CASES = {
    "passive/application.json": 6,
    "passive/branch.json": 32,
    "passive/external_join.json": 6,
    "passive/external_proposals.json": 28,
    "passive/welcome_join.json": 8,
    "test-vectors/crypto-basics.json": 1,
    "test-vectors/deserialization.json": 14,
    "test-vectors/key-schedule.json": 1,
    "test-vectors/message-protection.json": 1,
    "test-vectors/messages.json": 300,
    "test-vectors/passive-client-handling-commit.json": 13,
    "test-vectors/passive-client-welcome.json": 8,
    "test-vectors/psk_secret.json": 11,
    "test-vectors/secret-tree.json": 3,
    "test-vectors/transcript-hashes.json": 1,
    "test-vectors/tree-math.json": 10,
    "test-vectors/tree-operations.json": 5,
    "test-vectors/tree-validation.json": 14,
    "test-vectors/treekem.json": 11,
    "test-vectors/welcome.json": 1,
}
OWN_CASES = {"key-schedule": 2, "passive-client": 4, "psk_secret": 6, "secret-tree": 2}

# Values that no result depends on: the runner cannot notice that they changed.
WITHOUT_EFFECT = {
    "secret-tree.json": {"ciphertext"},  # only its first bytes, the sample, matter
    "tree-operations.json": {"proposal_sender"},  # of an update alone
}


def official(name: str) -> bytes:
    """Return an official file, or skip the test where there is none."""
    path = OFFICIAL / name
    if not path.exists():
        pytest.skip("OFFICIAL VECTORS LEFT OUT: name their folder in WXSERVE_MLS_VECTORS")
    return path.read_bytes()


@pytest.mark.parametrize("name", OFFICIAL_CASES)
def test_official_file_passes_with_all_its_cases(name: str) -> None:
    report = run(name, official(name))
    assert report.failures == []
    assert (report.passed, sum(report.left_out.values())) == (OFFICIAL_CASES[name], 0)


@pytest.mark.parametrize("name", OWN_CASES)
def test_own_file_passes_with_all_its_cases(name: str) -> None:
    report = run(name, (OWN / f"{name}.json").read_bytes())
    assert report.failures == []
    assert (report.kind, report.passed) == (name, OWN_CASES[name])


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to each text and number of a case."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*path, key))
    elif isinstance(value, int) or (isinstance(value, str) and value):
        yield path


def changed(case: Any, path: tuple[str | int, ...], part: float = 1.0) -> Any:
    """Return a case with one value changed: one bit so far into it, or the next number."""
    copied = copy.deepcopy(case)
    holder = copied
    for key in path[:-1]:
        holder = holder[key]
    value = holder[path[-1]]
    if isinstance(value, int):
        holder[path[-1]] = value + 1
    elif path[-1] == "label":
        holder[path[-1]] = value + "?"
    else:
        data = bytearray.fromhex(value)
        data[int(part * (len(data) - 1))] ^= 1
        holder[path[-1]] = data.hex()
    return copied


def undetected(name: str, case: Any) -> set[str]:
    """Return the fields of a case whose change the runner does not notice."""
    found = set()
    for path in places(case):
        copies = [json.dumps([changed(case, path, part)]) for part in (0.5, 1.0)]
        if all(run(name, text).is_success for text in copies):
            found.add(str([key for key in path if isinstance(key, str)][-1]))
    return found


@pytest.mark.parametrize("name", OWN_CASES)
def test_changed_value_of_own_vectors_fails(name: str) -> None:
    case = json.loads((OWN / f"{name}.json").read_text())[1]
    assert undetected(name, case) <= WITHOUT_EFFECT.get(f"{name}.json", set())


@pytest.mark.parametrize("name", [one for one in OFFICIAL_CASES if "messages" not in one])
def test_changed_value_of_official_vectors_fails(name: str) -> None:
    cases = json.loads(official(name))
    case = cases[2 if len(cases) > 2 and "tree" not in name else min(len(cases) - 1, 1)]
    left = undetected(name, case)
    assert left <= WITHOUT_EFFECT.get(Path(name).name, set())


def test_runner_prints_a_line_per_file_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(OWN / f"{name}.json") for name in OWN_CASES]
    assert main(paths) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == list(OWN_CASES)


def test_runner_with_a_failing_case_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = json.loads((OWN / "psk_secret.json").read_text())
    cases[1] = changed(cases[1], ("psk_secret",))
    path = tmp_path / "name-says-nothing"
    path.write_text(json.dumps(cases))
    assert main([str(path)]) == 1
    assert "psk_secret: 6 cases, 5 passed, 1 failed" in capsys.readouterr().out


def test_runner_reports_other_suites_as_left_out_and_counts_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other"
    path.write_text(json.dumps([{"cipher_suite": 7, "psks": [], "psk_secret": "00"}]))
    assert main([str(path)]) == 1
    out = capsys.readouterr().out
    assert "1 left out (1: cipher suite 7 is not supported): no case was run" in out


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[1]", '[{"psks": 1}]', "[[]]", "nonsense", "[" * 100_000, "\xff"],
    ids=lambda text: text[:12],
)
def test_runner_on_what_is_no_vector_file_fails(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text, encoding="latin-1")
    assert main([str(path)]) == 1


def test_runner_on_what_cannot_be_read_says_why_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "nowhere", tmp_path, OWN / "psk_secret.json"]
    assert main([str(path) for path in paths]) == 1
    nowhere, folder, last = capsys.readouterr().out.splitlines()
    assert "cannot be read: No such file or directory" in nowhere
    assert "cannot be read: Is a directory" in folder
    assert "psk_secret: 6 cases, 6 passed" in last


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--what"], 2), (["--help"], 0)])
def test_runner_without_files_tells_its_usage(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()
    assert ended.value.code == status
    assert "usage: python -m wxclient.mls.vectors" in printed.out + printed.err

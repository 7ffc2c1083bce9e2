"""The regression guard: what it calls a loss, and where it takes the other revision from."""

import subprocess
from pathlib import Path

import pytest

from bench import guard
from bench.guard import UNTOLD, checked_out, judge, main, order, previous

SIDES = order(4)


def runs(before: list[float], now: list[float]) -> list[float]:
    """Return the values of both sides in the order of their runs."""
    sides = {"A": iter(before), "B": iter(now)}
    return [next(sides[side]) for side in SIDES]


def test_order_alternates_who_is_first() -> None:
    assert order(3) == "ABBAAB"


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ([100, 101, 99, 100], [101, 100, 100, 99], "the same within the noise"),
        ([100, 101, 99, 100], [120, 121, 119, 120], "LOST"),
        ([100, 101, 99, 100], [80, 81, 79, 80], "gained"),
        ([100, 110, 100, 110], [106, 114, 105, 116], "the same within the noise"),
        ([100, 140, 100, 140], [150, 150, 210, 150], "too noisy to tell"),
        ([100, 100, 100, 100], [102, 102, 102, 102], "the same within the noise"),
    ],
)
def test_change_is_judged_by_the_noise_of_the_same_run(
    before: list[float], now: list[float], words: str
) -> None:
    assert judge(SIDES, runs(before, now)).words == words


def test_machine_that_others_use_tells_nothing() -> None:
    found = judge(SIDES, runs([100, 101, 99, 100], [120, 121, 119, 120]))
    assert found.is_lost
    assert not found._replace(shared=0.5).is_lost
    assert "others" in found._replace(shared=0.5).words


def test_machine_that_slows_down_hides_no_loss() -> None:
    drift = [1.0, 1.05, 1.10, 1.15]
    found = judge(SIDES, runs([100 * one for one in drift], [125 * one for one in drift]))
    assert found.words == "LOST"
    assert found.change == pytest.approx(0.25)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository of two commits and point the guard at it."""
    root = tmp_path / "repository"
    (root / "src").mkdir(parents=True)
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for number in (1, 2):
        (root / "src" / "a.py").write_text(f"x = {number}\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", str(number)], check=True)
    monkeypatch.setattr(guard, "ROOT", root)
    monkeypatch.setattr(guard, "CACHE", tmp_path / "cache")
    return root


def test_guard_without_a_tag_asks_for_a_revision(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == UNTOLD
    assert "--against" in capsys.readouterr().err


def test_guard_finds_the_tag_before_this_commit(repository: Path) -> None:
    for name, revision in (("v1", "HEAD^"), ("v2", "HEAD")):
        subprocess.run(["git", "-C", str(repository), "tag", name, revision], check=True)
    assert previous() == "v1"


def test_earlier_revision_is_checked_out_and_gone_again(repository: Path) -> None:
    with checked_out("HEAD^") as tree:
        assert (tree / "src" / "a.py").read_text() == "x = 1\n"
    assert not tree.exists()
    told = subprocess.run(
        ["git", "-C", str(repository), "worktree", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(told.stdout.splitlines()) == 1


def test_unknown_revision_is_an_error(repository: Path) -> None:
    with pytest.raises(ValueError, match="no revision"), checked_out("nowhere"):
        pass

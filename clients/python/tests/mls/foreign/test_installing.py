"""Installing foreign engines: what makes a test skip, and what must not."""

import sys
from pathlib import Path

import pytest

from . import installing


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest, with an empty cache."""
    monkeypatch.setattr(installing, "CACHE", tmp_path / "cache")
    path = tmp_path / "manifest"
    path.write_text(str(tmp_path))
    return path


def saying(text: str) -> tuple[str, ...]:
    """Return an installer that fails with a text."""
    return (sys.executable, "-I", "-c", f"import sys; sys.exit({text!r})")


def test_registry_out_of_reach_skips_and_says_what_is_not_proved(manifest: Path) -> None:
    offline = saying("npm error code ECONNREFUSED\nnpm error noise")
    with pytest.raises(pytest.skip.Exception) as skipped:
        installing.installed("engine", [manifest], offline)
    expected = "INTEROPERABILITY NOT PROVED: engine is missing: npm error code ECONNREFUSED"
    assert str(skipped.value) == expected
    assert list(installing.CACHE.iterdir()) == []


@pytest.mark.parametrize("mark", installing.FORGED)
def test_archive_that_is_not_the_pinned_one_fails(manifest: Path, mark: str) -> None:
    with pytest.raises(AssertionError, match=mark):
        installing.installed("engine", [manifest], saying(f"npm error code {mark}"))


def test_engine_that_is_there_is_not_installed_again(manifest: Path) -> None:
    works = (sys.executable, "-I", "-c", "open('engine', 'w').close()")
    folder = installing.installed("engine", [manifest], works)
    assert sorted(one.name for one in folder.iterdir()) == ["engine", "manifest"]
    assert installing.installed("engine", [manifest], saying("not again")) == folder

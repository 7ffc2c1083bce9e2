"""The data directory and the space kept back in it."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from wxserve.store import directory
from wxserve.store.directory import Ballast, DataDirectory
from wxserve.store.errors import StoreRefusedError

KIB = 1024


def test_directory_is_created_private_with_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    data = DataDirectory(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert data.database.parent == path
    data.close()


def test_directory_readable_by_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(StoreRefusedError, match=f"chmod go-rwx {tmp_path}$"):
        DataDirectory(tmp_path)


def test_database_readable_by_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    database = tmp_path / "wxserve.sqlite3"
    database.touch(0o644)
    database.chmod(0o644)
    with pytest.raises(StoreRefusedError, match="can be read by others"):
        DataDirectory(tmp_path)


def test_directory_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(StoreRefusedError, match="belongs to another user"):
        DataDirectory(tmp_path)


def test_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(StoreRefusedError, match="cannot be used"):
        DataDirectory(path)


def test_directory_in_use_is_refused_until_given_up(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    first = DataDirectory(tmp_path)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(StoreRefusedError, match="in use by another server"):
        DataDirectory(tmp_path)
    assert set(Path("/proc/self/fd").iterdir()) == before
    first.close()
    DataDirectory(tmp_path).close()


def test_directory_that_cannot_be_locked_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    tmp_path.chmod(0o700)
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreRefusedError, match="No locks available"):
        DataDirectory(tmp_path)


def test_new_directories_get_names_that_survive_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synchronised: list[Path] = []
    monkeypatch.setattr(directory, "sync_directory", synchronised.append)
    DataDirectory(tmp_path / "a" / "b" / "data").close()
    assert set(synchronised) == {tmp_path, tmp_path / "a", tmp_path / "a" / "b"}


# -- ballast ---------------------------------------------------------------------------------------


def test_ballast_is_allocated_found_again_and_released(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, 64 * KIB)
    assert not ballast.held
    assert ballast.take()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 64 * KIB
    assert Ballast(tmp_path, 64 * KIB).held
    assert not Ballast(tmp_path, 65 * KIB).held
    ballast.release()
    assert not ballast.held
    assert not (tmp_path / "ballast").exists()
    ballast.release()


def test_ballast_of_no_size_is_never_wanting(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, 0)
    assert ballast.take()
    ballast.release()
    assert not list(tmp_path.iterdir())


def test_ballast_is_not_taken_unless_as_much_again_stays_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.statvfs(tmp_path)
    free = found.f_bavail * found.f_frsize
    assert not Ballast(tmp_path, free // 2 + found.f_frsize).take()
    assert not list(tmp_path.iterdir())

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    assert not Ballast(tmp_path, 64 * KIB).take()
    assert not list(tmp_path.iterdir()), "a part of it would only take space away"


def test_ballast_in_a_directory_that_is_gone_is_no_error(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "gone", 64 * KIB)
    assert not ballast.take()
    ballast.release()

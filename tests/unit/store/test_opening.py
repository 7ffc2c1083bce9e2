"""What a database must be to be opened, and what is said when it is not."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from wxserve.store.errors import NoSpaceError, StoreRefusedError
from wxserve.store.migrations import Migration, core_migrations, migrate
from wxserve.store.opening import check_sqlite, open_connections

ONE = Migration(1, "0001_one.sql", "CREATE TABLE one (a);\n")
TWO = Migration(2, "0002_two.sql", "CREATE TABLE two (a);\nINSERT INTO two VALUES (1);\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.sqlite3"


def close(connections: list[sqlite3.Connection]) -> None:
    for connection in reversed(connections):
        connection.close()


def plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {name for (name,) in rows}


def test_connections_settings_are_durable_and_readers_cannot_write(path: Path) -> None:
    writer, _, *readers = connections = open_connections(path)
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer.execute("PRAGMA temp_store").fetchone() == (2,)
    assert len(readers) == 2
    for reader in readers:
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("INSERT INTO meta VALUES ('a', 1)")
    close(connections)


def test_clean_close_leaves_one_private_file_that_opens(path: Path) -> None:
    connections = writer, _, *readers = open_connections(path)
    writer.execute("INSERT INTO meta VALUES ('a', 1)")
    for reader in readers:
        reader.execute("SELECT * FROM meta").fetchall()
    close(connections)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    writer, _, *readers = connections = open_connections(path)
    assert readers[0].execute("SELECT * FROM meta").fetchall() == [("a", 1)]
    close(connections)


def test_open_sees_what_a_killed_process_left_in_the_write_ahead_log(path: Path) -> None:
    connections = open_connections(path)
    connections[0].execute("INSERT INTO meta VALUES ('a', 1)")
    copy = path.parent / "copy.sqlite3"
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    close(connections)
    connections = open_connections(copy)
    assert connections[-1].execute("SELECT * FROM meta").fetchall() == [("a", 1)]
    close(connections)


def test_old_sqlite_is_refused_with_both_versions() -> None:
    with pytest.raises(StoreRefusedError, match=r"3\.36\.9 is too old; .* 3\.37\.0"):
        check_sqlite((3, 36, 9))


@pytest.mark.parametrize("content", [b"x" * 8192, b"SQLite format 3\0" + b"y" * 8192])
def test_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreRefusedError, match=r"x\.sqlite3 cannot be opened"):
        open_connections(path)
    assert path.read_bytes() == content


def test_database_of_another_program_is_refused_and_not_touched(path: Path) -> None:
    other = plain(path)
    other.execute("CREATE TABLE theirs (a)")
    other.close()
    with pytest.raises(StoreRefusedError, match="belongs to another program"):
        open_connections(path)
    other = plain(path)
    assert tables(other) == {"theirs"}
    other.close()


def test_newer_database_is_refused(path: Path) -> None:
    close(open_connections(path))
    newer = plain(path)
    newer.execute("INSERT INTO migration VALUES ('core', 9999, 'x', 'y')")
    newer.close()
    with pytest.raises(StoreRefusedError, match=r"newer than this program .*step 9999"):
        open_connections(path)


def test_path_that_cannot_be_created_is_refused(path: Path) -> None:
    with pytest.raises(StoreRefusedError, match="cannot be opened: No such file"):
        open_connections(path / "below")


def test_open_without_space_is_told_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(NoSpaceError, match="no space"):
        open_connections(path)


# -- migrations ------------------------------------------------------------------------------------


def test_migrate_applies_each_step_once_in_order(path: Path) -> None:
    connection = plain(path)
    assert migrate(connection, "x", (ONE,)) == (ONE,)
    assert migrate(connection, "x", (ONE, TWO)) == (TWO,)
    assert migrate(connection, "x", (ONE, TWO)) == ()
    assert tables(connection) >= {"one", "two", "migration"}
    connection.close()


def test_migrate_step_changed_after_it_ran_is_refused(path: Path) -> None:
    connection = plain(path)
    migrate(connection, "x", (ONE,))
    with pytest.raises(StoreRefusedError, match="was changed after it ran"):
        migrate(connection, "x", (ONE._replace(sql=ONE.sql + "-- more\n"),))
    connection.close()


def test_migrate_step_slipped_in_before_applied_ones_is_refused(path: Path) -> None:
    connection = plain(path)
    migrate(connection, "x", (TWO,))
    with pytest.raises(StoreRefusedError, match=r"step 1 .* after step 2"):
        migrate(connection, "x", (ONE, TWO))
    connection.close()


def test_migrate_schemas_do_not_mix(path: Path) -> None:
    connection = plain(path)
    migrate(connection, "x", (ONE,))
    assert migrate(connection, "y", (TWO,)) == (TWO,)
    connection.close()


def test_migrate_failing_step_leaves_nothing_of_it(path: Path) -> None:
    broken = TWO._replace(sql=TWO.sql + "INSERT INTO missing VALUES (1);\n")
    connection = plain(path)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, "x", (ONE, broken))
    assert not connection.in_transaction
    assert tables(connection) == {"one", "migration"}
    assert migrate(connection, "x", (ONE, TWO)) == (TWO,)
    connection.close()


@pytest.mark.parametrize("statement", range(1, 40))
def test_migrate_killed_after_any_statement_leaves_whole_steps(path: Path, statement: int) -> None:
    steps = core_migrations()
    connection = plain(path)
    connection.execute("PRAGMA journal_mode = WAL")
    seen = 0

    def count(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:  # what a killed process leaves: the files as they are now
            for suffix in ("", "-wal"):
                Path(f"{path}.cut{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())

    connection.set_trace_callback(count)
    migrate(connection, "core", steps)
    connection.close()
    if seen < statement:
        assert statement > 20, "the steps have fewer statements than this test believes"
        return
    connection = plain(Path(f"{path}.cut"))
    found = tables(connection)
    assert found <= {"migration"} or "log" in found
    migrate(connection, "core", steps)
    assert tables(connection) >= {"log", "device", "migration"}
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()

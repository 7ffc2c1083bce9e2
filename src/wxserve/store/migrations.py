"""Numbered SQL, forward only, one transaction each, checksummed; an older binary refuses."""

import sqlite3
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple

from .errors import StoreRefusedError

_HISTORY: Final = """
CREATE TABLE IF NOT EXISTS migration (
  schema TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
  PRIMARY KEY (schema, number)
) STRICT, WITHOUT ROWID
"""


class Migration(NamedTuple):
    """One numbered step of a schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL, in hexadecimal."""
        return sha256(self.sql.encode()).hexdigest()


def core_migrations() -> tuple[Migration, ...]:
    """Return the steps of the core schema in order, as shipped."""
    found = sorted(
        (path.name, path.read_text(encoding="utf-8"))
        for path in (files(__package__) / "migrations").iterdir()
        if path.name.endswith(".sql")
    )
    return tuple(Migration(int(name[:4]), name, sql) for name, sql in found)


def migrate(
    connection: sqlite3.Connection, schema: str, steps: tuple[Migration, ...]
) -> tuple[Migration, ...]:
    """Bring ``schema`` up to date; return the steps that were applied now.

    Each step and its record are one transaction, so a crash leaves a whole number of steps.

    Raises:
        StoreRefusedError: the database is newer than this program or another program's, or a step
            was changed after it had been applied.
    """
    if _is_foreign(connection):
        raise StoreRefusedError("it belongs to another program")
    connection.execute(_HISTORY)
    applied = dict(
        connection.execute("SELECT number, checksum FROM migration WHERE schema = ?", (schema,))
    )
    known = {step.number: step for step in steps}
    for number, checksum in applied.items():
        if number not in known:
            raise StoreRefusedError(
                f"the database is newer than this program (schema {schema}, step {number}); "
                "install the newer wxserve"
            )
        if checksum != known[number].checksum:
            raise StoreRefusedError(f"step {number} of schema {schema} was changed after it ran")
    newest = max(applied, default=0)
    pending = tuple(step for step in steps if step.number not in applied)
    if pending and pending[0].number < newest:
        raise StoreRefusedError(
            f"step {pending[0].number} of schema {schema} came after step {newest} had been applied"
        )
    for step in pending:
        _apply(connection, schema, step)
    return pending


def _is_foreign(connection: sqlite3.Connection) -> bool:
    """Whether there are tables, but not the one that every database of ours begins with."""
    (tables, history) = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE name = 'migration') FROM sqlite_schema"
    ).fetchone()
    return bool(tables and not history)


def _apply(connection: sqlite3.Connection, schema: str, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(step.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migration VALUES (?, ?, ?, ?)",
            (schema, step.number, step.name, step.checksum),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(sql: str) -> list[str]:
    """Split a script; ``executescript`` would commit in between."""
    statements: list[str] = []
    gathered = ""
    for line in sql.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            statements.append(gathered)
            gathered = ""
    if gathered.strip():
        raise ValueError("the last statement has no end")
    return statements

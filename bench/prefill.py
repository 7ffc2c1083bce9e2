"""Writes a town straight into a server's database: a store of 100,000 conversations in a minute.

This is the one place where the harness knows the database: over the wire the same store would take
the better part of an hour. It writes what the shipped schema says, and refuses one with a step or a
column that it does not know. The server makes the directory, its schema and its keys before.
"""

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.engine import CACHE
from bench.enrol import seed_of
from bench.server import Launch, running_server
from bench.town import Place, Town, account_id, device_id, places
from bench.wire import DELIVER, encode

DATABASE: Final = "wxserve.sqlite3"
FACTS: Final = "town.json"
STEPS_KNOWN: Final = {1}
"""Numbers of the steps of the core schema that this file was written for."""
OPS_LAST: Final = 1_000_000
"""Every device has used this many operation numbers already."""
BODY_BYTES: Final = 256
CREATED: Final = 16
MESSAGE: Final = 1


class PrefillError(RuntimeError):
    """The database is not what this file was written for."""


class Filled(NamedTuple):
    """A data directory that holds a town.

    Attributes:
        directory: to be copied, never used itself.
        position: the last commit position in it.
    """

    directory: Path
    position: int


def filled_town(town: Town) -> Filled:
    """Return a directory with a town, made now or kept from an earlier run.

    Raises:
        PrefillError: the server's schema is another one.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        fresh = Path(name) / "town"
        fresh.mkdir()
        with running_server(Launch(fresh / "data", tls=True, core=None, invites=1)):
            pass  # it makes the schema and the keys
        directory = CACHE / f"town-{_key(town, fresh / 'data' / DATABASE)}"
        if not directory.exists():
            started = time.monotonic()
            print(f"bench: filling a store, {town.conversations} conversations", file=sys.stderr)
            position = fill(fresh / "data" / DATABASE, town)
            (fresh / FACTS).write_text(json.dumps({"town": town, "position": position}))
            shutil.move(fresh, directory)
            print(f"bench: filled in {time.monotonic() - started:.0f} s", file=sys.stderr)
    facts = json.loads((directory / FACTS).read_text())
    return Filled(directory / "data", facts["position"])


def _key(town: Town, database: Path) -> str:
    """Return what a kept town is found by: its size, the schema, and the code that fills it."""
    sql = sqlite3.connect(database)
    try:
        schema = sql.execute("SELECT schema, number, checksum FROM migration").fetchall()
    finally:
        sql.close()
    text = repr((town, sorted(schema))).encode() + Path(__file__).read_bytes()
    return sha256(text).hexdigest()[:16]


def fill(database: Path, town: Town) -> int:
    """Write a town into a fresh database; return its last commit position.

    Raises:
        PrefillError: the schema is another one, or the database is in use already.
    """
    sql = sqlite3.connect(database, isolation_level=None)
    try:
        _check(sql)
        # Nothing here needs to survive a crash: an unfinished town is thrown away.
        sql.execute("PRAGMA journal_mode = MEMORY")
        sql.execute("PRAGMA synchronous = OFF")
        sql.execute("PRAGMA cache_size = -262144")
        sql.execute("BEGIN EXCLUSIVE")
        position = _write(sql, town)
        sql.execute("COMMIT")
        sql.execute("PRAGMA journal_mode = WAL")
        sql.execute("PRAGMA synchronous = FULL")
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        sql.close()
    return position


def _check(sql: sqlite3.Connection) -> None:
    found = {number for (number,) in sql.execute("SELECT number FROM migration")}
    if found != STEPS_KNOWN:
        raise PrefillError(
            f"bench/prefill.py knows the schema's steps {sorted(STEPS_KNOWN)} and found "
            f"{sorted(found)}: compare it with the migrations"
        )
    if sql.execute("SELECT count(*) FROM log").fetchone() != (0,):
        raise PrefillError("the database is not empty")


def _insert(
    sql: sqlite3.Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Iterable[tuple[object, ...]],
    **constants: int,
) -> None:
    """Insert rows, and refuse a table with a column that nobody here knows.

    Columns that the table does not have (yet, or any more) are left out.

    Raises:
        PrefillError: such a column.
    """
    there = [name for _, name, *_ in sql.execute(f"PRAGMA table_info({table})")]
    unknown = set(there) - set(columns) - set(constants)
    if unknown:
        raise PrefillError(f"bench/prefill.py does not know {table}: {', '.join(sorted(unknown))}")
    kept = [name for name in columns if name in there]
    fixed = {name: value for name, value in constants.items() if name in there}
    marks = ", ".join(["?"] * len(kept) + [str(value) for value in fixed.values()])
    names = ", ".join([*kept, *fixed])
    if kept != list(columns):
        pick = itemgetter(*(columns.index(name) for name in kept))
        rows = map(pick, rows)
    sql.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608


def _write(sql: sqlite3.Connection, town: Town) -> int:
    now_ms = time.time_ns() // 1_000_000
    everything = sorted(places(town))
    accounts = [account_id(number) for number in range(town.accounts)]
    devices = [device_id(number) for number in range(town.accounts)]
    _write_people(sql, accounts, devices, now_ms)
    head = _write_log(sql, everything, Authors(accounts, devices), town.entries, now_ms)
    _write_conversations(sql, everything, town.entries, head, now_ms)
    _write_members(sql, everything, accounts)
    _write_cursors(sql, everything, devices, town.entries)
    _insert(sql, "meta", ("key", "value"), [("merged", head), ("position", head)])
    return head


def _write_people(
    sql: sqlite3.Connection, accounts: list[bytes], devices: list[bytes], now_ms: int
) -> None:
    people = ((account, f"bench {n}", now_ms) for n, account in enumerate(accounts))
    _insert(sql, "account", ("account", "name", "created_ms"), sorted(people))
    rows = []
    for number, (account, device) in enumerate(zip(accounts, devices, strict=True)):
        key = Ed25519PrivateKey.from_private_bytes(seed_of("town", number))
        public = key.public_key().public_bytes_raw()
        rows.append((device, account, public, f"bench {number}", now_ms, now_ms))
    _insert(
        sql,
        "device",
        ("device", "account", "public_key", "name", "created_ms", "seen_ms"),
        sorted(rows),
        awake_ms=0,
        revoked_ms=0,
        first_position=1,
        op_last=OPS_LAST,
        op_floor=OPS_LAST + 1,
    )


class Authors(NamedTuple):
    """Who can have written something, by number."""

    accounts: list[bytes]
    devices: list[bytes]


def _write_log(
    sql: sqlite3.Connection, everything: list[Place], authors: Authors, entries: int, now_ms: int
) -> int:
    """Write the entries: all first ones, then all second ones, as time would have mixed them."""

    def rows() -> Iterator[tuple[object, ...]]:
        position = 0
        for seq in range(1, entries + 1):
            for number, place in enumerate(everything):
                position += 1
                author = place.members[(number + seq) % len(place.members)]
                frame, op = _entry(place, seq, (position, now_ms), author, authors)
                yield position, place.id, seq, now_ms, op, None, frame

    columns = ("position", "conversation", "seq", "time_ms", "op", "digest", "frame")
    _insert(sql, "log", columns, rows(), running_ms=0, expires_ms=0, state=0)
    count = len(everything)
    places_of = (
        (place.id, seq, (seq - 1) * count + number + 1)
        for number, place in enumerate(everything)
        for seq in range(1, entries + 1)
    )
    _insert(sql, "entry", ("conversation", "seq", "position"), places_of)
    return entries * count


def _entry(
    place: Place, seq: int, when: tuple[int, int], author: int, authors: Authors
) -> tuple[bytes, bytes]:
    """Return the encoded DELIVER of an entry, and its operation."""
    counter = when[0] % OPS_LAST + 1
    op = authors.devices[author] + counter.to_bytes(8, "big")
    sender = authors.accounts[author] + authors.devices[author]
    kind, body = MESSAGE, _FILLER
    if seq == 1:
        members = [authors.accounts[member] for member in place.members]
        kind, body = CREATED, msgpack.packb([place.kind, members[0], members, b""])
    envelope = msgpack.packb([1, kind, place.id, 0, 0, 0, op, 0, 1, [], b"", body])
    fields = [place.id, seq, *when, sender, b"", envelope]
    return encode(DELIVER, fields), op


_FILLER: Final = b"".join(sha256(bytes([n])).digest() for n in range(BODY_BYTES // 32))


def _write_conversations(
    sql: sqlite3.Connection, everything: list[Place], entries: int, head: int, now_ms: int
) -> None:
    first_of_last = head - len(everything) + 1
    rows = (
        (place.id, place.kind, entries, first_of_last + number, now_ms, number + 1)
        for number, place in enumerate(everything)
    )
    columns = (
        "conversation",
        "kind",
        "head_seq",
        "head_position",
        "created_ms",
        "created_position",
    )
    _insert(
        sql, "conversation", columns, rows, closed=0, generation=0, floor_seq=0, floor_position=0
    )


def _write_members(sql: sqlite3.Connection, everything: list[Place], accounts: list[bytes]) -> None:
    """Write the members in the order of the table; its index is built afterwards, at once."""
    name = "member_by_account"
    (index,) = sql.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    sql.execute(f"DROP INDEX {name}")
    intervals = msgpack.packb([[1, 0]])
    rows = (
        (place.id, account, 3 if account == accounts[place.members[0]] else 1, intervals, number)
        for number, place in enumerate(everything, start=1)
        for account in sorted(accounts[member] for member in place.members)
    )
    columns = ("conversation", "account", "role", "intervals", "changed_position")
    _insert(sql, "member", columns, rows, state=2)
    sql.execute(index)


def _write_cursors(
    sql: sqlite3.Connection, everything: list[Place], devices: list[bytes], entries: int
) -> None:
    """Everybody has read everything."""
    rows = [
        (devices[member], place.id, entries) for place in everything for member in place.members
    ]
    _insert(sql, "cursor", ("device", "conversation", "seq"), sorted(rows))

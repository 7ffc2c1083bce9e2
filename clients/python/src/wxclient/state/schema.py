"""The tables of the state file, by version.

Every table of the SDK begins with ``wx_``; an application may add its own beside them and write
them in the same transactions.
"""

import sqlite3
from typing import Final

from wxclient.exceptions import StateError, StateTooNew

_VERSION_1: Final = """
CREATE TABLE wx_identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    private_key BLOB NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    tls INTEGER NOT NULL,
    pins BLOB NOT NULL,
    code BLOB NOT NULL,
    account_name TEXT NOT NULL,
    device_name TEXT NOT NULL,
    account BLOB,
    device BLOB,
    position INTEGER NOT NULL DEFAULT 0,
    op_next INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE wx_timeline (
    number INTEGER PRIMARY KEY,
    timeline BLOB NOT NULL UNIQUE,
    cut INTEGER
) STRICT;
CREATE TABLE wx_outbox (
    counter INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    type INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE wx_outcome (
    counter INTEGER PRIMARY KEY,
    op BLOB NOT NULL,
    accepted BLOB,
    refused BLOB
) STRICT;
CREATE TABLE wx_conversation (
    conversation BLOB PRIMARY KEY,
    kind INTEGER NOT NULL DEFAULT 0,
    received INTEGER,
    clipped INTEGER NOT NULL DEFAULT 0,
    head INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL DEFAULT 0,
    joined INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE wx_entry (
    id INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    seq INTEGER NOT NULL,
    timeline INTEGER NOT NULL,
    position INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    sender BLOB,
    tag BLOB NOT NULL,
    kind INTEGER NOT NULL,
    op BLOB NOT NULL,
    state INTEGER NOT NULL,
    own INTEGER NOT NULL,
    redacted INTEGER NOT NULL DEFAULT 0,
    envelope BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX wx_entry_place ON wx_entry (conversation, seq, timeline);
CREATE INDEX wx_entry_pending ON wx_entry (own, id) WHERE state = 0;
CREATE INDEX wx_entry_pending_in ON wx_entry (conversation, own, id) WHERE state = 0;
CREATE TABLE wx_gap (
    conversation BLOB NOT NULL,
    first INTEGER NOT NULL,
    through INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    PRIMARY KEY (conversation, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE wx_register (
    conversation BLOB NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (conversation, key)
) STRICT, WITHOUT ROWID;
"""
MIGRATIONS: Final = (_VERSION_1,)
"""Version n is reached by the first n scripts; forward only."""
APPLICATION_ID: Final = 0x77786373
"""``wxcs``, so that ``file`` and others can tell what it is."""


def migrate(sql: sqlite3.Connection) -> None:
    """Bring the file to this version, each step in one transaction.

    Raises:
        StateError: another program wrote it.
        StateTooNew: a newer version wrote it.
    """
    (application,) = sql.execute("PRAGMA application_id").fetchone()
    if application not in {0, APPLICATION_ID}:
        (_number, _name, path) = sql.execute("PRAGMA database_list").fetchone()
        raise StateError(f"{path} is not a state of this SDK")
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StateTooNew(f"the state has version {version}, this SDK knows {len(MIGRATIONS)}")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        sql.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number};"
            f" PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
        )

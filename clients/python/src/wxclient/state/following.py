"""What an entry changes here besides being an entry."""

import sqlite3

from wxclient._protocol.envelope import Kind
from wxclient._protocol.identifiers import AccountId
from wxclient.facts import Change, Membership, Redacted, read_fact
from wxclient.records import EntryRow

_STANDING = {Change.JOINED: 1, Change.LEFT: 0, Change.REMOVED: 0}


def follow(sql: sqlite3.Connection, entry: EntryRow, account: AccountId | None) -> None:
    """Delete what was redacted, and note whether we are still a member."""
    if entry.kind not in {Kind.REDACTED, Kind.MEMBERSHIP}:
        return
    fact = read_fact(entry.envelope)
    if isinstance(fact, Redacted):
        sql.execute(
            "UPDATE wx_entry SET envelope = x'', redacted = 1 WHERE conversation = ? AND seq = ?",
            (entry.conversation, fact.seq),
        )
    elif isinstance(fact, Membership) and account in fact.accounts and fact.change in _STANDING:
        sql.execute(
            "UPDATE wx_conversation SET joined = ? WHERE conversation = ?",
            (_STANDING[fact.change], entry.conversation),
        )

"""The content of entries: what equal operations are recognised by, and what is left of what is deleted."""

import sqlite3
from hashlib import sha256
from typing import Final

from wxserve.protocol.codec import HEADER_BYTES
from wxserve.protocol.frames import Accepted, Deliver
from wxserve.protocol.identifiers import DeviceId, OpId, split_op
from wxserve.protocol.packing import unpack

REDACTED: Final = 1
EXPIRED: Final = 2
"""States of an entry whose content is deleted."""


def content_digest(content: bytes) -> bytes:
    """Return the digest by which equal operations are recognised."""
    return sha256(content).digest()


def delivered(frame: bytes) -> Deliver:
    """Return a DELIVER as the log keeps it."""
    return Deliver(*unpack(frame[HEADER_BYTES:]))


def digest_of(sql: sqlite3.Connection, accepted: Accepted) -> bytes:
    """Return the digest of an accepted operation's content.

    A message's is not stored as long as its content is: hardly any is ever sent twice.

    Raises:
        sqlite3.DatabaseError: nobody has it, although the operation is known.
    """
    digest = _logged_digest(sql, accepted.position)
    if digest is None:
        (digest,) = sql.execute(
            "SELECT digest FROM op WHERE device = ? AND counter = ?", split_op(accepted.op)
        ).fetchone() or (None,)
    if digest is None:
        raise sqlite3.DatabaseError(f"the content of entry {accepted.position} is not known")
    return digest


def _logged_digest(sql: sqlite3.Connection, position: int) -> bytes | None:
    """Return the digest of what made an entry, None if the entry is gone."""
    digest, frame = sql.execute(
        "SELECT digest, frame FROM log WHERE position = ?", (position,)
    ).fetchone() or (None, None)
    if digest is None and frame is not None:
        return content_digest(delivered(frame).envelope)
    return None if digest is None else bytes(digest)


def keep_digests(sql: sqlite3.Connection, entries: list[tuple[int, bytes | None]]) -> None:
    """Keep by what the operations are recognised that may come again, before their entries go.

    Args:
        sql: the writing connection.
        entries: position and operation, None for none, of entries that are about to be deleted.
    """
    devices: dict[DeviceId, dict[int, int]] = {}
    for position, op in entries:
        if op is not None:
            device, counter = split_op(OpId(op))
            devices.setdefault(device, {})[counter] = position
    for device, positions in devices.items():
        known = sql.execute("SELECT counter FROM op WHERE device = ?", (device,)).fetchall()
        for counter in positions.keys() & {counter for (counter,) in known}:
            sql.execute(
                "UPDATE op SET digest = ? WHERE device = ? AND counter = ?",
                (_logged_digest(sql, positions[counter]), device, counter),
            )


def delete_contents(sql: sqlite3.Connection, positions: list[int], state: int) -> None:
    """Delete the content of entries, and keep by what it is recognised.

    Args:
        sql: the writing connection.
        positions: of entries that have their content.
        state: of the entries from now on, ``REDACTED`` or ``EXPIRED``.
    """
    for position in positions:
        digest = _logged_digest(sql, position)
        sql.execute(
            "UPDATE log SET state = ?, frame = NULL, expires_ms = 0, digest = ? WHERE position = ?",
            (state, digest, position),
        )

"""Rebuilding the memory at start: the timeline, the last position, the unmerged tail."""

import sqlite3
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

import trio

from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import ConversationId, OpId, split_op

from .driver import Driver
from .loading import load_device
from .memory import Memory
from .ports import Clock, Entropy

T = TypeVar("T")
TIMELINE_BYTES: Final = 16
RECENT_POSITIONS: Final = 65_536
"""How much of the log is looked at, a tenth of a second, for what changed of late."""


class Timeline(NamedTuple):
    """Which history of the log is in force.

    Attributes:
        id: 16 bytes; entries are identified by (timeline, conversation, seq).
        cuts: (id, last position) of every earlier timeline, oldest first.
    """

    id: bytes
    cuts: tuple[tuple[bytes, int], ...]


async def load_memory(driver: Driver, memory: Memory, clock: Clock, entropy: Entropy) -> Timeline:
    """Fill an empty memory from the tables; return the timeline in force.

    Cost: one row per log entry since the last merge.

    Cancellation: the memory is half filled and must be dropped.
    """
    now_ms = clock.now_ms()

    def work(sql: sqlite3.Connection) -> tuple[Timeline, tuple[int, int]]:
        timeline = load_timeline(sql, now_ms, entropy)
        load_tail(sql, memory)
        return timeline, load_running_time(sql, now_ms)

    timeline, (running_ms, downtime_ms) = await _commit(driver, work)
    memory.running.go_on(running_ms, downtime_ms)
    return timeline


async def _commit(driver: Driver, work: Callable[[sqlite3.Connection], T]) -> T:
    finished = trio.Event()
    values: list[T] = []
    errors: list[BaseException] = []

    def done(value: T | None, error: BaseException | None) -> None:
        if error is not None:
            errors.append(error)
        elif value is not None:
            values.append(value)
        finished.set()

    driver.commit(work, done)
    await finished.wait()
    if errors:
        raise errors[0]
    return values[0]


def load_timeline(sql: sqlite3.Connection, now_ms: int, entropy: Entropy) -> Timeline:
    """Return the timeline in force; the first one is made with the database."""
    rows = sql.execute("SELECT id, cut_position FROM timeline ORDER BY number").fetchall()
    if not rows:
        rows = [(entropy(TIMELINE_BYTES), 0)]
        sql.execute("INSERT INTO timeline VALUES (1, ?, 0, ?)", (rows[0][0], now_ms))
    cuts = tuple((earlier, later_cut) for (earlier, _), (_, later_cut) in pairwise(rows))
    return Timeline(rows[-1][0], cuts)


def load_tail(sql: sqlite3.Connection, memory: Memory) -> None:
    """Read the unmerged part of the log into memory."""
    meta: dict[str, int] = dict(sql.execute("SELECT key, value FROM meta"))
    memory.merged = memory.position = meta.get("merged", 0)
    memory.time_ms = meta.get("time", 0)
    for position, conversation, seq, time_ms, op in sql.execute(
        "SELECT position, conversation, seq, time_ms, op FROM log "
        "WHERE position > ? ORDER BY position",
        (memory.merged,),
    ).fetchall():
        memory.tail.add(ConversationId(conversation), seq, position)
        memory.position = position
        memory.time_ms = time_ms
        if op is not None:
            accepted = Accepted(OpId(op), ConversationId(conversation), seq, position, time_ms)
            _load_op(sql, memory, accepted)
    memory.position = max(memory.position, meta.get("position", 0))
    memory.forget_changes(memory.position)
    load_recent(sql, memory, meta.get("pruned", 0))


def load_recent(sql: sqlite3.Connection, memory: Memory, pruned: int) -> None:
    """Read which conversations changed of late, as far back as nothing is deleted."""
    since = max(pruned, min(memory.merged, memory.position - RECENT_POSITIONS), 0)
    memory.recent.begin(
        since,
        sql.execute(
            "SELECT conversation, position FROM log WHERE position > ? ORDER BY position", (since,)
        ),
    )


def load_running_time(sql: sqlite3.Connection, now_ms: int) -> tuple[int, int]:
    """Return what the running time last showed, and how long that is ago by the wall clock."""
    meta: dict[str, int] = dict(sql.execute("SELECT key, value FROM meta"))
    row = sql.execute("SELECT running_ms FROM log ORDER BY position DESC LIMIT 1").fetchone()
    written_ms, wall_ms = meta.get("running", 0), meta.get("wall", now_ms)
    running_ms = max(written_ms, row[0] if row else 0)
    return running_ms, now_ms - wall_ms - (running_ms - written_ms)


def _load_op(sql: sqlite3.Connection, memory: Memory, accepted: Accepted) -> None:
    identifier, counter = split_op(accepted.op)
    device = memory.devices.get(identifier) or load_device(sql, identifier)
    if device is None:
        return
    memory.devices[identifier] = memory.fresh[identifier] = device
    device.op_last = max(device.op_last, counter)
    device.op_position = accepted.position
    if counter >= device.op_floor:
        device.ops[counter] = accepted

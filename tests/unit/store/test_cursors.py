"""Cursors between being raised and being written, against a model in a few lines."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from wxserve.protocol.identifiers import ConversationId, DeviceId
from wxserve.store.cursors import FLUSH_ROWS, FLUSH_UNITS_MAX, Cursors, Flush, write_cursors
from wxserve.store.limits import StoreLimits
from wxserve.store.memory import Memory
from wxserve.store.units import Unit
from wxserve.store.upkeep import Upkeep
from wxserve.testing.memory import TestClock

DEVICES = [DeviceId(bytes([number]) * 8) for number in range(3)]
TALKS = [ConversationId(bytes([number]) * 16) for number in range(3)]

raises = st.tuples(st.sampled_from(DEVICES), st.sampled_from(TALKS), st.integers(1, 9))
steps = st.lists(st.one_of(raises, st.sampled_from(["flush", "written", "lost"])), max_size=40)


@contextmanager
def tables() -> Iterator[sqlite3.Connection]:
    """Yield the two tables that a flush writes."""
    sql = sqlite3.connect(":memory:")
    try:
        sql.execute("CREATE TABLE cursor (device, conversation, seq, UNIQUE(device, conversation))")
        sql.execute("CREATE TABLE device (device PRIMARY KEY, op_floor, seen_ms, awake_ms)")
        yield sql
    finally:
        sql.close()


def write(sql: sqlite3.Connection, flush: Flush) -> None:
    write_cursors(cast("Any", SimpleNamespace(sql=sql)), flush)


def written(sql: sqlite3.Connection) -> dict[tuple[bytes, bytes], int]:
    rows = sql.execute("SELECT device, conversation, seq FROM cursor")
    return {(device, conversation): seq for device, conversation, seq in rows}


@given(steps)
def test_what_is_written_and_what_is_not_are_all(taken: list[Any]) -> None:
    cursors, raised = Cursors(), dict[tuple[bytes, bytes], int]()
    flush: Flush | None = None
    with tables() as sql:
        for step in taken:
            if isinstance(step, tuple):
                device, talk, seq = step
                cursors.waiting.raise_to(device, talk, seq)
                raised[device, talk] = max(seq, raised.get((device, talk), 0))
            elif step == "flush" and cursors.begin_flush():
                flush = cursors.next_unit()
            elif flush is not None and step != "flush":
                if step == "written":
                    write(sql, flush)
                cursors.end_unit(written=step == "written")
                flush = cursors.next_unit()
            table = written(sql)
            for device in DEVICES:
                known = {talk: seq for (of, talk), seq in table.items() if of == device}
                for talk, seq in cursors.unwritten(device).items():
                    known[talk] = max(seq, known.get(talk, 0))
                assert known == {talk: seq for (of, talk), seq in raised.items() if of == device}


def test_a_flush_writes_what_waited_and_not_what_comes_meanwhile() -> None:
    cursors, many = Cursors(), FLUSH_ROWS + 100
    for number in range(many):
        cursors.waiting.raise_to(DeviceId(number.to_bytes(8, "big")), TALKS[0], 1)
    assert cursors.begin_flush()
    rows = []
    while (flush := cursors.next_unit()) is not None:
        assert 0 < len(flush.cursors) <= FLUSH_ROWS
        rows += flush.cursors
        cursors.waiting.raise_to(DEVICES[1], TALKS[1], len(rows))
        assert not cursors.end_unit(written=True)
    assert len(rows) == many
    assert all(talk == TALKS[0] for _, talk, _ in rows)
    assert cursors.unwritten(DEVICES[1]) == {TALKS[1]: many}


def test_a_large_flush_has_larger_units_and_not_more_of_them() -> None:
    cursors, many, units = Cursors(), 10 * FLUSH_ROWS * FLUSH_UNITS_MAX + 1, 0
    for number in range(many):
        cursors.waiting.raise_to(DeviceId(number.to_bytes(8, "big")), TALKS[0], 1)
    assert cursors.begin_flush()
    while cursors.next_unit() is not None:
        cursors.end_unit(written=True)
        units += 1
    assert units <= FLUSH_UNITS_MAX


def test_a_flush_wished_meanwhile_follows() -> None:
    cursors = Cursors()
    cursors.waiting.raise_to(DEVICES[0], TALKS[0], 1)
    assert cursors.begin_flush()
    assert cursors.next_unit() is not None
    cursors.waiting.raise_to(DEVICES[0], TALKS[0], 2)
    assert not cursors.begin_flush()
    assert cursors.end_unit(written=True)
    assert cursors.begin_flush()


def test_marks_of_many_devices_are_written_in_bounded_units() -> None:
    cursors, many = Cursors(), 2 * FLUSH_ROWS + 77
    devices = [DeviceId(number.to_bytes(8, "big")) for number in range(many)]
    for number, device in enumerate(devices):
        waiting = cursors.waiting
        waiting.floors[device], waiting.seen[device], waiting.awake[device] = number, 5, 9
    with tables() as sql:
        sql.executemany("INSERT INTO device VALUES (?, 7, 99, 8)", [(one,) for one in devices])
        assert cursors.begin_flush()
        while (flush := cursors.next_unit()) is not None:
            assert sum(len(rows) for rows in cast("Any", flush)) <= FLUSH_ROWS
            write(sql, flush)
            cursors.end_unit(written=True)
        rows = sql.execute("SELECT op_floor, seen_ms, awake_ms FROM device ORDER BY device")
        assert rows.fetchall() == [(max(7, number), 5, 9) for number in range(many)]


class Hearing:
    """Stands in for the writer: keeps what is submitted."""

    def __init__(self) -> None:
        self.units: list[Unit[None]] = []
        self.waiting = 0
        self.failed = ""

    @property
    def idle(self) -> bool:
        return self.waiting == 0

    def submit(self, unit: Unit[None]) -> None:
        self.units.append(unit)


async def test_a_flush_leaves_a_commit_to_those_who_came_meanwhile() -> None:
    limits, cursors, writer = StoreLimits(), Cursors(), Hearing()
    memory = Memory(limits, TestClock())
    upkeep: Any = Upkeep(cast("Any", None), cast("Any", writer), memory, cursors, limits)
    for number in range(5 * FLUSH_ROWS):
        cursors.waiting.raise_to(DeviceId(number.to_bytes(8, "big")), TALKS[0], 1)
    upkeep.flush_cursors()
    assert len(writer.units) == 1
    writer.waiting = 1
    writer.units[0].done(None, ())
    assert len(writer.units) == 1, "others first"
    upkeep._committed()
    assert len(writer.units) == 2
    upkeep._committed()
    assert len(writer.units) == 2, "one at a time"
    writer.waiting = 0
    writer.units[1].done(None, ())
    assert len(writer.units) == 3, "nobody waits"
    writer.waiting = 1
    writer.units[2].done(None, ())
    writer.waiting = 0
    upkeep._take_up_again()
    assert len(writer.units) == 4, "what they waited for is not committed, but gone"
    writer.units[3].done(None, ())
    writer.units[4].done(None, ())
    assert len(writer.units) == 5
    assert not cursors.begin_flush()

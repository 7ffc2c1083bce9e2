"""Looks: what writes nothing costs no statement of its own, and takes nobody with it."""

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import DeviceId
from wxserve.store.devices import log_in
from wxserve.store.state import Device
from wxserve.store.transaction import Transaction
from wxserve.testing.memory import TestClock

from .room import Reply, SeededRoom, seeded_room
from .test_writer import OwnDefectError, note, notes, submit, talk


def look(room: SeededRoom, work: Any) -> Reply:
    reply = Reply()
    room.store.look(work, reply.unit_done)
    return reply


def has_note(tx: Transaction) -> bool:
    found = tx.sql.execute("SELECT 1 FROM meta WHERE key = 'note'").fetchone()
    return found is not None


def fail(tx: Transaction) -> None:
    raise OwnDefectError


def refuse(tx: Transaction) -> None:
    raise Refusal(ErrorCode.FORBIDDEN)


FAILING = {
    "defect": (fail, ErrorCode.INTERNAL),
    "refusal": (refuse, ErrorCode.FORBIDDEN),
    "nonsense": (lambda tx: tx.sql.execute("nonsense"), ErrorCode.INTERNAL),
    "rolls back": (lambda tx: tx.sql.execute("ROLLBACK"), ErrorCode.INTERNAL),
}


async def test_look_sees_what_was_submitted_before_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        before = look(room, has_note)
        submit(room, note("note"))
        after = look(room, has_note)
        assert [await before.wait(), await after.wait()] == [False, True]


@pytest.mark.parametrize("kind", FAILING)
async def test_look_that_fails_takes_nobody_with_it(
    tmp_path: Path, autojump_clock: MockClock, kind: str
) -> None:
    work, expected = FAILING[kind]
    async with seeded_room(tmp_path, maintained=False) as room:
        defects: list[BaseException | None] = []
        room.store.writer.on_defect = defects.append
        person, conversation = await talk(room)
        first = room.send_nowait(person, conversation, 2)
        submit(room, note("note"))
        failed = look(room, work)
        last = room.send_nowait(person, conversation, 3)
        outcome = await failed.wait()
        assert isinstance(outcome, Refusal)
        assert outcome.code == expected
        assert [(await first.wait()).seq, (await last.wait()).seq] == [2, 3]
        assert await notes(room) == ["note"]
        assert bool(defects) is (kind != "refusal")
        assert not room.store.writer.failed


async def test_log_in_of_a_known_device_is_no_statement_and_splits_no_insert(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        statements: list[str] = []
        room.driver._writer.set_trace_callback(statements.append)
        sent = room.send_nowait(person, conversation, 2)
        logged_in = look(room, lambda tx: log_in(tx, person.device))
        sent_again = room.send_nowait(person, conversation, 3)
        assert isinstance(await logged_in.wait(), Device)
        assert [(await sent.wait()).seq, (await sent_again.wait()).seq] == [2, 3]
        room.driver._writer.set_trace_callback(None)
        assert [one.split(" ", 1)[0] for one in statements] == ["BEGIN", "INSERT", "COMMIT"]


async def test_log_in_is_noted_with_the_next_flush_and_not_every_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clock = TestClock()
    async with seeded_room(tmp_path, clock=clock) as room:
        person, _ = await talk(room)
        device = await room.store.run(lambda tx: log_in(tx, person.device))
        enrolled_ms = device.seen_ms

        async def log_in_again() -> tuple[int, int]:
            now_ms = clock.now_ms()
            room.store.note_log_in(device)
            room.store.flush_cursors()
            await room.store.wait_idle()
            table = f"device WHERE device = x'{person.device.hex()}'"
            ((seen_ms,),) = await room.rows(f"SELECT seen_ms FROM {table}")
            return seen_ms, now_ms

        seen_ms, _ = await log_in_again()
        assert seen_ms == enrolled_ms
        clock.let_pass(3_600_001)
        noted_ms, now_ms = await log_in_again()
        assert noted_ms == now_ms
        clock.let_pass(60_000)
        seen_ms, _ = await log_in_again()
        assert seen_ms == noted_ms
        clock.offset_ms -= 3_600_000
        seen_ms, now_ms = await log_in_again()
        assert seen_ms == now_ms < noted_ms


def had(room: SeededRoom, device: DeviceId) -> list[Device | Refusal | None]:
    found: list[Device | Refusal | None] = []
    room.store.with_device(device, found.append)
    return found


async def test_device_is_had_as_what_was_submitted_before_has_left_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        person, conversation = await talk(room)
        sent = room.send_nowait(person, conversation, 2)
        found = had(room, person.device)
        assert found == []
        await sent.wait()
        await room.store.wait_idle()
        (device,) = found
        assert isinstance(device, Device)
        assert device.op_last == 2


async def test_device_that_is_not_in_memory_is_read_and_a_stranger_is_none(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with seeded_room(tmp_path, maintained=False) as room:
        await talk(room)
        person = await room.enrol()
    async with seeded_room(tmp_path, maintained=False) as room:
        assert room.store.device(person.device) is None
        known, unknown = had(room, person.device), had(room, DeviceId(bytes(8)))
        await room.store.wait_idle()
        assert [one.account for one in known if isinstance(one, Device)] == [person.account]
        assert unknown == [None]

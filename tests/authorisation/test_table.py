"""Who may do what, tried cell by cell against the real router and store; all else is denied."""

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.authorisation.scenes import Cast, Scene
from tests.authorisation.table import CLIENT_FRAMES, PATH, Cell, cells, frame_name, missing
from tests.authorisation.verbs import Attempt, ready
from wxserve.protocol.codec import HEADER
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.frames import SKIPPABLE, TYPES, Error
from wxserve.protocol.states import Role, stream_rule
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer, memory_server

TABLE = list(cells(PATH.read_text()))
RELATIONS = list(dict.fromkeys(cell.relation for cell in TABLE))
OPERATIONS = {"SEND", "INVITE", "ACCEPT", "LEAVE", "REMOVE", "SET_ROLE", "CLOSE", "REDACT"}
"""What makes one entry when it is carried out."""


def standing(server: MemoryServer, scene: Scene) -> tuple[Any, ...]:
    """Return what the store knows of a conversation."""
    state = server.store.cached(scene.conversation)
    return () if state is None else (state.head, state.closed, dict(state.members))


async def try_cell(server: MemoryServer, cast: Cast, scene: Scene, cell: Cell) -> str:
    """Return what came of it; "and yet" is added where the conversation does not agree."""
    attempt = Attempt(cast, scene, cell.actor, cell.verb)
    if cell.actor != "revoked":
        await ready(attempt.device)
    before = standing(server, scene)
    outcome = await attempt.outcome()
    after = standing(server, scene)
    done = outcome == "ok" and frame_name(cell.verb) in OPERATIONS
    if not before:
        return outcome  # it is read into memory only now
    if done and after[0] != before[0] + 1:
        return f"{outcome}, and yet no entry"
    if not done and before != after:
        return f"{outcome}, and yet something changed"
    return outcome


@pytest.mark.slow
@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize("relation", RELATIONS)
async def test_every_cell_of_the_table_has_the_outcome_that_stands_there(
    tmp_path: Path, relation: str
) -> None:
    cast, wrong = Cast(), []
    async with memory_server(tmp_path) as server:
        await cast.enrol(server)
    wanted = [cell for cell in TABLE if cell.relation == relation and cell.outcome != "."]
    async with memory_server(tmp_path, seed=1) as server:
        await cast.return_to(server)
        for actor, row in groupby(sorted(wanted, key=_actor), _actor):
            scene = await cast.scene(relation, actor)
            for cell in row:
                found = await try_cell(server, cast, scene, cell)
                if found != cell.outcome:
                    wrong.append(f"{cell} -> {found}")
                if found == "ok" and frame_name(cell.verb) in OPERATIONS - {"SEND"}:
                    scene = await cast.scene(relation, actor)
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def _actor(cell: Cell) -> str:
    return cell.actor


def test_table_has_a_row_for_every_frame_that_a_client_may_send() -> None:
    assert missing(TABLE) == []


def test_frame_without_a_row_is_missed() -> None:
    without = [cell for cell in TABLE if not cell.verb.startswith(("CLOSE", "PING"))]
    assert missing(without) == [
        "CLOSE",
        *(f"CLOSE in [{r}]" for r in sorted(RELATIONS[:-1])),
        "PING",
    ]


@pytest.mark.usefixtures("autojump_clock")
async def test_router_has_a_handler_for_what_is_in_the_table_and_for_nothing_else(
    tmp_path: Path,
) -> None:
    async with memory_server(tmp_path) as server:
        handled = set(server.router.dispatcher.handlers)
    assert handled == set(CLIENT_FRAMES.values()) - {CLIENT_FRAMES["HELLO"], CLIENT_FRAMES["AUTH"]}


@pytest.mark.usefixtures("autojump_clock")
async def test_frame_that_is_not_in_the_table_ends_the_session(tmp_path: Path) -> None:
    known = {number for kind, (number, _) in TYPES.items() if kind in CLIENT_FRAMES.values()}
    numbers = [number for number in range(0x0100) if number not in known]
    numbers += [0x0100, 0x0777, SKIPPABLE.start - 1, SKIPPABLE.stop, 0x7FFF, 0xFFFF]
    async with memory_server(tmp_path) as server:
        device = await TestDevice(server).enrol()
        for number in numbers:
            device.link.receive(HEADER.pack(1 << 8, number, 1) + b"\x90")
            device.pump()
            assert device.link.closing, hex(number)
            (error,) = [one for one in device.heard if isinstance(one, Error)]
            assert error.code in {ErrorCode.UNKNOWN_FRAME, ErrorCode.UNEXPECTED_FRAME}
            await device.log_in()


@pytest.mark.usefixtures("autojump_clock")
async def test_revoked_device_logs_in_no_more(tmp_path: Path) -> None:
    cast = Cast()
    async with memory_server(tmp_path) as server:
        await cast.enrol(server)
        await cast.return_to(server)
        revoked = cast.devices["revoked"]
        revoked.connect()
        with pytest.raises(AssertionError, match="the link ended"):
            await revoked.log_in()
        assert isinstance(revoked.heard[-1], Error)
        assert revoked.heard[-1].code == ErrorCode.DEVICE_REVOKED


def test_client_frames_are_those_with_a_rule_of_the_stream() -> None:
    asked = {name for name, frame in CLIENT_FRAMES.items() if stream_rule(Role.CLIENT, frame)}
    assert {"SEND", "CREATE", "REVOKE_DEVICE"} <= asked
    assert not asked & {"ACK", "CREDIT", "EPHEMERAL", "PING", "PONG", "HELLO", "AUTH"}

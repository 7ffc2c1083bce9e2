"""SIGKILL of the server and of client programs under load: nothing is lost, nothing is doubled."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path

import anyio
import pytest

import wxclient
from clients.python.tests.backends import on_both_backends
from tests.wire.server_process import ServerProcess
from wxclient import Client, Options, ShellLimits
from wxclient.limits import CoreLimits
from wxserve.protocol.invites import format_invite

pytestmark = [pytest.mark.wire, pytest.mark.fault(share=0)]

QUICK = Options(
    core=CoreLimits(reconnect_min_s=0.02, reconnect_max_s=0.1),
    shell=ShellLimits(history_max=1_000_000),
)
CLIENTS = 4
MESSAGES = 40
ECHO = Path(__file__).with_name("echo_program.py")


def rounds(least: int) -> Iterator[int]:
    """Count rounds: at least so many, and on until the budget of ``make prove`` is used."""
    budget_s = float(os.environ.get("WXSERVE_PROVE_BUDGET", "0"))
    end_s = time.monotonic() + budget_s
    number = 0
    while number < least or time.monotonic() < end_s:
        yield number
        number += 1


def draw(round_number: int, label: str, limit: int) -> int:
    """Return a number below ``limit`` that is the same in every run."""
    digest = sha256(f"{label} {round_number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % limit


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that the test may kill."""
    process = ServerProcess(tmp_path / "data").start()
    yield process
    assert process.stop() == 0, process.log()


@on_both_backends
async def test_sdk_with_killed_server_loses_and_doubles_nothing(
    own_server: ServerProcess, tmp_path: Path
) -> None:
    codes = [format_invite(invite) for invite in own_server.invites(CLIENTS)]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                wxclient.connect(code, state=tmp_path / f"c{number}", options=QUICK)
            )
            for number, code in enumerate(codes)
        ]
        group = await clients[0].create_group([client.account for client in clients[1:]])
        for client in clients[1:]:
            await client.accept(group)
        expected: list[bytes] = []
        for number in rounds(2):
            expected += await one_round(own_server, clients, group, number)
        for client in clients:
            await check_received(client, group, expected)
        sys.stdout.write(f"n = {number + 1} kills of the server, {len(expected)} messages\n")
        assert sum(client.statistics().reconnects for client in clients) >= 2 * CLIENTS


async def one_round(
    server: ServerProcess,
    clients: list[Client],
    group: wxclient.ConversationId,
    number: int,
) -> list[bytes]:
    """Send from everybody, kill the server after some acceptances, wait for the rest."""
    bodies = [b"%d %d" % (number, message) for message in range(MESSAGES)]
    accepted: list[bytes] = []
    kill_at = 1 + draw(number, "kill", MESSAGES * CLIENTS - 1)

    async def send_all(client: Client, mark: bytes) -> None:
        for body in bodies:
            await client.send(group, mark + body)
            accepted.append(mark + body)
            if len(accepted) == kill_at:
                await anyio.to_thread.run_sync(kill_and_restart, server)

    async with anyio.create_task_group() as tasks:
        for index, client in enumerate(clients):
            tasks.start_soon(send_all, client, b"%d: " % index)
    return accepted


def kill_and_restart(server: ServerProcess) -> None:
    server.kill()
    server.start()


async def check_received(
    client: Client, group: wxclient.ConversationId, expected: list[bytes]
) -> None:
    updates = client.updates()
    while True:
        found = await client.history(group, limit=1_000_000)
        bodies = [entry.body for entry in found if entry.kind == wxclient.Kind.MESSAGE]
        if len(bodies) >= len(expected):
            break
        await anext(updates)
    assert Counter(bodies) == Counter(expected)
    for mark in range(CLIENTS):
        start = b"%d: " % mark
        own_order = [body for body in expected if body.startswith(start)]
        assert [body for body in bodies if body.startswith(start)] == own_order
    seqs = [entry.seq for entry in found]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


@on_both_backends
async def test_sdk_with_drained_server_resumes(own_server: ServerProcess, tmp_path: Path) -> None:
    (code,) = (format_invite(invite) for invite in own_server.invites(1))
    async with wxclient.connect(code, state=tmp_path / "a", options=QUICK) as client:
        await client.wait_connected()
        log = client.self_conversation
        ops = [client.send_nowait(log, b"%d" % number) for number in range(300)]
        await client.wait_accepted(ops[10])
        assert await anyio.to_thread.run_sync(own_server.stop) == 0
        ops += [client.send_nowait(log, b"%d" % number) for number in range(300, 320)]
        await anyio.to_thread.run_sync(own_server.start)
        accepted = [await client.wait_accepted(op) for op in ops]
        assert [answer.seq for answer in accepted] == list(range(1, 321))
        assert client.statistics().violations == 0


class EchoProgram:
    """The program, as a process."""

    def __init__(self, state: Path, invite: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ECHO), str(state), invite], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.lines = self.process.stdout
        self.account = wxclient.AccountId(bytes.fromhex(self.line().split()[1]))

    def line(self) -> str:
        return self.lines.readline().strip()

    def kill_after(self, lines: int) -> None:
        """Read so many lines, then kill it at once."""
        for _line in range(lines):
            self.line()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.lines.close()


@on_both_backends
async def test_sdk_with_killed_client_program_answers_exactly_once(
    own_server: ServerProcess, tmp_path: Path
) -> None:
    mine, its = (format_invite(invite) for invite in own_server.invites(2))
    async with wxclient.connect(mine, state=tmp_path / "mine", options=QUICK) as client:
        echo = await anyio.to_thread.run_sync(EchoProgram, tmp_path / "echo", its)
        conversation = await client.create_direct(echo.account)
        sent = 0
        for number in rounds(6):
            for _message in range(15):
                client.send_nowait(conversation, b"%d" % sent)
                sent += 1
            lines = 1 + draw(number, "lines", 24)
            await anyio.to_thread.run_sync(echo.kill_after, lines)
            echo = await anyio.to_thread.run_sync(EchoProgram, tmp_path / "echo", its)
        replies: list[bytes] = []
        async for entry in client.entries():
            await entry.done()
            if entry.kind == wxclient.Kind.MESSAGE:
                replies.append(entry.body)
            if len(replies) == sent:
                break
        await anyio.to_thread.run_sync(echo.kill_after, 0)
        assert replies == [b"re %d" % number for number in range(sent)]
        last = await client.send(conversation, b"nothing follows the last reply")
    sys.stdout.write(f"n = {number + 1} kills of the program, {sent} messages\n")
    with sqlite3.connect(tmp_path / "echo" / "device.sqlite3") as sql:
        effects = Counter(sql.execute("SELECT conversation, seq FROM effect"))
    sql.close()
    assert set(effects.values()) == {1}
    assert last.seq == 1 + 2 * sent + 1

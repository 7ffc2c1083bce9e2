"""asyncio's own cancellation, which knows of no shields: ``Task.cancel``, ``asyncio.timeout``."""

import asyncio  # noqa: TID251 - what a program on asyncio does is the subject
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import wxclient
from wxclient import Client
from wxclient.shell.file_access import FileAccess
from wxclient.shell.threads import finish_in_thread
from wxclient.state.file import StateFile

from .fake_listener import QUICK, FakeListener, listening
from .fake_server import FakeServer
from .terminal.loops import on_asyncio

STEPS = 40
"""More than any of these takes turns of the loop, but for its threads."""
ENDLESS = 10**9
TURNS = [*sorted({round(1.25**step) - 1 for step in range(STEPS)}), ENDLESS]
"""Up to 6,000, in which a thread has mostly done its work; the last one waits for it."""


async def cancel_after(work: Coroutine[Any, Any, object], turns: int) -> None:
    """Cancel a task after it had so many turns of the event loop, if it is not done before."""
    task = asyncio.create_task(work)
    for _turn in range(turns):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def turn_until(condition: Event) -> None:
    while not condition.is_set():
        await asyncio.sleep(0)


@on_asyncio
async def test_thread_that_began_is_finished_before_cancellation_is_raised() -> None:
    begun, may_end, ended = Event(), Event(), Event()

    def work() -> None:
        begun.set()
        may_end.wait()
        ended.set()

    task = asyncio.create_task(finish_in_thread(work))
    await turn_until(begun)
    for _time in range(3):
        task.cancel()
        for _turn in range(5):
            await asyncio.sleep(0)
        assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


@on_asyncio
async def test_transaction_cancelled_anywhere_is_whole(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        async with client.transaction() as tx:
            await tx.execute("CREATE TABLE effect (number INTEGER)")
        for turns in TURNS:
            await cancel_after(_effect(client, turns), turns)
        async with client.transaction() as tx:
            effects = [row[0] for row in await tx.execute("SELECT number FROM effect")]
            last = tx.send(client.self_conversation, b"last")
        await client.wait_accepted(last)
        sent = [int(entry.body) for entry in (await client.history(client.self_conversation))[:-1]]
        assert sent == effects
        assert 0 < len(effects) < len(TURNS)


async def _effect(client: Client, number: int) -> None:
    async with client.transaction() as tx:
        await tx.execute("INSERT INTO effect VALUES (?)", (number,))
        tx.send(client.self_conversation, b"%d" % number)


@on_asyncio
async def test_entry_whose_commit_is_cancelled_anywhere_has_one_effect(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        async with client.transaction() as tx:
            await tx.execute("CREATE TABLE effect (number INTEGER)")
        for number in range(STEPS):
            server.say(client.self_conversation, b"%d" % number)
        fake.push()
        async for entry in client.entries():
            await cancel_after(_handle(entry), int(entry.body) + 1 if entry.attempt == 1 else 1_000)
            if int(entry.body) == STEPS - 1:
                break
        async with client.transaction() as tx:
            effects = [row[0] for row in await tx.execute("SELECT number FROM effect")]
        assert effects[: STEPS - 1] == list(range(STEPS - 1))


async def _handle(entry: wxclient.HandedEntry) -> None:
    async with entry.commit() as tx:
        await tx.execute("INSERT INTO effect VALUES (?)", (int(entry.body),))


@on_asyncio
async def test_connect_cancelled_anywhere_lets_go_of_the_state(tmp_path: Path) -> None:
    async with listening(FakeServer()) as fake:
        for turns in range(STEPS):
            await cancel_after(_open(fake, tmp_path / "a"), turns)
        async with wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client:
            await client.send(client.self_conversation, b"open")


async def _open(fake: FakeListener, state: Path) -> None:
    async with wxclient.connect(fake.invite(), state=state, options=QUICK) as client:
        await client.wait_connected()


@on_asyncio
async def test_send_given_up_by_a_timeout_is_sent_all_the_same(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        log = client.self_conversation
        for turns in range(STEPS):
            await cancel_after(_wait(client.send(log, b"%d" % turns)), turns + 1)
        await client.send(log, b"last")
        sent = [entry.body for entry in await client.history(log)]
        assert sent == [b"%d" % turns for turns in range(STEPS)] + [b"last"]


async def _wait(work: Awaitable[object]) -> None:
    await work


@on_asyncio
async def test_closing_cancelled_at_each_turn_closes_all_the_same(tmp_path: Path) -> None:
    for turns in range(STEPS):
        file = FileAccess(StateFile(tmp_path / "a"), 16)
        await cancel_after(file.close(), turns)
        if turns:
            StateFile(tmp_path / "a").close()
        else:
            await file.close()  # cancelled before it began to run at all

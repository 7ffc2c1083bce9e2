"""Handing entries over, and the application's transactions, under asyncio and trio."""

from pathlib import Path

import anyio
import pytest

import wxclient
from wxclient import Options, Retention, ShellLimits

from .backends import on_both_backends
from .fake_listener import QUICK, listening
from .fake_server import FakeServer


def fail() -> None:
    """Be an application that breaks."""
    raise ValueError("on purpose")


@on_both_backends
async def test_commit_writes_effect_mark_and_reply_together(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        log = client.self_conversation
        async with client.transaction() as tx:
            await tx.execute("CREATE TABLE seen (body BLOB)")
        for number in range(3):
            server.say(log, b"%d" % number)
        fake.push()
        attempts = []
        async for entry in client.entries():
            attempts.append((entry.body, entry.attempt))
            try:
                async with entry.commit() as tx:
                    await tx.execute("INSERT INTO seen VALUES (?)", (entry.body,))
                    op = tx.send(log, b"re " + entry.body)
                    if entry.body == b"1" and entry.attempt == 1:
                        fail()
            except ValueError:
                continue
            await client.wait_accepted(op)
            if entry.body == b"2":
                break
        assert attempts == [(b"0", 1), (b"1", 1), (b"1", 2), (b"2", 1)]
        async with client.transaction() as tx:
            assert await tx.execute("SELECT body FROM seen") == [(b"0",), (b"1",), (b"2",)]
        bodies = [entry.body for entry in await client.history(log)]
        assert sorted(bodies) == [b"0", b"1", b"2", b"re 0", b"re 1", b"re 2"]


@on_both_backends
async def test_handled_entries_do_not_come_after_a_restart(tmp_path: Path) -> None:
    server = FakeServer()
    async with listening(server) as fake:
        for run in range(3):
            async with wxclient.connect(
                fake.invite(), state=tmp_path / "a", options=QUICK
            ) as client:
                if run == 0:
                    for number in range(3):
                        server.say(client.self_conversation, b"%d" % number)
                    fake.push()
                async for entry in client.entries():
                    assert entry.body == b"%d" % run
                    async with entry.commit():
                        pass
                    break


@on_both_backends
async def test_second_commit_of_one_entry_is_refused(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        server.say(client.self_conversation, b"once")
        fake.push()
        async for entry in client.entries():
            async with entry.commit():
                pass
            with pytest.raises(wxclient.EntryAlreadyHandled):
                async with entry.commit():
                    pytest.fail("it must not be entered")
            await entry.done()
            break


@on_both_backends
async def test_other_conversations_go_on_while_one_entry_is_held(tmp_path: Path) -> None:
    server = FakeServer()
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        other = server.direct(client.account, server.new_account())
        for number in range(2):
            server.say(client.self_conversation, b"s%d" % number)
            server.say(other, b"o%d" % number)
        fake.push()
        bodies: list[bytes] = []
        held = None
        async for entry in client.entries():
            if entry.kind != wxclient.Kind.MESSAGE:
                await entry.done()
                continue
            bodies.append(entry.body)
            if entry.body == b"s0":
                held = entry
                continue
            await entry.done()
            if entry.body == b"o1":
                assert held is not None
                await held.done()
            if entry.body == b"s1":
                break
        assert bodies == [b"s0", b"o0", b"o1", b"s1"]


@on_both_backends
async def test_waiting_for_the_client_inside_a_transaction_is_refused(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        async with client.transaction():
            with pytest.raises(wxclient.InsideTransaction):
                await client.send(client.self_conversation, b"would wait for ever")
            with pytest.raises(wxclient.InsideTransaction):
                await client.history(client.self_conversation)
        await client.send(client.self_conversation, b"hello")


@on_both_backends
async def test_task_started_inside_a_transaction_may_wait_after_it(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
        anyio.create_task_group() as tasks,
    ):
        over = anyio.Event()

        async def later() -> None:
            await over.wait()
            await client.send(client.self_conversation, b"hello")

        async with client.transaction():
            tasks.start_soon(later)
            await anyio.lowlevel.checkpoint()
        over.set()


@on_both_backends
async def test_transaction_cannot_touch_the_tables_of_the_sdk(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        for statement in (
            "DELETE FROM wx_outbox", "UPDATE wx_entry SET state = 0", "DROP TABLE wx_entry",
            "COMMIT", "PRAGMA synchronous = OFF", "ALTER TABLE wx_entry ADD x",
        ):  # fmt: skip
            with pytest.raises(Exception, match="not authorized"):
                async with client.transaction() as tx:
                    await tx.execute(statement)
        async with client.transaction() as tx:
            assert await tx.execute("SELECT count(*) FROM wx_outbox") == [(0,)]


@on_both_backends
async def test_cancelled_transaction_leaves_nothing(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        async with client.transaction() as tx:
            await tx.execute("CREATE TABLE t (x)")
        with anyio.CancelScope() as scope:
            async with client.transaction() as tx:
                await tx.execute("INSERT INTO t VALUES (1)")
                scope.cancel()
                await anyio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        async with client.transaction() as tx:
            assert await tx.execute("SELECT * FROM t") == []


@on_both_backends
async def test_handled_entries_beyond_the_retention_are_deleted(tmp_path: Path) -> None:
    server = FakeServer()
    options = Options(
        core=QUICK.core, shell=ShellLimits(trim_every=4), retention=Retention(handled_entries_max=3)
    )
    async with (
        listening(server) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=options) as client,
    ):
        log = client.self_conversation
        for number in range(8):
            server.say(log, b"%d" % number)
        fake.push()
        async for entry in client.entries():
            await entry.done()
            if entry.seq == 8:
                break
        assert [entry.seq for entry in await client.history(log)] == [6, 7, 8]

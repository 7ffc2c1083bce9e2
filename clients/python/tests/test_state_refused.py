"""A state that cannot be used is one error, ``StateError``, which says why; nothing is changed."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import wxclient
from wxclient import StateError

from .backends import on_both_backends
from .fake_listener import QUICK, listening
from .fake_server import FakeServer


def garbage(directory: Path) -> None:
    directory.mkdir()
    (directory / "device.sqlite3").write_bytes(b"this is no database at all " * 200)


def foreign(directory: Path) -> None:
    directory.mkdir()
    with closing(sqlite3.connect(directory / "device.sqlite3")) as sql:
        sql.execute("PRAGMA application_id = 5")


def plain_file(directory: Path) -> None:
    directory.write_text("not a directory")


def below_a_file(directory: Path) -> None:
    directory.symlink_to(directory.parent / "nowhere" / "deeper")
    (directory.parent / "nowhere").write_text("not a directory")


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "garbage": (garbage, "not a database"),
    "foreign": (foreign, "not a state of this SDK"),
    "plain file": (plain_file, "exists"),
    "below a file": (below_a_file, "(?i)directory|exists"),
}


@pytest.mark.parametrize("case", CASES)
@on_both_backends
async def test_state_that_cannot_be_used_is_a_state_error(tmp_path: Path, case: str) -> None:
    spoil, reason = CASES[case]
    spoil(tmp_path / "a")
    server = FakeServer()
    async with listening(server) as fake:
        with pytest.raises(StateError, match=reason) as caught:
            async with wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK):
                pytest.fail("it must not be opened")
        assert str(tmp_path / "a") in str(caught.value)
        assert not server.devices, "the invite is not used up"


@on_both_backends
async def test_closed_client_says_so_whatever_is_asked(tmp_path: Path) -> None:
    async with (
        listening(FakeServer()) as fake,
        wxclient.connect(fake.invite(), state=tmp_path / "a", options=QUICK) as client,
    ):
        log = client.self_conversation
        op = client.send_nowait(log, b"sent")
        await client.wait_accepted(op)
    for call in (
        lambda: client.history(log), client.conversations, lambda: client.wait_accepted(op),
        lambda: client.registers(log), lambda: client.send(log, b""), client.devices,
        lambda: client.transaction().__aenter__(),
    ):  # fmt: skip
        with pytest.raises(wxclient.ClientClosed):
            await call()

"""``wx`` against the real server process: with a screen, in a pseudo-terminal, and as commands."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import NamedTuple, Self

import anyio
import pytest
from anyio.to_thread import run_sync

import wxclient
from tests.wire.server_process import ServerProcess
from wxclient import Client, CoreLimits, Invited, Options
from wxclient._protocol.invites import InviteUri, format_invite
from wxclient.terminal.addresses import format_address, parse_address
from wxclient.terminal.bodies import Text, Title, read_body, write_text
from wxclient.terminal.complaints import (
    DEVICE_REVOKED,
    INVITE_REFUSED,
    NO_STATE,
    PIN_MISMATCH,
    STATE_IN_USE,
    UNREACHABLE,
    USAGE,
)
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.model.items import Message
from wxclient.terminal.views.app import TerminalApp

pytestmark = [pytest.mark.wire, pytest.mark.slow]

DEADLINE_S = 60.0
PATIENCE_S = 5.0
SETTLED_S = 1.5
QUICK = Options(core=CoreLimits(reconnect_min_s=0.05, reconnect_max_s=0.2))


class Person(NamedTuple):
    """Somebody with a profile of their own."""

    home: Path

    def wx(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run wx without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "wxclient.terminal", *arguments],
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "XDG_STATE_HOME": str(self.home), "TERM": "xterm-256color"}

    def join(self, invite: str, name: str) -> str:
        """Join without a screen; return the address."""
        done = self.wx("tail", invite, "--name", name, "--count", "1", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return self.wx("whoami").stdout.splitlines()[0]

    def heard(self, count: int) -> list[dict[str, object]]:
        """Return the next entries that ``wx tail --json`` prints."""
        done = self.wx("tail", "--json", "--count", str(count))
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]


def new_invite(server: ServerProcess) -> InviteUri:
    return InviteUri(*server.invites(1)[0])


def invite(server: ServerProcess) -> str:
    return format_invite(new_invite(server))


def refused(done: subprocess.CompletedProcess[str], status: int) -> str:
    """Return the one line of a command that must fail."""
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# -- commands ----------------------------------------------------------------------------------


def test_send_and_tail_carry_texts_once_and_whoami_says_who(
    server: ServerProcess, tmp_path: Path
) -> None:
    ann, bob = Person(tmp_path / "ann"), Person(tmp_path / "bob")
    anns, bobs = ann.join(invite(server), "Ann"), bob.join(invite(server), "Bob")
    assert ann.wx("whoami").stdout.splitlines()[1:3] == [
        "name    Ann", f"server  127.0.0.1:{server.port}",
    ]  # fmt: skip
    sent = ann.wx("send", "--to", bobs, "hello \x1b[31mBob")
    assert sent.stdout.startswith("accepted conversation="), sent
    assert ann.wx("send", "--to", bobs, stdin="two\nlines\n").returncode == 0
    created, first, second = bob.heard(3)
    assert (created["type"], created["sender"]) == ("event", anns)
    assert (first["text"], second["text"]) == ("hello \x1b[31mBob", "two\nlines")
    assert (first["seq"], second["seq"]) == (2, 3)
    assert ann.wx("send", "--to", "self", "x").returncode == USAGE
    assert bob.wx("send", "--to", "ann", "hello back").returncode == 0
    ann.heard(3)
    (third,) = ann.heard(1)
    assert (third["text"], third["own"]) == ("hello back", False)


def test_tail_for_people_never_prints_an_escape(server: ServerProcess, tmp_path: Path) -> None:
    ann, bob = Person(tmp_path / "ann"), Person(tmp_path / "bob")
    ann.join(invite(server), "Ann\x1b]0;gotcha\x07")
    bobs = bob.join(invite(server), "Bob")
    assert ann.wx("send", "--to", bobs, "\x1b[2J\x9b1mhi\nthere").returncode == 0
    printed = bob.wx("tail", "--count", "2").stdout
    assert "Ann␛]0;gotcha␇: ␛[2J\ufffd1mhi\n    there" in printed
    assert "\x1b" not in printed


def test_invites_that_do_not_work_end_with_one_line(server: ServerProcess, tmp_path: Path) -> None:
    ann, bob = Person(tmp_path / "ann"), Person(tmp_path / "bob")
    used = invite(server)
    ann.join(used, "Ann")
    assert "used already" in refused(bob.wx("tail", used), INVITE_REFUSED)
    read = new_invite(server)
    forged = format_invite(read._replace(code=read.code[:-1] + b"?"))
    assert "does not know" in refused(bob.wx("tail", forged), INVITE_REFUSED)
    wrong = format_invite(read._replace(pins=(bytes(32),)))
    assert "nothing was sent" in refused(bob.wx("tail", wrong), PIN_MISMATCH)
    assert "begins with" in refused(bob.wx("tail", "https://example.org"), USAGE)
    assert "belongs to Ann" in refused(ann.wx("tail", format_invite(read)), USAGE)
    assert bob.wx("whoami").returncode == NO_STATE
    bob.join(format_invite(read), "Bob")  # none of the failures spoilt the profile


def test_state_in_use_and_unreachable_server_end_with_one_line(tmp_path: Path) -> None:
    own = ServerProcess(tmp_path / "data").start()
    ann = Person(tmp_path / "ann")
    address = ann.join(invite(own), "Ann")
    with Terminal(ann) as terminal:
        terminal.sees("Welcome")
        assert "open in another wx" in refused(ann.wx("tail"), STATE_IN_USE)
        assert ann.wx("whoami").returncode == 0
    assert own.stop() == 0
    done = ann.wx("send", "--to", address, "--wait", "0.3", "kept")
    assert "next start" in refused(done, UNREACHABLE)
    own.start()
    heard = ann.heard(1)
    assert (heard[0]["text"], heard[0]["own"]) == ("kept", True)
    assert own.stop() == 0


def test_device_that_was_removed_is_told_so(server: ServerProcess, tmp_path: Path) -> None:
    ann = Person(tmp_path / "ann")
    ann.join(invite(server), "Ann")
    state = tmp_path / "ann/wx/default"

    async def remove_itself() -> None:
        async with wxclient.connect(state=state) as client:
            await client.revoke_device(client.device)
            await anyio.sleep_forever()

    with pytest.raises(wxclient.SessionRefused):
        anyio.run(remove_itself)
    assert "was removed" in refused(ann.wx("tail"), DEVICE_REVOKED)


# -- in a pseudo-terminal ----------------------------------------------------------------------


class Terminal:
    """wx in a pseudo-terminal of 80 columns and 24 lines; it is killed at the end."""

    def __init__(self, person: Person, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wxclient.terminal", *arguments],
            env=person.environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads
        )
        os.close(theirs)
        self._seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait(30)
        self.close()

    def close(self) -> None:
        """Close the terminal, as its window does."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def write(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def asks(self, keys: str, text: str) -> None:
        """Press keys until a text is drawn: a screen that is being built up drops what comes."""
        until_s = monotonic() + DEADLINE_S
        self.write(keys)
        while not self._waits_for(text, PATIENCE_S) and monotonic() < until_s:
            self.write(keys)
        self.reads(text)

    def settles(self) -> None:
        """Wait until nothing was drawn for a while: the screen is built up and takes keys."""
        end_s = monotonic() + DEADLINE_S
        with DefaultSelector() as selector:
            selector.register(self._ours, EVENT_READ)
            while selector.select(SETTLED_S) and monotonic() < end_s:
                self._seen += os.read(self._ours, 65536)

    def sees(self, text: str) -> None:
        """Wait until a text was drawn since the last time."""
        self.reads(text)

    def reads(self, text: str) -> bytes:
        """Wait until a text was drawn; return what was drawn before it since the last time."""
        assert self._waits_for(text, DEADLINE_S), (text, self._seen[-3000:])
        before, _, self._seen = self._seen.partition(text.encode())
        return before

    def _waits_for(self, text: str, patience_s: float) -> bool:
        """Read until a text was drawn or the time is over; return whether it was drawn."""
        with DefaultSelector() as selector:
            selector.register(self._ours, EVENT_READ)
            until_s = monotonic() + patience_s
            while text.encode() not in self._seen:
                if not selector.select(max(0.0, until_s - monotonic())):
                    return False
                try:
                    self._seen += os.read(self._ours, 65536)
                except OSError:  # the other side is closed
                    pytest.fail(f"wx ended before {text!r}: {self._seen[-3000:]!r}")
        return True

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
        self.process.wait(30)

    def end(self) -> int:
        """Tell it to end; return its status."""
        self.process.send_signal(signal.SIGTERM)
        with DefaultSelector() as selector:  # it may have to draw before it can end
            selector.register(self._ours, EVENT_READ)
            while self.process.poll() is None:
                if selector.select(0.05):
                    try:
                        os.read(self._ours, 65536)
                    except OSError:
                        break
        return self.process.wait(30)


def test_terminal_joins_asks_for_a_name_and_gives_the_terminal_back(
    server: ServerProcess, tmp_path: Path
) -> None:
    ann = Person(tmp_path / "ann")
    with Terminal(ann, invite(server)) as terminal:
        terminal.sees("Your name, as others see it")
        terminal.write("Ann\n")
        terminal.sees("Welcome")
        terminal.write("\r")
        terminal.sees("connected")
        assert terminal.end() == 0
    assert ann.wx("whoami").stdout.splitlines()[1] == "name    Ann"


def test_terminal_that_is_closed_leaves_nothing_running(
    server: ServerProcess, tmp_path: Path
) -> None:
    ann = Person(tmp_path / "ann")
    ann.join(invite(server), "Ann")
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup, and then by children too
    with Terminal(ann) as terminal:
        terminal.sees("Welcome")
        terminal.close()
        assert terminal.process.wait(30) == -signal.SIGHUP


def test_terminal_of_a_device_that_removes_itself_ends_with_one_line(
    server: ServerProcess, tmp_path: Path
) -> None:
    ann = Person(tmp_path / "ann")
    ann.join(invite(server), "Ann")
    with Terminal(ann) as terminal:
        terminal.sees("Welcome")
        terminal.write("\r")
        terminal.sees("F1 help")
        terminal.asks("/devices\r", "Your devices")
        device = re.search(rb"[0-9a-f]{16}", terminal.reads("last seen"))
        assert device is not None
        terminal.write(f"/revoke {device[0].decode()}\r")
        terminal.sees("wx: this device was removed from its account")
        assert terminal.process.wait(30) == DEVICE_REVOKED


def test_terminal_killed_while_the_server_is_away_sends_once_after_the_restart(
    tmp_path: Path,
) -> None:
    own = ServerProcess(tmp_path / "data").start()
    ann, bob = Person(tmp_path / "ann"), Person(tmp_path / "bob")
    ann.join(invite(own), "Ann")
    bobs = bob.join(invite(own), "Bob")
    assert ann.wx("send", "--to", bobs, "while all is well").returncode == 0
    own.kill()
    with Terminal(ann) as terminal:
        terminal.sees("Welcome")
        terminal.write("\r")
        terminal.sees("F1 help")
        terminal.settles()
        terminal.write("written in the dark\r")
        terminal.sees("1 waiting")
        terminal.kill()
    own.start()
    with Terminal(ann) as terminal:
        terminal.sees("written in the dark")
        terminal.sees("✓")
    texts = [one["text"] for one in bob.heard(3)]
    assert texts[1:] == ["while all is well", "written in the dark"]
    assert own.stop() == 0


# -- the screen on a real client ---------------------------------------------------------------


def on_asyncio(test: Callable[[Path], Awaitable[None]]) -> Callable[[Path], None]:
    """Return a test that pytest-trio does not take for its own."""

    def run(tmp_path: Path) -> None:
        async def bounded() -> None:
            with anyio.fail_after(DEADLINE_S):
                await test(tmp_path)

        anyio.run(bounded, backend="asyncio")

    return run


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[ServerProcess]:
    own = await run_sync(ServerProcess(directory).start)
    yield own
    assert await run_sync(own.stop) == 0, own.log()


class Seat(NamedTuple):
    """A person in front of a screen."""

    app: TerminalApp
    client: Client

    @property
    def messages(self) -> list[str]:
        """Return the texts of the open conversation, as they are shown."""
        items = self.app.pane.items
        return [item.text for item in items if isinstance(item, Message)]

    async def write(self, text: str) -> None:
        self.app.pane.composer.focus()
        self.app.pane.composer.text = text
        self.app.pane.composer.submit()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - what is shown has no event
            await anyio.sleep(0.02)


@asynccontextmanager
async def seat(server: ServerProcess, directory: Path, name: str) -> AsyncIterator[Seat]:
    async with wxclient.connect(
        invite(server), state=directory / name, account_name=name, options=QUICK
    ) as client:
        desk = Desk(client, lambda: datetime.now(UTC))
        await desk.open()
        await desk.set("greeted", "yes")
        app = TerminalApp(desk)
        async with app.run_test(size=(80, 24)):
            found = Seat(app, client)
            await found.until(lambda: app.pane.row is not None)
            yield found


@on_asyncio
async def test_screen_groups_talk_through_the_real_server(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "data") as server,
        seat(server, tmp_path, "Ann") as ann,
        wxclient.connect(
            invite(server), state=tmp_path / "bob", account_name="Bob", options=QUICK
        ) as bob,
    ):
        await ann.write(f"/group Boat club {format_address(bob.account)}")
        await ann.until(
            lambda: ann.app.pane.row is not None and ann.app.pane.row.name == "Boat club"
        )
        group = ann.app.pane.conversation
        assert group is not None
        async for entry in bob.entries():
            await entry.done()
            if isinstance(entry.fact, Invited):
                await bob.accept(entry.fact.conversation)
                break
        await bob.send(group, write_text("here I am"))
        await ann.until(lambda: ann.messages == ["here I am"])
        await ann.write("welcome")
        await ann.until(lambda: ann.messages == ["here I am", "welcome"])
        heard = []
        async for entry in bob.entries(own=True):
            await entry.done()
            heard += [read_body(entry.body)] if entry.conversation == group else []
            if Text("welcome") in heard:
                break
        assert heard[1:] in (
            [Title("Boat club"), Text("here I am"), Text("welcome")],
            [Text("here I am"), Title("Boat club"), Text("welcome")],
        )
        assert parse_address(format_address(ann.client.account)) == ann.client.account


@on_asyncio
async def test_screen_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server, seat(server, tmp_path, "Ann") as ann:
        await ann.write("before")
        await ann.until(lambda: ann.messages == ["before"])
        assert await run_sync(server.stop) == 0
        await ann.until(lambda: not ann.app.desk.online)
        await ann.write("between")
        await ann.until(lambda: ann.messages == ["before", "between"])
        assert ann.app.desk.sending.waiting == 1
        await run_sync(server.start)
        await ann.until(lambda: ann.app.desk.sending.waiting == 0)
        log = ann.client.self_conversation
        assert [read_body(one.body) for one in await ann.client.history(log)] == [
            Text("before"), Text("between"),
        ]  # fmt: skip

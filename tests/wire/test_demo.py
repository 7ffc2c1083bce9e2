"""``make run`` as a newcomer sees it."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.slow]
COMMAND = [sys.executable, "-m", "wxserve.app.demo"]


def test_demo_once_shows_the_exchange_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--once"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert len(re.findall(r"^  (Alice|Bob) +enrolled and online", done.stdout, re.MULTILINE)) == 2
    line = r"^  (?:Alice|Bob) +→ (?:Alice|Bob) .* #(\d+) +[\d.]+ ms +[\d.]+ ms$"
    assert re.findall(line, done.stdout, re.MULTILINE) == ["2", "3", "4", "5", "6"]
    exchange = [line for line in done.stdout.splitlines() if "→" in line or "enrolled" in line]
    assert max(map(len, exchange)) <= 80, "a small terminal shows it unbroken"
    assert done.stdout.endswith("Stopped; its data is removed.\n")
    assert list(tmp_path.iterdir()) == []


def test_demo_serves_until_it_is_interrupted_and_keeps_its_data(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--data", str(tmp_path / "data")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        shown = ""
        while "Ctrl-C stops" not in shown and (line := process.stdout.readline()):
            shown += line
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(20) == 0
    line = r"^    \S*wx --name (\w+) --state \S+ 'wxserve://127\.0\.0\.1:\d+/\S+'$"
    assert re.findall(line, shown, re.MULTILINE) == ["Carol", "Dave"]
    assert "Stopped; kept in" in rest
    assert (tmp_path / "data" / "wxserve.sqlite3").exists()


def test_demo_is_coloured_on_a_terminal_only(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [*COMMAND, "--once", "--data", str(tmp_path / "data")], stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65_536)
        except OSError:  # the other end was closed by the last process that had it
            break
    os.close(ours)
    assert done.wait(20) == 0
    assert b"\x1b[36mAlice" in shown
    assert b"\x1b[1mwxserve" in shown


def test_demo_that_cannot_listen_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--once", "--listen", "192.0.2.1:1", "--data", str(tmp_path / "data")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1:1" in done.stderr
    assert "Stopped" not in done.stdout

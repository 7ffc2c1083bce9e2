"""No process of a run outlives it, however it ends."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.engine import EngineError, running_engine
from bench.plan import Plan
from tests.architecture.sources import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.wire]

NOWHERE = ["--address", "127.0.0.1", "--port", "9"]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def wait_gone(pid: int) -> bool:
    """Wait for a process that is no child of ours; a descriptor of it can be polled."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0]) or is_gone(pid)
    finally:
        os.close(descriptor)


def test_generator_ends_at_its_deadline(tmp_path: Path) -> None:
    arguments = [*NOWHERE, "--deadline", "1"]
    with (
        running_engine(Plan(), arguments, tmp_path, None) as engine,
        pytest.raises(EngineError, match="ended with -14"),
    ):
        engine.pause(10)


def test_generator_is_gone_after_its_block(tmp_path: Path) -> None:
    with running_engine(Plan(), NOWHERE, tmp_path, None) as engine:
        pid = engine.pid
        assert not is_gone(pid)
    assert is_gone(pid)
    assert list(tmp_path.iterdir()) == []


def test_generator_is_gone_after_an_error(tmp_path: Path) -> None:
    pids: list[int] = []

    def fail() -> None:
        with running_engine(Plan(), NOWHERE, tmp_path, None) as engine:
            pids.append(engine.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert is_gone(pids[0])


def test_generator_with_an_unknown_command_is_an_error(tmp_path: Path) -> None:
    with (
        running_engine(Plan(), NOWHERE, tmp_path, None) as engine,
        pytest.raises(EngineError, match="ended with 3"),
    ):
        engine.command("dance")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ended_harness_leaves_neither_server_nor_generator(
    number: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "bench.load", "--pairs", "2"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # SIGKILL leaves the files
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stderr is not None
        harness.stderr.readline()  # the first line of progress: the load is on
        children = _children(harness.pid)
        harness.send_signal(number)
        harness.stderr.read()
    assert len(children) == 2
    assert all(wait_gone(child) for child in children)
    assert harness.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 128 + number)


def test_leash_ends_its_command_with_the_parent() -> None:
    parent = """
import os, subprocess, sys
leash = [sys.executable, "-m", "bench.leash", str(os.getpid()), "sleep", "60"]
child = subprocess.Popen(leash, stdout=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", parent], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    assert wait_gone(child)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in text.split()]

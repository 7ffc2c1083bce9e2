"""Fixtures for the tests of the load harness."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

INVITES = 100
StartFake = Callable[[str], list[str]]


@pytest.fixture
def fake_server(tmp_path: Path) -> Iterator[StartFake]:
    """Start a fake server with a fault; gives the arguments that point a run at it."""
    with contextlib.ExitStack() as stack:

        def start(fault: str) -> list[str]:
            command = [sys.executable, "-m", "tests.bench.fake_server", fault]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            invite = process.stdout.readline().strip()
            file = tmp_path / "invites"
            file.write_text("\n".join([invite] * INVITES))
            target = invite.removeprefix("wxserve+plain://").partition("/")[0]
            return ["--target", target, "--invites", str(file), "--json"]

        yield start

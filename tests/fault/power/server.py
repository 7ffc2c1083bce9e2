"""A real server process on a disk that fails when a test says so."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.wire.server_process import ServerProcess

from .recorder import Control, build_shim, shim_environment


class FailingServer(ServerProcess):
    """`wxserve serve` on the shim.

    Attributes:
        faults: makes its calls of the disk fail, from now on.
    """

    def __init__(self, place: Path) -> None:
        super().__init__(place / "data", tls=False)
        self._control = place / "control"
        self.faults = Control(self._control)
        self._shim = build_shim(place)

    def start(self) -> "FailingServer":
        """Start it; its disk fails as it did before."""
        with preloaded(shim_environment(self._shim, self.directory, self._control)):
            super().start()
        return self

    def refuse(self) -> str:
        """Start it where it cannot; return what it said."""
        with preloaded(shim_environment(self._shim, self.directory, self._control)):
            done = subprocess.run(
                [sys.executable, "-m", "wxserve", "serve", "--data", str(self.directory)],
                check=False, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        assert done.returncode != 0
        return done.stderr


@contextmanager
def preloaded(environment: dict[str, str]) -> Iterator[None]:
    """Let processes that are started inside have this environment."""
    usual = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(usual)

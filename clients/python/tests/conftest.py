"""A fake server, and a client driven by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .driving import Clock, Driver
from .fake_server import FakeServer


@pytest.fixture
def server() -> FakeServer:
    """Return a server without accounts."""
    return FakeServer()


@pytest.fixture
def driver(tmp_path: Path, server: FakeServer) -> Iterator[Driver]:
    """Return a client that was not enrolled yet."""
    driver = Driver(tmp_path / "one", server, Clock())
    yield driver
    driver.state.close()

"""A server process shared by the tests of one module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server with TLS, and default settings."""
    directory: Path = tmp_path_factory.mktemp("wire") / "data"
    process = ServerProcess(directory).start()
    yield process
    assert process.stop() == 0, process.log()

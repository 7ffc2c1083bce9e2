"""The example on the first screen works as it stands."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from wxclient._protocol.envelope import decode_envelope
from wxclient._protocol.identifiers import self_conversation

from .backends import on_both_backends
from .fake_listener import listening
from .fake_server import FakeServer

README = Path(__file__).parent.parent / "README.md"


@on_both_backends
async def test_readme_example_answers_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    example: dict[str, Any] = {"__name__": "example"}
    exec(README.read_text().split("```python\n")[1].split("```")[0], example)
    server = FakeServer()
    async with listening(server) as fake, anyio.create_task_group() as tasks:
        tasks.start_soon(example["main"], fake.invite())
        while not server.links:  # noqa: ASYNC110 - nothing tells when
            await anyio.lowlevel.checkpoint()
        (device,) = server.devices.values()
        log = self_conversation(device.account)
        server.say(log, b"hello")
        fake.push()
        entries = server.conversations[log].entries
        while len(entries) < 2:  # noqa: ASYNC110 - nothing tells when
            await anyio.lowlevel.checkpoint()
        assert decode_envelope(entries[1].envelope).body == b"you said: hello"
        tasks.cancel_scope.cancel()

"""What most tests of the router begin with: a server in memory and devices that are logged in."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from wxserve.protocol import frames as f
from wxserve.protocol.connection import Received
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId, OpId
from wxserve.testing.device import RefusedError, TestDevice
from wxserve.testing.memory import MemoryServer, memory_server


class Scene(NamedTuple):
    """A server and its devices, in the order of their names."""

    server: MemoryServer
    devices: tuple[TestDevice, ...]


@asynccontextmanager
async def scene(directory: Path, *names: str, **limits: Any) -> AsyncIterator[Scene]:
    """Run a server; enrol a device of an account of its own for each name."""
    async with memory_server(directory, **limits) as server:
        yield Scene(server, tuple([await TestDevice(server, name).enrol() for name in names]))


async def follow(*devices: TestDevice) -> None:
    """Let devices synchronise, and forget what they heard by then."""
    for device in devices:
        await device.sync()
        await device.wait_for(f.Synced)
        device.heard.clear()


async def refused(device: TestDevice, frame: f.Frame) -> ErrorCode:
    """Send a request that is refused; return the code."""
    return ErrorCode((await error(device, frame)).code)


async def error(device: TestDevice, frame: f.Frame) -> f.Error:
    """Send a request that is refused; return the answer."""
    with pytest.raises(RefusedError) as caught:
        await device.request(frame, f.Done)
    return caught.value.error


async def until(condition: Callable[[], object]) -> None:
    """Return when something holds."""
    with trio.fail_after(60):
        while True:
            if condition():
                return
            await trio.sleep(0.01)


async def answers(device: TestDevice, *streams: int) -> list[Received]:
    """Return the first answer on each stream."""
    await until(lambda: all(device.answers(stream) for stream in streams))
    return [device.answers(stream)[0] for stream in streams]


async def ended(device: TestDevice) -> ErrorCode:
    """Wait until the server hangs up; return what it said."""
    await until(lambda: device.link.closing)
    device.pump()
    last = device.heard[-1]
    assert isinstance(last, f.Error), last
    return ErrorCode(last.code)


def send(conversation: ConversationId, op: OpId, body: bytes = b"x", ttl_s: int = 0) -> f.Send:
    """Return the SEND of a message."""
    return f.Send(encode_envelope(message(conversation, op, body, ttl_s=ttl_s)))


def pushed(device: TestDevice, conversation: ConversationId) -> list[f.Frame]:
    """Return the entries and skips of a conversation that a device was pushed so far."""
    device.pump()
    kinds = (f.Deliver, f.Skip, f.TooFar)
    return [
        one for one in device.heard if isinstance(one, kinds) and one.conversation == conversation
    ]


def numbers(frames: list[f.Frame]) -> list[int]:
    """Return the sequence numbers of entries, in order."""
    return [frame.seq for frame in frames if isinstance(frame, f.Deliver)]

"""Two devices that meet and talk: what an application does with the SDK, in one screen.

Run it as ``python -m wxclient.demo DIRECTORY``; it reads two invites from standard input, one a
line (a command line would show them to other users of the machine), and keeps the devices' state in
the directory.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from wxclient import Client, ConversationId, Kind, connect

TALK: Final = (
    ("Alice", "Hello Bob, can you hear me?"),
    ("Bob", "Loud and clear. And you?"),
    ("Alice", "Every word, in order, exactly once."),
    ("Bob", "Even when the network breaks?"),
    ("Alice", "Even then."),
)
DEADLINE_S: Final = 30.0
_COLOURS: Final = {"Alice": "36", "Bob": "35", "quiet": "2"}


class Device(NamedTuple):
    """One of the two."""

    name: str
    client: Client


async def exchange(invites: Sequence[str], directory: Path) -> None:
    """Enrol Alice and Bob, and let each send the other messages.

    Args:
        invites: two.
        directory: for the state of the devices.
    """
    first, second = invites
    started = perf_counter()
    async with connect(
        first, state=directory / "alice", account_name="Alice", device_name="demo"
    ) as alice_client:
        alice = Device("Alice", alice_client)
        await _introduce(alice, started)
        started = perf_counter()
        async with connect(
            second, state=directory / "bob", account_name="Bob", device_name="demo"
        ) as bob_client:
            bob = Device("Bob", bob_client)
            await _introduce(bob, started)
            await _talk(alice, bob)


async def _introduce(device: Device, started: float) -> None:
    await device.client.wait_connected()
    about = f"enrolled and online  device {device.client.device.hex()}"
    _write(f"  {_paint(device.name, device.name, 6)}  {about}  {_ms(started)}")


async def _talk(alice: Device, bob: Device) -> None:
    talk = await alice.client.create_direct(bob.client.account)
    arrived, arrivals = anyio.create_memory_object_stream[float](len(TALK))
    async with arrived, arrivals, anyio.create_task_group() as tasks:
        for device in (alice, bob):
            tasks.start_soon(_listen, device, talk, arrived)
        _write(f"\n{'accepted   delivered':>78}")
        for name, text in TALK:
            sender, reader = (alice, bob) if name == "Alice" else (bob, alice)
            started = perf_counter()
            accepted = await sender.client.send(talk, text.encode())
            accepted_ms = _ms(started)
            delivered_ms = _ms(started, await arrivals.receive())
            names = f"{_paint(name, name, 5)} → {_paint(reader.name, reader.name, 5)}"
            seq = _paint(f"#{accepted.seq:<3}", "quiet")
            _write(f"  {names}  {text:35}  {seq}  {accepted_ms:>8}    {delivered_ms:>8}")
        tasks.cancel_scope.cancel()


async def _listen(
    device: Device,
    talk: ConversationId,
    arrivals: MemoryObjectSendStream[float],
) -> None:
    """Take what arrives; ``done`` tells the SDK that it need not come again."""
    async for entry in device.client.entries():
        from_other = entry.account != device.client.account
        if entry.conversation == talk and entry.kind == Kind.MESSAGE and from_other:
            await arrivals.send(perf_counter())
        await entry.done()


def _ms(started: float, now: float | None = None) -> str:
    return f"{((now or perf_counter()) - started) * 1000:5.1f} ms"


def _paint(text: str, colour: str, width: int = 0) -> str:
    padded = text.ljust(width)
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return padded
    return f"\x1b[{_COLOURS[colour]}m{padded}\x1b[0m"


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _main(directory: Path) -> int:
    invites = sys.stdin.read().split()
    with anyio.move_on_after(DEADLINE_S):
        await exchange(invites, directory)
        return 0
    sys.stderr.write(f"the devices did not finish within {DEADLINE_S:.0f} s\n")
    return 1


def main() -> int:
    """Carry out the command line; return the exit status."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m wxclient.demo DIRECTORY <invites\n")
        return 2
    try:
        return anyio.run(_main, Path(sys.argv[1]))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())

"""The server under test: started on its own data directory, or running somewhere already."""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bench.processes import affinity
from bench.wire import Invite, parse_invite

READY: Final = re.compile(r"^ready .*?tcp=(\S+):(\d+)")
START_S: Final = 60.0
STOP_S: Final = 30.0
READ_SIZE: Final = 4096
OURS: Final = "wxserve"
DURABLE: Final = "synced before ACCEPTED (SQLite WAL, synchronous=FULL)"


class ServerError(RuntimeError):
    """The server does not start, or ended."""


class Server(NamedTuple):
    """Where the server is, and what can be asked about it.

    Attributes:
        host: an IPv4 address.
        port: of its listener.
        pid: its process; None if it is not ours, then nothing is known of its time and memory.
            The processes it has started count with it.
        data: its data directory; None if it is not ours.
        invites: for enrolling devices, as long as they last.
        tls: whether it speaks TLS.
        dialect: the generator's name of its protocol.
        version: of the program; empty for the one that lies beside this harness.
        durability: what an acceptance means.
        codec: compiled, or pure Python; empty where that is not known.
        also: further processes that belong to it, its database for one.
    """

    host: str
    port: int
    pid: int | None
    data: Path | None
    invites: tuple[Invite, ...]
    tls: bool
    dialect: str = OURS
    version: str = ""
    durability: str = ""
    codec: str = ""
    also: tuple[int, ...] = ()

    @property
    def pids(self) -> tuple[int, ...]:
        """Every process of the server that has no parent among the others."""
        return () if self.pid is None else (self.pid, *self.also)

    @property
    def is_peer(self) -> bool:
        """Whether it is another server than ours, for comparison."""
        return self.dialect != OURS

    @property
    def pin(self) -> bytes:
        """SHA-256 of its public key; empty for plain TCP."""
        return self.invites[0].pin if self.invites else b""


class Launch(NamedTuple):
    """How to start a server.

    Attributes:
        data: its data directory.
        tls: whether it speaks TLS.
        core: the processor to run on, None for any.
        invites: how many to ask for.
        config: its configuration file; None for its defaults.
    """

    data: Path
    tls: bool
    core: int | None
    invites: int
    config: Path | None = None


def program() -> list[str]:
    """Return the command of the product: WXSERVE_BENCH_SERVER, or this Python's module."""
    named = os.environ.get("WXSERVE_BENCH_SERVER")
    return named.split() if named else [sys.executable, "-m", "wxserve"]


def codec() -> str:
    """Return how the product reads and writes frames; empty if it does not say."""
    done = subprocess.run(  # noqa: S603 - our own command
        [*program(), "--version"], capture_output=True, text=True, check=False
    )
    return done.stdout.partition("(")[2].partition(")")[0]


@contextlib.contextmanager
def running_server(launch: Launch) -> Iterator[Server]:
    """Run a server; it is gone when this ends, and it ends with us in any case.

    Raises:
        ServerError: it does not become ready, or it did not end well.
    """
    command = [
        sys.executable,
        "-m",
        "bench.leash",
        str(os.getpid()),
        *program(),
        "serve",
    ]
    command += ["--data", str(launch.data), "--listen", "127.0.0.1:0", "--log-level", "warning"]
    if launch.config is not None:
        command += ["--config", str(launch.config)]
    if not launch.tls:
        command.append("--insecure-plaintext")
    log = launch.data.parent / f"{launch.data.name}.log"
    with log.open("wb") as errors, affinity(launch.core):
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    try:
        host, port = _wait_ready(process, log)
        invites = invite(launch.data, max(1, launch.invites))
        yield Server(
            host, port, process.pid, launch.data, invites, launch.tls,
            durability=DURABLE, codec=codec(),
        )  # fmt: skip
        if process.poll() is not None:
            raise ServerError(f"the server ended with {process.returncode}; see {log}")
    finally:
        _stop(process)


def _wait_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[str, int]:
    assert process.stdout is not None
    end, text = time.monotonic() + START_S, b""
    while time.monotonic() < end:
        if not select.select([process.stdout], [], [], 0.5)[0]:
            continue
        more = os.read(process.stdout.fileno(), READ_SIZE)
        text += more
        found = READY.search(text.decode())
        if found and b"\n" in text:
            return found[1], int(found[2])
        if not more:
            break
    raise ServerError(f"the server did not become ready:\n{log.read_text()[-2000:]}")


def invite(data: Path, count: int) -> tuple[Invite, ...]:
    """Return fresh invites of the server with a data directory.

    Raises:
        ServerError: it makes none.
    """
    command = [*program(), "invite", "--data", str(data), "--count", str(count), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        raise ServerError(f"no invites: {done.stderr[-2000:]}")
    return tuple(parse_invite(uri) for uri in json.loads(done.stdout)["invites"])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def remote_server(target: str, invites: Path) -> Server:
    """Return a server that runs somewhere already.

    Args:
        target: HOST:PORT, the host an IPv4 address.
        invites: a file with one invite URI a line, or the JSON that ``wxserve invite`` prints.

    Raises:
        ServerError: the file has no invites.
    """
    host, _, port = target.rpartition(":")
    text = invites.read_text()
    lines = json.loads(text)["invites"] if text.lstrip().startswith("{") else text.split()
    found = tuple(parse_invite(uri) for uri in lines)
    if not found:
        raise ServerError(f"no invites in {invites}")
    unknown = "unknown: not our server"
    return Server(host, int(port), None, None, found, bool(found[0].pin), durability=unknown)

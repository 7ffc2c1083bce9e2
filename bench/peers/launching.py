"""Processes of a peer: started on a core and a leash, watched until ready, killed or stopped."""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bench.processes import affinity, family

START_S: Final = 90.0
STOP_S: Final = 30.0
LOOK_S: Final = 0.05
HOST: Final = "127.0.0.1"
LOG_TAIL: Final = 2000


class PeerError(RuntimeError):
    """A peer is not installed, does not start, or ended."""


class Place(NamedTuple):
    """Where one run of a peer happens. Starting again in the same place finds what was kept.

    Attributes:
        directory: for its configuration and data, nobody else's.
        port: to listen on.
        core: the processor to run on, None for any.
        accounts: that it must know: u0, u1, …
    """

    directory: Path
    port: int
    core: int | None
    accounts: int


@dataclass
class Running:
    """The processes of a peer that runs, the one with the listener first.

    Attributes:
        place: where.
        processes: those that we started; others are their children.
    """

    place: Place
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that we started."""
        return tuple(process.pid for process in self.processes)

    def launch(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process of it; its output goes to the log in its place.

        Args:
            command: what to run. It ends with this program.
            environment: variables on top of this program's own.
        """
        leashed = command
        if Path(command[0]).name != "setpriv":  # which has a leash of its own
            leashed = [sys.executable, "-m", "bench.leash", str(os.getpid()), *command]
        with affinity(self.place.core), (self.place.directory / "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.processes.insert(0, process)
        return process

    def wait_ready(self, is_ready: Callable[[], bool]) -> None:
        """Wait until something holds.

        Raises:
            PeerError: it does not, within START_S or before a process ends.
        """
        end = time.monotonic() + START_S
        while not is_ready():
            try:
                code = self.processes[0].wait(LOOK_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() < end:
                    continue
                code = None
            self.kill()
            tail = (self.place.directory / "log").read_text(errors="replace")[-LOG_TAIL:]
            raise PeerError(f"a peer did not become ready (ended with {code}):\n{tail}")

    def kill(self) -> None:
        """End every process at once, so that nothing can be written any more."""
        pids = family(self.pids)
        for number in (signal.SIGSTOP, signal.SIGKILL):  # nobody may see another's end and react
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        for process in self.processes:
            process.wait()
        self.processes.clear()

    def stop(self) -> None:
        """End every process, the one with the listener first; kills what does not go."""
        for process in self.processes:
            children = family([process.pid])
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pid in children:
                wait_gone(pid, STOP_S)
        self.processes.clear()


def wait_gone(pid: int, seconds: float) -> None:
    """Wait for a process that need not be a child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        port: int = one.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Return whether somebody listens on a port."""
    try:
        socket.create_connection((HOST, port), 1.0).close()
    except OSError:
        return False
    return True


def program(name: str) -> str:
    """Return the path of a program.

    Raises:
        PeerError: it is not installed.
    """
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise PeerError(f"{name} is not installed")
    return found


def run(command: Sequence[str], **environment: str) -> str:
    """Run a command to its end; return its output.

    Raises:
        PeerError: it failed.
    """
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        raise PeerError(f"{' '.join(command)} failed: {(done.stderr or done.stdout)[-LOG_TAIL:]}")
    return done.stdout


@contextlib.contextmanager
def stopped_at_end(running: Running) -> Iterator[Running]:
    """Stop a peer when the block ends, however it ends."""
    try:
        yield running
    except BaseException:
        running.kill()
        raise
    running.stop()

"""What may look over the server's shoulder while a span is measured: a profiler, a counter of syncs.

Both slow the server down, so figures of such a run are not for comparing.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

SAMPLES_PER_S: Final = 400
END_S: Final = 30.0
"""How long an observer may take to write what it has seen."""
SYNC_CALLS: Final = ("fsync", "fdatasync", "sync_file_range", "msync")
COUNT: Final = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.MULTILINE)


class ObserverError(RuntimeError):
    """A tool is missing, or may not look at the server."""


def _tool(name: str, hint: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise ObserverError(f"{name} is not installed: {hint}")
    return found


@contextlib.contextmanager
def flame_graph(pid: int, path: Path) -> Iterator[None]:
    """Sample the Python stacks of a process; write a flame graph, or raw stacks for ``.txt``.

    Args:
        pid: the server.
        path: where to.

    Raises:
        ObserverError: py-spy is missing or may not look.
    """
    form = "raw" if path.suffix == ".txt" else "flamegraph"
    command = [_tool("py-spy", "pip install py-spy (the extra `bench`)"), "record"]
    command += ["--pid", str(pid), "--rate", str(SAMPLES_PER_S), "--threads"]
    command += ["--format", form, "--output", str(path)]
    with _beside(command):
        yield
    if not path.exists():
        raise ObserverError("py-spy wrote nothing; it may need the right to trace (as root)")
    print(f"bench: wrote {path}", file=sys.stderr)


@contextlib.contextmanager
def counted_syncs(pids: Sequence[int]) -> Iterator[dict[str, int]]:
    """Count the calls by which processes ask the disk to keep what they wrote.

    Args:
        pids: of the server, all of them.

    Yields:
        Counts by name of the call; filled in at the end.

    Raises:
        ObserverError: strace is missing or may not look.
    """
    command = [_tool("strace", "install the package strace"), "-f", "-c", "-U"]
    command += ["time-percent,total-time,avg-time,calls,errors,name"]
    command += ["-e", "trace=" + ",".join(SYNC_CALLS)]
    command += [word for pid in pids for word in ("-p", str(pid))]
    counts: dict[str, int] = {}
    with _beside(command) as seen:
        yield counts
    for calls, name in COUNT.findall(seen[0]):
        if name in SYNC_CALLS:
            counts[name] = int(calls)


@contextlib.contextmanager
def _beside(command: list[str]) -> Iterator[list[str]]:
    """Run a tool until the block ends; it is interrupted then and may write. Yields its output."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    output: list[str] = []
    try:
        yield output
        process.send_signal(signal.SIGINT)
        output.append(process.communicate(timeout=END_S)[1])
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()

"""Where a run happens: the server, its cast, the generator, and the meter between two moments."""

import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from bench.cast import Cast
from bench.engine import Engine, Report, running_engine
from bench.observers import counted_syncs, flame_graph
from bench.options import Options
from bench.plan import Plan
from bench.processes import (
    Usage,
    cores_busy_s,
    disk_bytes,
    family,
    memory_kb,
    usage_of,
    written_bytes,
)
from bench.server import Server

SERVER_CORE: Final = 0
GENERATOR_CORE: Final = 1
SOURCES: Final = 4000
"""Loopback addresses the devices come from: servers limit what one address may do."""
PROGRESS_S: Final = 1.0


class Stored(NamedTuple):
    """What is in a store."""

    conversations: int
    entries: int


class Span(NamedTuple):
    """What happened between two moments.

    Attributes:
        report: the generator's counts and times.
        usage: processor time of the server; None if it is not ours.
        disk: bytes by which its database grew.
        written: bytes it made the disk write.
        others_s: time of the server's processor (unpinned: of all) that neither it nor the
            generator used.
        syncs: calls by which it made the disk keep something; 0 if they were not counted.
    """

    report: Report
    usage: Usage | None
    disk: int
    written: int
    others_s: float
    syncs: int

    @property
    def wall_s(self) -> float:
        """How long it was."""
        return float(self.report["wall_s"])

    @property
    def generator_busy(self) -> float:
        """Which part of its processor the generator used."""
        return float(self.report["cpu_s"]) / self.wall_s

    def per(self, what: str) -> float:
        """Return how many of a count there were each second."""
        return float(self.report[what]) / self.wall_s

    def cpu_us(self, count: float) -> float | None:
        """Return the server's processor time for each of ``count`` things, in microseconds."""
        if self.usage is None or not count:
            return None
        return self.usage.cpu_s / count * 1e6


@dataclass
class Stage:
    """Everything a scenario needs.

    Attributes:
        options: what is asked.
        server: under test.
        cast: where devices come from.
        directory: for files of this run.
        retries: attempts to log in for each device before the run is given up; 0: a few.
    """

    options: Options
    server: Server
    cast: Cast
    directory: Path
    retries: int = 0

    @contextlib.contextmanager
    def engine(self, plan: Plan) -> Iterator[Engine]:
        """Run the generator on a plan.

        Raises:
            EngineError: it ended.
        """
        options, server = self.options, self.server
        arguments = ["--address", server.host, "--port", str(server.port)]
        arguments += ["--deadline", str(options.run_limit_s), "--late-ms", str(options.late_ms)]
        if server.host.startswith("127."):
            arguments += ["--sources", str(SOURCES)]
        if self.retries:
            arguments += ["--retries", str(self.retries)]
        if server.is_peer:
            arguments += ["--dialect", server.dialect]
        if server.tls:
            arguments += ["--pin", server.pin.hex()]
        core = GENERATOR_CORE if options.pinned else None
        with running_engine(plan, arguments, self.directory, core) as engine:
            yield engine

    def stored(self) -> Stored | None:
        """Return what is in the server's store; None if it is not ours."""
        if self.server.data is None:
            return None
        path = self.server.data / "wxserve.sqlite3"
        sql = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            (conversations,) = sql.execute("SELECT count(*) FROM conversation").fetchone()
            (entries,) = sql.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
        finally:
            sql.close()
        return Stored(conversations, entries)

    def memory_kb(self) -> int | None:
        """Return the server's resident memory; None if it is not ours."""
        return memory_kb(self.server.pids) if self.server.pids else None

    @property
    def patience_s(self) -> float:
        """How long a step of this run may take."""
        return float(self.options.run_limit_s)


class Meter:
    """Measures one span of a run.

    Attributes:
        syncs: of the server in the last span, if they were counted.
    """

    def __init__(self, stage: Stage, engine: Engine) -> None:
        self._server = stage.server
        self._options = stage.options
        self.syncs = 0
        self._engine = engine
        self._usage: Usage | None = None
        self._busy_s = 0.0
        self._disk = self._written = 0

    @property
    def _core(self) -> int | None:
        return SERVER_CORE if self._options.pinned else None

    def start(self) -> None:
        """Begin a span.

        Raises:
            EngineError: the generator ended.
        """
        self._engine.command("window")
        if self._server.pids:
            self._usage = usage_of(self._server.pids)
            self._busy_s = cores_busy_s(self._core)
            self._written = written_bytes(self._server.pids)
        if self._server.data is not None:
            self._disk = disk_bytes(self._server.data)

    def stop(self) -> Span:
        """End the span.

        Raises:
            EngineError: the generator ended.
        """
        pids, usage, others_s = self._server.pids, None, 0.0
        if self._usage is not None:
            usage = usage_of(pids).since(self._usage)
            others_s = cores_busy_s(self._core) - self._busy_s - usage.cpu_s
        report = self._engine.command("window")
        if not self._options.pinned:
            others_s -= report["cpu_s"]
        disk = disk_bytes(self._server.data) - self._disk if self._server.data else 0
        written = written_bytes(pids) - self._written
        return Span(report, usage, disk, written, max(0.0, others_s), self.syncs)

    def run(self, seconds: float, label: str) -> Span:
        """Measure a span of so many seconds, with progress on standard error.

        Raises:
            EngineError: the generator ended.
        """
        self.start()
        with self._observed():
            self.wait(seconds, label)
        return self.stop()

    @contextlib.contextmanager
    def _observed(self) -> Iterator[None]:
        options, pid = self._options, self._server.pid
        with contextlib.ExitStack() as stack:
            counts: dict[str, int] = {}
            if pid is not None and options.profile is not None:
                stack.enter_context(flame_graph(pid, options.profile))
            if pid is not None and options.syncs:
                counts = stack.enter_context(counted_syncs(family(self._server.pids)))
            yield
        self.syncs = sum(counts.values())

    def wait(self, seconds: float, label: str) -> None:
        """Let time pass, with progress on standard error.

        Raises:
            EngineError: the generator ended.
        """
        end = time.monotonic() + seconds
        before = self._engine.command("peek")
        while (left := end - time.monotonic()) > 0:
            self._engine.pause(min(PROGRESS_S, left))
            now = self._engine.command("peek")
            if not self._options.quiet and left > PROGRESS_S / 2:
                print(
                    f"bench: {label}: {now['completed'] - before['completed']} messages, "
                    f"{now['delivered'] - before['delivered']} deliveries, {now['live']} online, "
                    f"{max(0.0, left - PROGRESS_S):.0f} s to go",
                    file=sys.stderr,
                )
            before = now


def connect(stage: Stage, engine: Engine, first: int, count: int) -> float:
    """Log devices in; return how many seconds it took until all were current.

    Raises:
        EngineError: they are not within the time of the run.
    """
    started = time.monotonic()
    at_once = min(stage.options.at_once, engine.at_once_max)
    engine.command(f"connect {first} {count} {at_once}", stage.patience_s)
    return time.monotonic() - started


def finish(stage: Stage, engine: Engine) -> Report:
    """End the load, wait for what is under way, and return the verdict.

    Raises:
        EngineError: the generator ended.
    """
    engine.command("stop")
    settle(stage, engine)
    return engine.command("verdict")


def settle(stage: Stage, engine: Engine) -> None:
    """Wait for what is under way.

    Raises:
        EngineError: the generator ended.
    """
    settle_ms = stage.options.settle_ms
    engine.command(f"settle {settle_ms}", settle_ms / 1000 + 10)

"""Thousands of hostile connections: all are ended in time, and healthy devices do not notice."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fault.pulse import Newcomers, Pulse, Waited, for_seconds, p99_ms
from tests.fault.results import budget_s, progress, record
from tests.wire.server_process import ServerProcess

pytestmark = [pytest.mark.fault, pytest.mark.wire, pytest.mark.slow]
CROWD = Path(__file__).with_name("crowd.py")
REAPED_S = 15.0
SLOWER = 1.5
BUSY = 0.05
"""Above this share of the calm time in which the server was ready and had no processor, others
use the machine, and nobody can say whose fault a delay is."""
CALM_S = 8.0
"""Of healthy traffic alone before each large crowd, to compare with."""
GROWN_KIB = 8 * 1024
"""What a busy crowd leaves in the allocator; one TLS state is 48 KiB, and there are hundreds."""


class Kind(NamedTuple):
    """One sort of hostile connection, and how many of it: (small, large), and a second."""

    name: str
    counts: tuple[int, int]
    rates: tuple[int, int]


KINDS = [
    Kind("silent", (600, 15_000), (1_500, 1_500)),
    Kind("slow", (200, 2_000), (400, 300)),
    Kind("greeted", (40, 1_000), (60, 50)),
    Kind("large", (40, 1_000), (60, 50)),
    Kind("hello", (200, 2_000), (400, 300)),
    Kind("late", (40, 1_000), (60, 100)),
]
LATE_S = (0.8, 9.0)
"""When a late one begins TLS, shortly before its deadline: (small, large)."""
SHORT = "[transport]\ntls_handshake_deadline_s = 1\n[router]\nhandshake_deadline_s = 1\n"
"""Deadlines of the small size; the large one keeps the defaults."""


class Ended(NamedTuple):
    """What became of a crowd.

    Attributes:
        longest_s: how long the server kept one at most.
        left: connections that it had not ended when the crowd gave up.
        unopened: connections that it did not let in at all.
        delays_s: of healthy messages meanwhile, sorted.
    """

    longest_s: float
    left: int
    unopened: int
    delays_s: list[float]


class Wave(NamedTuple):
    """One crowd, and what healthy devices felt just before and meanwhile."""

    kind: Kind
    ended: Ended
    calm_ms: float
    rss_kib: int
    busy: bool

    @property
    def p99_ms(self) -> float:
        """Of the healthy messages meanwhile."""
        return p99_ms(self.ended.delays_s)

    def __str__(self) -> str:
        ended = self.ended
        return (
            f"{self.kind.name}: kept {ended.longest_s} s, {ended.left} left, {ended.unopened} not "
            f"let in, p99 {self.p99_ms:.1f} ms (before {self.calm_ms:.1f}), {self.rss_kib} KiB"
            + ", not judged: the machine was busy"
            * self.busy
        )


@contextlib.contextmanager
def running(directory: Path, config: str) -> Iterator[ServerProcess]:
    """Run a server with TLS."""
    directory.mkdir(mode=0o700)
    (directory / "wxserve.toml").write_text(config)
    server = ServerProcess(directory).start()
    try:
        yield server
    finally:
        assert server.stop() == 0, server.log()[-2000:]


def attack(server: ServerProcess, pulse: Pulse, kind: Kind, *, large: bool) -> Ended:
    """Let a crowd come and go while healthy devices talk."""
    count, rate = kind.counts[large], kind.rates[large]
    process = subprocess.Popen(
        [
            sys.executable, str(CROWD), server.host, str(server.port), kind.name,
            str(count), str(rate), str(LATE_S[large]), "60",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        delays = pulse.beat(lambda: process.poll() is None)
        words = process.stdout.read().split()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert words[:3] == ["up", "all", "reaped"], words
    return Ended(float(words[3]), int(words[5]), int(words[7]), delays)


def sockets(server: ServerProcess) -> int:
    """Return how many descriptors the server has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def test_hostile_crowds_are_all_ended_and_healthy_devices_go_on(tmp_path: Path) -> None:
    if budget_s():
        withstand_large_crowds(tmp_path / "data")
    else:
        withstand_small_crowds(tmp_path / "data")


def withstand_small_crowds(data: Path) -> None:
    """Nothing here is judged by the clock: all are ended, memory stays, healthy messages arrive."""
    with running(data, SHORT) as server:
        pulse = Pulse(server, 2, 20)
        try:
            ended = [attack(server, pulse, kind, large=False) for kind in KINDS]
            before_kib, before = server.rss_kib(), sockets(server)
            ended += [attack(server, pulse, kind, large=False) for kind in KINDS]
            pulse.beat(lambda: sockets(server) > before)
            assert [one.left for one in ended] == [0] * len(ended)
            assert server.rss_kib() - before_kib < GROWN_KIB
        finally:
            pulse.close()


def withstand_large_crowds(data: Path) -> None:
    """Crowd after crowd with the defaults of the server, held against the promise."""
    waves: list[Wave] = []
    with running(data, "") as server, Newcomers(server) as newcomers:
        pulse = Pulse(server, 10, 20)
        try:
            attack(server, pulse, KINDS[0], large=False)
            go_on = for_seconds(budget_s() * 0.7)
            while len(waves) < len(KINDS) or go_on():
                kind = KINDS[len(waves) % len(KINDS)]
                waited = Waited(server)
                calm_ms = p99_ms(pulse.beat(for_seconds(CALM_S)))
                busy = waited.share() > BUSY
                ended = attack(server, pulse, kind, large=True)
                waves.append(Wave(kind, ended, calm_ms, server.rss_kib(), busy))
                progress(f"{len(waves)} crowds")
        finally:
            pulse.close()
    judge(waves, newcomers)


def judge(waves: list[Wave], newcomers: Newcomers) -> None:
    """Hold it against the promise, and record it."""
    report = "\n".join(map(str, waves))
    later = waves[len(KINDS) :]
    grown = [now.rss_kib - then.rss_kib for then, now in zip(waves, later, strict=False)]
    slower = sorted(wave.p99_ms / wave.calm_ms for wave in waves if not wave.busy)
    record(
        "P24",
        "hostile crowds: 15,000 silent, 2,000 slow and greeting, 1,000 silent, oversized and late",
        len(waves),
        faults=sum(wave.kind.counts[1] for wave in waves),
        accepted=sum(len(wave.ended.delays_s) for wave in waves),
        kept_s=max(wave.ended.longest_s for wave in waves),
        slower=[round(times, 2) for times in slower],
        logged_in=len(newcomers.took_s),
        log_in_s=round(max(newcomers.took_s), 2),
        report=list(map(str, waves))[-8:],
    )
    assert not newcomers.failed, newcomers.failed
    assert not any(wave.ended.left for wave in waves), report
    kept_s = [wave.ended.longest_s for wave in waves if not wave.busy]
    assert max(kept_s, default=0) <= REAPED_S, report
    assert max(grown, default=0) < GROWN_KIB, report
    assert not slower or slower[len(slower) // 2] <= SLOWER, report

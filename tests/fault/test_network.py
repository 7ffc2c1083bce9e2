"""Real TCP that loses packets, goes silent in one direction or in both: nothing is lost."""

import random
import time
from pathlib import Path

import pytest

from tests.fault.namespace import Namespace, namespace
from tests.fault.pulse import Waited
from tests.fault.results import budget_s, new_seed, progress, record
from tests.fault.torture import Size, Torture
from tests.wire.server_process import ServerProcess

pytestmark = [pytest.mark.fault(share=2), pytest.mark.wire, pytest.mark.slow]
HEARTBEAT_S = 2
"""The longest interval; after 2.5 of them a silent peer is given up."""
CONFIG = f"""
[router]
heartbeat_min_s = 1
heartbeat_max_s = {HEARTBEAT_S}
handshake_deadline_s = 3
[transport]
tls_handshake_deadline_s = 3
close_deadline_s = 0.5
linger_s = 0.5
"""
"""Deadlines of those that are still coming in or already going are below the silence, so that it
alone is what is measured."""
SILENCE_S = 2.5 * HEARTBEAT_S
BUSY = 0.05
"""Above this share of a blackout in which the server waited for a processor, its time is not judged."""
LATE_S = 3.0
"""The server notes signs of life once a second, looks for silence once a second, and lets the
connection linger for half of one."""
ROUNDS_MIN = 4
SMALL = Size(devices=8, devices_per_process=4, groups=1, direct_pause_s=0.02, group_pause_s=0.1)
LARGE = Size(devices=50, devices_per_process=10, groups=1, direct_pause_s=0.3, group_pause_s=10)


def matches(draw: random.Random, port: int) -> tuple[str, ...]:
    """Draw what is dropped: a part of everything, one direction, both."""
    to_server, to_client = f"tcp dport {port}", f"tcp sport {port}"
    loss = draw.choice([2, 5, 20, 40])
    lossy = f"numgen random mod 100 < {loss}"
    return draw.choice([
        (f"{to_server} {lossy}", f"{to_client} {lossy}"),
        (f"{to_server} {lossy}", f"{to_client} {lossy}"),
        (to_server,),
        (to_client,),
        (to_server, to_client),
    ])


class Weather:
    """Changes of the network while devices talk over it.

    Attributes:
        faults: changes made.
        reaped_s: for each blackout that was waited for, how long the server believed in its peers.
        judged_s: those during which the server had a processor when it wanted one.
    """

    def __init__(self, inside: Namespace, torture: Torture, draw: random.Random) -> None:
        self._inside = inside
        self._torture = torture
        self._draw = draw
        self.faults = 0
        self.reaped_s: list[float] = []
        self.judged_s: list[float] = []

    def change(self) -> None:
        """Lose something for a while, then nothing for a while."""
        self._inside.drop(*matches(self._draw, self._torture.server.port))
        self.faults += 1
        time.sleep(self._draw.uniform(0.2, 3 if self._draw.random() < 0.8 else 2 * SILENCE_S))
        self._inside.drop()
        time.sleep(self._draw.uniform(0.1, 1.5))

    def black_out(self) -> None:
        """Drop everything until the server has given up every connection."""
        port = self._torture.server.port
        self._wait_established(len(self._torture.devices))
        self._inside.drop(f"tcp dport {port}", f"tcp sport {port}")
        self.faults += 1
        waited = Waited(self._torture.server)
        begin = time.monotonic()
        while self._inside.established(port):
            time.sleep(0.05)
            assert time.monotonic() - begin < 12 * SILENCE_S, "half-open connections stay"
        self.reaped_s.append(time.monotonic() - begin)
        if waited.share() <= BUSY:
            self.judged_s.append(self.reaped_s[-1])
        self._inside.drop()

    def _wait_established(self, count: int) -> None:
        end = time.monotonic() + 60
        while self._inside.established(self._torture.server.port) < count:
            time.sleep(0.05)
            assert time.monotonic() < end, self._torture.client_logs()


def test_lost_packets_and_half_open_connections_lose_no_message(tmp_path: Path) -> None:
    budget, seed = budget_s(), new_seed()
    draw = random.Random(seed)
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data/wxserve.toml").write_text(CONFIG)
    with namespace() as inside:
        server = ServerProcess(tmp_path / "data", prefix=inside.prefix)
        torture = Torture(tmp_path, LARGE if budget > 120 else SMALL, seed, server)
        weather = Weather(inside, torture, draw)
        try:
            torture.prepare()
            torture.begin()
            weather.black_out()
            rounds, end = 0, time.monotonic() + budget * 0.8
            while rounds < ROUNDS_MIN or time.monotonic() < end:
                rounds += 1
                weather.change()
                if budget and rounds % 10 == 0:
                    weather.black_out()
                progress(f"{rounds} rounds, {len(weather.reaped_s)} blackouts")
            verdict = torture.settle(max(90, budget * 0.2))
        finally:
            torture.close()
    told = f"seed {seed}, {rounds} rounds, reaped after {weather.reaped_s} s, {verdict}"
    assert verdict.holds, told
    assert verdict.settled, told
    assert verdict.accepted > 20, told
    assert not budget or max(weather.judged_s, default=0) <= SILENCE_S + LATE_S, told
    record(
        "P8",
        "kernel TCP that drops 2 to 100 % of the packets, in one direction or both",
        rounds,
        faults=weather.faults,
        accepted=verdict.accepted,
        raw_duplicates=verdict.duplicates,
        reaped_s=max(weather.reaped_s),
        seeds=[seed],
    )

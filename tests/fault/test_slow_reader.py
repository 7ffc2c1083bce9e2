"""A reader that stops reading: it costs bounded memory, slows nobody, and misses nothing."""

import time
from pathlib import Path

import pytest

from tests.fault.pulse import Pair, Pulse, Waited, p99_ms
from tests.fault.results import budget_s, progress, record
from tests.wire.raw_client import RawDevice
from tests.wire.server_process import ServerProcess
from wxserve.protocol import frames as f

pytestmark = [pytest.mark.fault, pytest.mark.wire, pytest.mark.slow]
GROWN_KIB = 2 * 1024
COLD_ROUNDS = 4
"""Rounds in which the server still grows by itself, whoever reads; then its memory is judged."""
SLOWER = 1.2
BUSIER = 0.05
"""A delay is judged if the share of its time in which the server waited for a processor is no more
than so much above that of the calm: its own threads wait for each other in both."""
FILLING = bytes(4096)
"""So that far more is sent than the kernel's buffers take."""
CACHE_FILLING, CACHE_COUNT = bytes(200_000), 400
"""More than the page cache of the database holds: it is full before anything is measured."""
SETTLE_S = 20.0
UNANSWERED_MAX = 256
UNANSWERED_BYTES_MAX = 1 << 20
RATE = 1_000
CREDIT = 1 << 30
CONFIG = "[store]\nmerge_entries = 200\n"
"""The unmerged tail lies in memory: a short one, or it would be all that is measured."""


class Flood:
    """Sends to one reader, so many messages in all; true while there is something to send."""

    def __init__(self, pair: Pair, count: int, rate: float, filling: bytes = FILLING) -> None:
        self._pair = pair
        self._filling = filling
        self._end = pair.sent + count
        self._rate = rate
        self._begin = time.perf_counter()
        self._first = pair.sent

    def _has_room(self) -> bool:
        waiting = self._pair.sent - self._pair.accepted
        return waiting < UNANSWERED_MAX and waiting * len(self._filling) < UNANSWERED_BYTES_MAX

    def __call__(self) -> bool:
        """Send what is due, and read the acceptances."""
        pair = self._pair
        due = self._first + int((time.perf_counter() - self._begin) * self._rate) + 1
        while pair.sent < min(due, self._end) and self._has_room():
            pair.send(self._filling)
        pair.take_answers()
        return pair.accepted < self._end


class Reading:
    """The same, with a reader who reads: for comparison, and to get everything in use once."""

    def __init__(self, pair: Pair, flood: Flood) -> None:
        self._pair = pair
        self._flood = flood

    def __call__(self) -> bool:
        """Send what is due, and read what came."""
        self._pair.take_messages()
        return self._flood()


def catch_up(pair: Pair, pulse: Pulse) -> None:
    """Read again, to the end; everything is there, once, in order."""
    end = time.perf_counter() + 120

    def behind() -> bool:
        pair.take_messages()
        assert time.perf_counter() < end, f"{len(pair.seqs)} of {pair.sent} messages"
        return len(pair.seqs) < pair.sent

    pulse.beat(behind)
    assert pair.seqs == list(range(pair.seqs[0], pair.seqs[0] + pair.sent))
    pair.delays_s.clear()


def test_reader_that_stops_costs_bounded_memory_and_misses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "wxserve.toml").write_text(CONFIG)
    server = ServerProcess(data).start()
    pulse = Pulse(server, 4 if budget_s() else 1, 50)
    slow = Pair(server, *(RawDevice(server.host, server.port) for _ in range(2)))
    slow.reading.send(f.Credit(CREDIT, CREDIT))
    try:
        pulse.beat(Reading(slow, Flood(slow, CACHE_COUNT, 1e9, CACHE_FILLING)))
        catch_up(slow, pulse)
        if budget_s():
            stop_again_and_again(server, slow, pulse)
        else:
            stop_once(server, slow, pulse)
    finally:
        slow.close()
        pulse.close()
        assert server.stop() == 0, server.log()[-2000:]


def grown_kib(server: ServerProcess, pulse: Pulse, before_kib: int) -> int:
    """Return by how much the server has grown, once merges and checkpoints have had their time."""
    end = time.monotonic() + SETTLE_S
    pulse.beat(lambda: server.rss_kib() - before_kib > GROWN_KIB and time.monotonic() < end)
    return server.rss_kib() - before_kib


def stop_once(server: ServerProcess, slow: Pair, pulse: Pulse) -> None:
    """As fast as it goes, and nothing is judged by the clock."""
    pulse.beat(Reading(slow, Flood(slow, 1_000, 1e9)))
    catch_up(slow, pulse)
    for number in range(COLD_ROUNDS + 1):
        before_kib = server.rss_kib()
        pulse.beat(Flood(slow, 6_000, 1e9))
        assert len(slow.seqs) < slow.sent - 1_000, "the reader did not fall behind"
        grown = grown_kib(server, pulse, before_kib)
        assert number < COLD_ROUNDS or grown <= GROWN_KIB
        catch_up(slow, pulse)


def stop_again_and_again(server: ServerProcess, slow: Pair, pulse: Pulse) -> None:
    """A thousand messages a second, and what others feel of it."""
    pulse.beat(Reading(slow, Flood(slow, 10_000, RATE)))
    end = time.monotonic() + budget_s() * 0.7
    rounds, slower, grown, waited = 0, list[float](), list[int](), list[tuple[float, float]]()
    while rounds <= COLD_ROUNDS or time.monotonic() < end:
        calm = Waited(server)
        calm_ms = p99_ms(pulse.beat(Reading(slow, Flood(slow, 8_000, RATE))))
        calm_share = calm.share()
        catch_up(slow, pulse)
        before_kib = server.rss_kib()
        stopped = Waited(server)
        stopped_ms = p99_ms(pulse.beat(Flood(slow, 20_000, RATE)))
        stopped_share = stopped.share()
        waited.append((round(calm_share, 3), round(stopped_share, 3)))
        grown.append(grown_kib(server, pulse, before_kib))
        if stopped_share - calm_share <= BUSIER:
            slower.append(round(stopped_ms / calm_ms, 2))
        catch_up(slow, pulse)
        rounds += 1
        progress(f"{rounds} rounds, {max(grown):+} KiB, p99 {slower[-1:]}")
    told = f"{grown=} KiB, p99 {slower}"
    record(
        "P9",
        "one reader stops; 1,000 messages a second to it, 4 KiB each",
        rounds,
        faults=rounds,
        accepted=slow.sent + sum(pair.sent for pair in pulse.pairs),
        grown_kib=max(grown[COLD_ROUNDS:]),
        slower=sorted(slower),
        waited=waited,
    )
    assert max(grown[COLD_ROUNDS:]) <= GROWN_KIB, told
    assert not slower or sorted(slower)[len(slower) // 2] <= SLOWER, told

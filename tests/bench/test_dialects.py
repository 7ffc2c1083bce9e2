"""The generator's dialects: against fakes of the peers, honest and not, and against the relay."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.options import Options
from bench.peers.cast import PeerCast
from bench.peers.registry import BY_NAME, running_peer, server_of
from bench.rows import Row
from bench.scenarios import BY_NAME as SCENARIOS
from bench.server import Server
from bench.stage import Stage
from tests.architecture.sources import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.wire]

SHORT = Options(pairs=2, window=4, seconds=0.3, warm_s=0.1, settle_ms=500, pinned=False, quiet=True)
DIALECTS = ("mqtt", "mqtt5", "nats", "xmpp")
FakePeer = Callable[[str, str], Server]


@pytest.fixture
def fake_peer() -> Iterator[FakePeer]:
    """Start a fake of a peer with a fault; gives it as scenarios take servers."""
    with contextlib.ExitStack() as stack:

        def start(dialect: str, fault: str) -> Server:
            command = [sys.executable, "-m", "tests.bench.fake_peers", dialect, fault]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            port = int(process.stdout.readline())
            return Server("127.0.0.1", port, process.pid, None, (), tls=False, dialect=dialect)

        yield start


def run(server: Server, directory: Path, **changes: object) -> Row:
    """Run a scenario, pairs unless told otherwise, and return its row."""
    options = Options(**{**vars(SHORT), **changes})
    return SCENARIOS[options.scenario](Stage(options, server, PeerCast(), directory))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialect_against_an_honest_fake_finds_nothing_wrong(
    dialect: str, fake_peer: FakePeer, tmp_path: Path
) -> None:
    row = run(fake_peer(dialect, "none"), tmp_path)
    assert row["failed"] == []
    assert row["msgs_per_s"] > 0
    assert row["server_cpu_us_per_msg"] > 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialect_reaches_every_member_of_a_group(
    dialect: str, fake_peer: FakePeer, tmp_path: Path
) -> None:
    row = run(fake_peer(dialect, "none"), tmp_path, scenario="fanout", members=4, window=1)
    assert row["failed"] == []
    assert row["deliveries_per_s"] == pytest.approx(3 * row["msgs_per_s"], rel=0.3)


@pytest.mark.parametrize(
    ("dialect", "fault", "found"),
    [
        ("mqtt", "lose", "lost"),
        ("mqtt5", "double", "duplicated"),
        ("nats", "swap", "reordered"),
        ("nats", "corrupt", "corrupted"),
        ("xmpp", "lose", "lost"),
        ("xmpp", "swap", "reordered"),
    ],
)
def test_dialect_against_a_dishonest_fake_tells_the_fault(
    dialect: str, fault: str, found: str, fake_peer: FakePeer, tmp_path: Path
) -> None:
    row = run(fake_peer(dialect, fault), tmp_path, pairs=1)
    assert row[found] > 0
    assert found in row["failed"]


@pytest.mark.parametrize("name", ["relay", "relay-synced"])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "msgs_per_s"),
        ({"scenario": "fanout", "members": 5}, "server_cpu_us_per_delivery"),
        ({"scenario": "offline", "messages": 200}, "drain_per_s"),
        ({"scenario": "idle", "devices": 20, "at_once": 8}, "logins_per_s"),
    ],
)
def test_relay_does_every_work(
    name: str, changes: dict[str, object], field: str, tmp_path: Path
) -> None:
    peer = BY_NAME[name]
    with running_peer(peer, tmp_path / "place", None, 0) as running:
        row = run(server_of(peer, running), tmp_path, **changes)
    assert row["failed"] == []
    assert row[field] > 0

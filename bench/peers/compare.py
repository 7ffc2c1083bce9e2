"""Every server at the same work, in turn: ``make bench-peers``.

The servers take turns within each work, so that a machine whose speed changes is unfair to none.
Each row is kept as soon as it is found; a run that was interrupted goes on where it was.
"""

import contextlib
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from bench.engine import build
from bench.journal import ROOT, Journal, measured_revision
from bench.load import PROBLEMS, newcomers, run_once, workplace
from bench.options import Options
from bench.peers.cast import PeerCast
from bench.peers.launching import PeerError
from bench.peers.registry import BY_NAME, EXTRAS, PEERS, running_peer, server_of
from bench.peers.tables import comparison
from bench.peers.works import Work, measured
from bench.prefill import Filled
from bench.rows import Row
from bench.scenarios import BY_NAME as SCENARIOS
from bench.server import OURS
from bench.stage import SERVER_CORE, Stage

RAW: Final = ROOT / "docs/benchmarks/peers.jsonl"
QUICK: Final = ROOT / ".cache/bench/peers-quick.jsonl"
SECONDS: Final = 10.0
QUICK_SECONDS: Final = 2.0
REPEAT: Final = 3
CONVERSATIONS: Final = 100_000
QUICK_CONVERSATIONS: Final = 10_000
FAILURES: Final = (*PROBLEMS, PeerError)


class Turn(NamedTuple):
    """One row to be found: which server, which work, for the how manieth time."""

    server: str
    work: Work
    repetition: int


def arguments(line: list[str] | None = None) -> Namespace:
    """Read the command line."""
    reader = ArgumentParser(prog="python -m bench.peers.compare", description=__doc__)
    reader.add_argument("--quick", action="store_true", help="a part of it, in ten minutes")
    reader.add_argument("--seconds", type=float, help="length of each measured window")
    reader.add_argument("--repeat", type=int, help="rows of each server and work")
    reader.add_argument("--servers", default="", help="names, with commas between; wxserve too")
    reader.add_argument("--extras", action="store_true", help="variants that are left out else")
    reader.add_argument("--works", default="", help="only works whose name has this in it")
    reader.add_argument("--conversations", type=int, help="in our store before the run")
    reader.add_argument("--out", type=Path, help="the file of rows that is continued")
    values = reader.parse_args(line)
    values.seconds = values.seconds or (QUICK_SECONDS if values.quick else SECONDS)
    values.repeat = values.repeat or (1 if values.quick else REPEAT)
    values.out = values.out or (QUICK if values.quick else RAW)
    if values.conversations is None:
        values.conversations = QUICK_CONVERSATIONS if values.quick else CONVERSATIONS
    unknown = set(filter(None, values.servers.split(","))) - set(BY_NAME) - {OURS}
    if unknown:
        known = ", ".join([OURS, *BY_NAME])
        reader.error(f"not known: {', '.join(sorted(unknown))}; known are {known}")
    return values


def servers(wanted: str, *, extras: bool) -> list[str]:
    """Return the names of the servers to be measured, ours first.

    Args:
        wanted: names, with commas between; empty for all.
        extras: whether variants are among all.
    """
    if wanted:
        return wanted.split(",")
    return [OURS, *(peer.name for peer in PEERS if extras or peer.name not in EXTRAS)]


def turns(names: list[str], works: list[Work], repeat: int) -> Iterator[Turn]:
    """Yield the rows of a run in their order: within a work the servers take turns.

    Each repetition begins with another server, so that none always follows the same one.
    """
    for repetition in range(repeat):
        shift = repetition % max(1, len(names))
        for work in works:
            if work.options.syncs and repetition:
                continue  # a count is not repeated
            for name in [*names[shift:], *names[:shift]]:
                yield Turn(name, work, repetition)


def key(turn: Turn, seconds: float) -> dict[str, object]:
    """Return what a row is found again by."""
    version = measured_revision() if turn.server == OURS else BY_NAME[turn.server].told_version
    return {
        "server": turn.server,
        "version": version,
        "harness": measured_revision(),
        "work": turn.work.name,
        "window_s": seconds,
        "repetition": turn.repetition,
    }


class Session:
    """One run over all rows that are not there yet."""

    def __init__(self, options: Options, directory: Path, filled: Filled | None) -> None:
        """Take what holds for every row.

        Args:
            options: length of the windows, and our own store.
            directory: for every server's data.
            filled: our prefilled store.
        """
        self._options = options
        self._directory = directory
        self._filled = filled

    def measure(self, turn: Turn) -> Row:
        """Return a fresh row. Raises one of FAILURES."""
        options = replace(
            turn.work.options, seconds=self._options.seconds, warm_s=self._options.warm_s
        )
        if turn.server == OURS:
            ours = replace(options, conversations=self._options.conversations)
            return run_once(ours, self._directory, self._filled, 0)
        with tempfile.TemporaryDirectory(dir=self._directory) as name:
            place = Path(name) / "place"
            peer = BY_NAME[turn.server]
            with running_peer(peer, place, SERVER_CORE, newcomers(options)) as running:
                server = server_of(peer, running)
                stage = Stage(options, server, PeerCast(), Path(name))
                return SCENARIOS[options.scenario](stage)


def installed(names: list[str]) -> list[str]:
    """Install what is missing; return the servers that can be measured, and tell of the others."""
    found = []
    for name in names:
        try:
            if name != OURS:
                BY_NAME[name].install()
        except (PeerError, OSError) as error:
            print(f"bench: {name} is left out: {error}", file=sys.stderr)
            continue
        found.append(name)
    return found


def run_turns(session: Session, journal: Journal, missing: list[Turn], seconds: float) -> int:
    """Measure rows and keep each; return how many could not be measured."""
    started, failed = time.monotonic(), 0
    for number, turn in enumerate(missing, start=1):
        left_s = (time.monotonic() - started) / max(1, number - 1) * (len(missing) - number + 1)
        left = f", about {left_s / 60:.0f} min left" if number > 1 else ""
        print(
            f"bench: {number} of {len(missing)}: {turn.work.name}, {turn.server}{left}",
            file=sys.stderr,
        )
        try:
            row = session.measure(turn)
        except FAILURES as error:
            print(f"bench: {turn.server} could not be measured: {error}", file=sys.stderr)
            failed += 1
            continue
        journal.add({**key(turn, seconds), **row})
    return failed


def main(line: list[str] | None = None) -> int:
    """Measure; return 0, or 1 if a row could not be measured or failed its oracle."""
    values = arguments(line)
    signal.signal(signal.SIGTERM, _unwind)
    build()
    names = installed(servers(values.servers, extras=values.extras))
    journal = Journal(values.out)
    every = list(turns(names, measured(values.quick, values.works), values.repeat))
    missing = [turn for turn in every if not journal.find(**key(turn, values.seconds))]
    if len(missing) < len(every):
        print(f"bench: {len(every) - len(missing)} rows are there already", file=sys.stderr)
    options = Options(
        seconds=values.seconds,
        warm_s=min(2.0, values.seconds / 2),
        conversations=values.conversations if OURS in names else 0,
        quiet=True,
    )
    failed = 0
    with contextlib.ExitStack() as stack:
        if missing:
            directory, filled = stack.enter_context(workplace(options))
            failed = run_turns(
                Session(options, directory, filled), journal, missing, values.seconds
            )
    rows = [row for turn in every for row in journal.find(**key(turn, values.seconds))]
    print("\n".join(comparison(rows)))
    return 1 if failed or any(row["failed"] for row in rows) else 0


def _unwind(number: int, frame: FrameType | None) -> None:
    """End by an exception, so that every child is ended and every file removed."""
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

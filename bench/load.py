"""One scenario against one server: ``python -m bench.load --scenario pairs --json``."""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from bench import options as command_line
from bench.cast import Cast, TownCast, WireCast
from bench.engine import EngineError, build
from bench.enrol import RefusedError
from bench.observers import ObserverError
from bench.options import Options
from bench.prefill import Filled, PrefillError, filled_town
from bench.report import print_table, save_plot
from bench.rows import Row, median_row
from bench.scenarios import BY_NAME
from bench.server import Launch, Server, ServerError, remote_server, running_server
from bench.stage import SERVER_CORE, Stage
from bench.town import Town

PROBLEMS = (
    EngineError, ObserverError, PrefillError, RefusedError, ServerError, ValueError, OSError
)  # fmt: skip
FAILED = 1
BROKEN = 2


def newcomers(options: Options) -> int:
    """Return how many devices a run enrols when its store is not prefilled."""
    if options.conversations:
        return 0
    crowd = options.devices + 2 * WireCast.GROUP_SIZE
    return {
        "fanout": options.members,
        "idle": options.devices,
        "storm": crowd + 2 * options.pairs,
        "mixed": crowd + 2 * 50,
    }.get(options.scenario, 2 * options.pairs + options.idle)


def town_of(options: Options) -> Town:
    """Return the town that a prefilled store of so many conversations holds."""
    whole = Town(entries=options.entries)
    if options.conversations >= whole.conversations:
        return whole._replace(conversations=options.conversations)
    share = options.conversations / whole.conversations
    accounts = max(200, 2 * int(whole.accounts * share / 2))
    shared = int(whole.shared * share)
    large = tuple(size for size in whole.large if size <= accounts)
    return Town(
        accounts, options.conversations, shared=shared, large=large, entries=options.entries
    )


@contextlib.contextmanager
def workplace(options: Options) -> Iterator[tuple[Path, Filled | None]]:
    """Make a directory for the runs of a session, with a copy of the town in it."""
    with tempfile.TemporaryDirectory(prefix="wxserve-bench-") as name:
        directory = Path(name)
        filled = None
        if options.conversations:
            kept = filled_town(town_of(options))
            shutil.copytree(kept.directory, directory / "data", copy_function=_copy_durably)
            filled = Filled(directory / "data", kept.position)
        yield directory, filled


def _copy_durably(source: str, target: str) -> None:
    """Copy a file to stable storage, where the server's first sync would have to write it."""
    shutil.copy2(source, target)
    with Path(target).open("rb") as copied:
        os.fsync(copied.fileno())


@contextlib.contextmanager
def server_for(options: Options, directory: Path, run: int) -> Iterator[Server]:
    """Start the server of a run, or name the one that runs."""
    if options.target:
        assert options.invites is not None
        yield remote_server(options.target, options.invites)
        return
    data = directory / ("data" if options.conversations else f"data-{run}")
    core = SERVER_CORE if options.pinned else None
    with running_server(
        Launch(data, options.tls, core, newcomers(options), options.config)
    ) as server:
        yield server


def run_once(options: Options, directory: Path, filled: Filled | None, run: int) -> Row:
    """Run the scenario once; return its row.

    Raises:
        ServerError: the server does not start, or ended.
        EngineError: the generator does not start, or ended.
        RefusedError: the server refused what the set-up needs.
        ValueError: the store or the invites cannot serve the options.
    """
    with server_for(options, directory, run) as server:
        cast: Cast = WireCast(server)
        if filled is not None:
            cast = TownCast(server, town_of(options), filled.position)
        return BY_NAME[options.scenario](Stage(options, server, cast, directory))


def run_scenario(options: Options, directory: Path, filled: Filled | None) -> Row:
    """Run the scenario as often as asked; return the medians. Errors as ``run_once``."""
    rows = []
    for run in range(options.repeat):
        if not options.quiet and options.repeat > 1:
            print(f"bench: run {run + 1} of {options.repeat}", file=sys.stderr)
        rows.append(run_once(options, directory, filled, run))
    return median_row(rows) if len(rows) > 1 else rows[0]


def main(arguments: list[str] | None = None) -> int:
    """Run a scenario; return 0, or 1 if it failed its oracle, or 2 if it could not be run."""
    options = command_line.parse(arguments)
    signal.signal(signal.SIGTERM, _unwind)
    try:
        build()
        with workplace(options) as (directory, filled):
            row = run_scenario(options, directory, filled)
    except PROBLEMS as error:
        print(f"bench: {error}", file=sys.stderr)
        return BROKEN
    if options.json:
        print(json.dumps(row))
    else:
        print_table([row])
    if options.plot is not None:
        save_plot(row, options.plot)
    return FAILED if row["failed"] else 0


def _unwind(number: int, frame: FrameType | None) -> None:
    """End by an exception, so that every child is ended and every file removed."""
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

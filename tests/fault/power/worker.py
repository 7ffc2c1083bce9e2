"""Cuts the power of the store under one SQLite, in a process of its own.

`python -m tests.fault.power.worker --library stdlib --seed 1 --cuts 180` replays the chain of lives
and cuts of seed 1. Prints one line of JSON: what was done and what was found.
"""

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from wxserve.store import opening

from . import apsw_sqlite
from .campaign import Campaign, Tally, work_directory
from .recorder import Control, Faults, Recorder, ShimRecorder, build_shim, shim_environment
from .sabotage import WAYS, sabotaged
from .trouble import CASES, GROUPS, Trouble

LIBRARIES: Final = ("stdlib", "apsw")


def run_worker(library: str, *arguments: str) -> Tally:
    """Run this file on a library, on the shim if the library needs it; return what it found."""
    with work_directory() as place:
        root, control = place / "disk", place / "control"
        root.mkdir()
        command = [sys.executable, "-m", "tests.fault.power.worker", "--library", library]
        command += [*arguments, "--root", str(root)]
        environment = None
        if library == "stdlib":
            control.write_bytes(bytes(256))
            environment = shim_environment(build_shim(place), root, control)
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return Tally(**json.loads(done.stdout))


@contextmanager
def watched(library: str, root: Path) -> Iterator[Recorder]:
    """Put a library under the store, and something that sees its writes."""
    if library == "stdlib":
        yield ShimRecorder()
        return
    watch = apsw_sqlite.Watch(root)
    vfs = apsw_sqlite.WatchedVfs(watch)
    usual = vars(opening)["sqlite3"]
    vars(opening)["sqlite3"] = apsw_sqlite.Module(apsw_sqlite.VFS_NAME)
    try:
        with apsw_sqlite.watched_python(watch):
            yield watch
    finally:
        vars(opening)["sqlite3"] = usual
        vfs.unregister()


def main() -> int:
    """Cut, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", choices=LIBRARIES, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--cuts", type=int, default=180)
    parser.add_argument("--budget", type=float, default=0.0)
    parser.add_argument("--sabotage", choices=sorted(WAYS), default="none")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--case", choices=[*CASES, *GROUPS], help="fail calls in place of cutting")
    parser.add_argument("--first", type=int, default=0, help="which call fails first")
    parser.add_argument("--stride", type=int, default=1, help="from one to the next")
    given = parser.parse_args()
    if given.root is None:
        arguments = ["--seed", given.seed, "--cuts", given.cuts, "--budget", given.budget]
        arguments += ["--first", given.first, "--stride", given.stride]
        arguments += ["--case", given.case] if given.case else []
        tally = run_worker(given.library, *map(str, arguments), "--sabotage", given.sabotage)
        sys.stdout.write("\n".join([*tally.failures, tally.summary]) + "\n")
        return 1 if tally.failures else 0
    logging.disable(logging.CRITICAL)
    replay = f"python -m tests.fault.power.worker --library {given.library}"
    with watched(given.library, given.root) as recorder, sabotaged(given.sabotage):
        directories = given.sabotage != "no-directories"
        if given.case:
            faults = recorder if isinstance(recorder, Faults) else Control.of_this_process()
            trouble = Trouble(recorder, faults, given.root)
            for name in GROUPS.get(given.case, [given.case]):
                trouble.run(CASES[name], given.seed, given.first, given.stride, replay)
            campaign = trouble.campaign
        else:
            campaign = Campaign(recorder, given.root, synchronises_directories=directories)
            campaign.run(
                given.seed, given.cuts, given.budget, f"{replay} --sabotage {given.sabotage}"
            )
    sys.stdout.write(json.dumps(asdict(campaign.tally)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

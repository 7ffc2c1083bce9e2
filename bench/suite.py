"""The whole set in ten minutes: ``make bench``, or ``python -m bench.suite [--only WORD]``."""

import dataclasses
import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from bench.load import PROBLEMS, run_scenario, workplace
from bench.options import Options
from bench.report import print_table
from bench.rows import Row

BUDGET_S: Final = 600
"""No further scenario is begun after this."""
_STORE = Options(conversations=100_000, seconds=4.0, quiet=True)
_replace = dataclasses.replace

SET: Final = (
    _replace(_STORE, repeat=3),
    _replace(_STORE, repeat=3, window=1),
    _replace(_STORE, repeat=3, tls=True),
    _replace(_STORE, repeat=3, tls=True, window=1),
    _replace(_STORE, pairs=1, window=1),
    _replace(_STORE, active=50_000),
    _replace(_STORE, pinned=False),
    _replace(_STORE, scenario="fanout", members=100, window=1, repeat=3),
    _replace(_STORE, scenario="fanout", members=1000, window=1, repeat=3),
    _replace(_STORE, scenario="offline", pairs=10, window=64, repeat=3),
    _replace(_STORE, scenario="rate", repeat=3),
    _replace(_STORE, scenario="mixed", seconds=10.0),
    _replace(_STORE, scenario="idle", devices=9900, seconds=3.0),
    _replace(_STORE, scenario="idle", devices=1000, seconds=1.0, since="own"),
    _replace(_STORE, scenario="idle", devices=500, seconds=1.0, since="zero"),
    _replace(_STORE, scenario="idle", devices=3000, seconds=3.0, tls=True),
    _replace(_STORE, scenario="storm", devices=5000, seconds=12.0, repeat=3),
)


def main() -> int:
    """Run the set; return 0, or 1 if a row failed its oracle or could not be run."""
    reader = ArgumentParser(prog="python -m bench.suite", description=__doc__)
    reader.add_argument("--only", default="", help="only scenarios whose name has this in it")
    reader.add_argument("--out", type=Path, help="also write one JSON object a line")
    arguments = reader.parse_args()
    chosen = [options for options in SET if arguments.only in options.scenario]
    started, rows, bad = time.monotonic(), [], 0
    with workplace(_STORE) as (directory, filled):
        for number, options in enumerate(chosen, start=1):
            if time.monotonic() - started > BUDGET_S:
                print(f"bench: {len(chosen) - number + 1} scenarios left out: time is up")
                bad += 1
                break
            print(f"bench: {number} of {len(chosen)}: {options.scenario}", file=sys.stderr)
            try:
                rows.append(run_scenario(options, directory, filled))
            except PROBLEMS as error:
                print(f"bench: {options.scenario} could not be run: {error}", file=sys.stderr)
                bad += 1
    print_table(rows)
    if arguments.out is not None:
        write_rows(arguments.out, rows)
    return 1 if bad or any(row["failed"] for row in rows) else 0


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    sys.exit(main())

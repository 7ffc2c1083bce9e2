"""What growth costs: more connections, a longer log, more conversations: ``make bench-growth``."""

import sys
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.engine import build
from bench.journal import ROOT, Journal, measured_revision
from bench.load import PROBLEMS, run_once, workplace
from bench.options import Options
from bench.peers.tables import middle, shown, table, times
from bench.rows import Row

RAW: Final = ROOT / "docs/benchmarks/growth.jsonl"
CONNECTIONS: Final = (100, 1000, 2000, 5000, 10_000, 15_000)
STORES: Final = ((0, 0), (1000, 5), (10_000, 5), (100_000, 5), (1_000_000, 3), (1_000_000, 10))
"""Conversations, and entries in each: the last one is ten million."""
SPREAD_FROM: Final = 100_000
SPREAD_OVER: Final = 50_000
"""In stores of so many conversations the same pairs also write to so many of them by turns."""
KINDS: Final = {
    "connections": ("Growth of the connections", "connections", "connections"),
    "log": ("Growth of the log", "entries in the log", "stored_entries"),
    "spread": (
        f"Growth of the log, {SPREAD_OVER:,} conversations written to",
        "entries in the log",
        "stored_entries",
    ),
}
"""By kind of growth: what its table is called, what grows, and the field that tells it."""
PAIRS: Final = 50
REPEAT: Final = 3
_BASE: Final = Options(quiet=True, pairs=PAIRS, at_once=64)


def points(*, quick: bool) -> list[tuple[str, int, Options]]:
    """Return what is measured: the kind of growth, its size, and the options.

    Args:
        quick: the small ones only.
    """
    connections = CONNECTIONS[:3] if quick else CONNECTIONS
    stores = STORES[:3] if quick else STORES
    found = [
        ("connections", count, replace(_BASE, idle=count - 2 * PAIRS)) for count in connections
    ]
    for conversations, entries in stores:
        options = replace(_BASE, conversations=conversations, entries=max(1, entries))
        found.append(("log", conversations * entries, options))
        if conversations >= SPREAD_FROM:
            spread = replace(options, active=SPREAD_OVER)
            found.append(("spread", conversations * entries, spread))
    return found


def growth_tables(rows: list[Row]) -> list[str]:
    """Return a table for each kind of growth, in Markdown."""
    lines: list[str] = []
    for kind, (title, head, field) in KINDS.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        if not of_kind:
            continue
        sizes = sorted({row["size"] for row in of_kind})
        groups = [[row for row in of_kind if row["size"] == size] for size in sizes]
        least = middle(groups[0], "server_cpu_us_per_msg")
        body = []
        for group in groups:
            cost = middle(group, "server_cpu_us_per_msg")
            line = [shown(middle(group, field)), shown(middle(group, "conversations"))]
            line += [shown(cost), times(cost, least), shown(middle(group, "p99_ms"))]
            body.append([*line, shown(middle(group, "server_rss_kb"))])
        columns = [head, "conversations", "CPU µs/message", "times the smallest", "p99 ms"]
        lines += [f"### {title}", "", *table([[*columns, "RSS KiB"], *body]), ""]
    return lines


def main(line: list[str] | None = None) -> int:
    """Measure what is missing; return 0, or 1 if a point could not be measured."""
    reader = ArgumentParser(prog="python -m bench.growth", description=__doc__)
    reader.add_argument("--quick", action="store_true", help="the small sizes only")
    reader.add_argument("--seconds", type=float, default=10.0, help="of each measured window")
    reader.add_argument("--repeat", type=int, default=REPEAT)
    reader.add_argument("--only", default="", choices=["", *KINDS])
    reader.add_argument("--out", type=Path, default=RAW, help="the file of rows that is continued")
    values = reader.parse_args(line)
    build()
    journal, failed, rows = Journal(values.out), 0, []
    for kind, size, options in points(quick=values.quick):
        if values.only not in {"", kind}:
            continue
        for repetition in range(values.repeat):
            key = {"kind": kind, "size": size, "harness": measured_revision()}
            key |= {"window_s": values.seconds, "repetition": repetition}
            if not journal.find(**key):
                print(f"bench: {kind} {size}, run {repetition + 1}", file=sys.stderr)
                wanted = replace(options, seconds=values.seconds)
                try:
                    with workplace(wanted) as (directory, filled):
                        journal.add({**key, **run_once(wanted, directory, filled, 0)})
                except PROBLEMS as error:
                    print(f"bench: {kind} {size}: {error}", file=sys.stderr)
                    failed += 1
            rows += journal.find(**key)
    print("\n".join(growth_tables(rows)))
    return 1 if failed or any(row["failed"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

"""``docs/benchmarks.md`` and its pictures, from the raw rows beside it: ``make bench-docs``.

Everything between the marks in the document is written from the rows, the rest by hand. With --check
nothing is written; a document that differs from its rows is an error. Pictures want matplotlib.
"""

import re
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from bench.growth import growth_tables
from bench.journal import ROOT, Journal
from bench.peers.survival import survival_tables
from bench.peers.tables import NOTHING, ahead, disturbed, receipts, work_tables
from bench.pictures import draw
from bench.rows import Row

DOCUMENT: Final = ROOT / "docs/benchmarks.md"
RAW: Final = ROOT / "docs/benchmarks"
MARKED: Final = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
RAW_NAMES: Final = ("peers.jsonl", "growth.jsonl")


def latest(rows: list[Row]) -> list[Row]:
    """Return the rows of the newest harness: those of different ones are not compared."""
    return [row for row in rows if row.get("harness") == rows[-1].get("harness")]


def parts(raw: Path) -> dict[str, list[str]]:
    """Return the lines of each part of the document that rows write.

    Args:
        raw: the directory of the rows.
    """
    peers, hurt, grown = (
        latest(Journal(raw / name).rows)
        for name in ("peers.jsonl", "survival.jsonl", "growth.jsonl")
    )
    found = {
        "ahead": ahead(peers) if peers else [],
        "circumstances": _circumstances(peers),
        "works": work_tables(peers),
        "receipts": receipts(peers) if peers else [],
        "survival": [*_revision(hurt), *survival_tables(hurt)],
        "growth": [*_circumstances(grown), *growth_tables(grown)],
        "pictures": [
            f"![{path.stem}](benchmarks/{path.name})" for path in sorted(raw.glob("*.png"))
        ],
    }
    return {part: lines or [NOTHING] for part, lines in found.items()}


def _revision(rows: list[Row]) -> list[str]:
    return [f"Harness and wxserve at `{rows[-1]['harness']}`.", ""] if rows else []


def _circumstances(rows: list[Row]) -> list[str]:
    if not rows:
        return []
    windows = sorted({row["window_s"] for row in rows})
    repeated = max(row["repetition"] for row in rows) + 1
    speeds = [row["machine_ms"] for row in rows]
    return [
        *_revision(rows),
        (
            f"Windows of {', '.join(f'{window:g}' for window in windows)} s; "
            f"medians of {repeated}; "
            f"{disturbed(rows)} of {len(rows)} rows were measured while others used the server's "
            f"processor; the fixed piece of work took {min(speeds):g} to {max(speeds):g} ms."
        ),
        "",
    ]


def renewed(text: str, found: dict[str, list[str]]) -> str:
    """Return a document with the marked parts written anew.

    Raises:
        ValueError: it has a part that nobody writes.
    """

    def write(match: re.Match[str]) -> str:
        if match[2] not in found:
            raise ValueError(f"nobody writes the part {match[2]}")
        lines = "\n".join(found[match[2]]).rstrip()
        return f"{match[1]}{lines}\n{match[3]}"

    return MARKED.sub(write, text)


def main(line: list[str] | None = None) -> int:
    """Write the document, or check it; return 0, or 1 if it differs from its rows."""
    reader = ArgumentParser(prog="python -m bench.publish", description=__doc__)
    reader.add_argument("--check", action="store_true", help="write nothing")
    values = reader.parse_args(line)
    if not values.check:
        peers, grown = (latest(Journal(RAW / name).rows) for name in RAW_NAMES)
        for name in draw(RAW, peers, grown):
            print(f"bench: drew {name}", file=sys.stderr)
    text = DOCUMENT.read_text()
    fresh = renewed(text, parts(RAW))
    if fresh == text:
        return 0
    if values.check:
        print("error: docs/benchmarks.md differs from its rows; make bench-docs", file=sys.stderr)
        return 1
    DOCUMENT.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())

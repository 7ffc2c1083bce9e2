"""From docs/reliability.jsonl: the tables of what the proofs found, in docs/reliability.md."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tools.proving.record import ROOT, Line, read

DOCUMENT: Final = ROOT / "docs/reliability.md"
BEGIN: Final = "<!-- results: generated from docs/reliability.jsonl -->"
END: Final = "<!-- end of results -->"
COUNTS: Final = (
    "rounds",
    "faults",
    "accepted",
    "lost",
    "doubled",
    "reordered",
    "failed",
    "skipped",
)
BAD: Final = ("lost", "doubled", "reordered", "failed")
SEEDS_SHOWN: Final = 3
HEAD: Final = (
    "| promise | what was done | rounds | faults | accepted | lost | doubled | reordered | failed "
    "| skipped | 95 % bound | seeds |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def files() -> dict[Path, str]:
    """Return the document with the tables as the record has them now."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin
    assert end
    return {DOCUMENT: f"{before}{BEGIN}\n\n{tables(read())}\n{END}{after}"}


def tables(lines: list[Line]) -> str:
    """Return the table of the newest code, and that of all code before."""
    if not lines:
        return "Nothing was run yet.\n"
    newest = {_folders(line): line["code"] for line in lines}
    now, before = list[Line](), list[Line]()
    for line in lines:
        (now if line["code"] == newest[_folders(line)] else before).append(line)
    commits = list(dict.fromkeys(line["commit"] for line in now))
    codes = ", ".join(
        f"`{code}`" + (f" ({folders} alone)" if folders else "")
        for folders, code in sorted(newest.items())
    )
    text = f"Code {codes}, commit {', '.join(commits)}:\n\n{HEAD}{_rows(now)}"
    if before:
        versions = len({line["code"] for line in before})
        text += f"\nEarlier code, {versions} versions together:\n\n{HEAD}{_rows(before)}"
    return text


def _folders(line: Line) -> str:
    """Return what of the product a proof judges, empty for all of it."""
    return ", ".join(f"`{folder}`" for folder in line.get("folders", ()))


def _rows(lines: Iterable[Line]) -> str:
    """Return one row for everything of the same promise and the same words."""
    sums: dict[tuple[str, str], Line] = {}
    for line in lines:
        row = sums.setdefault(
            (line["promise"], line["what"]), {**dict.fromkeys(COUNTS, 0), "seeds": []}
        )
        for name in COUNTS:
            row[name] += line.get(name, 0)
        row["seeds"] += _seeds(line.get("seeds", ()))
    return "".join(
        f"| {promise or '–'} | {what} | " + " | ".join(f"{row[name]:,}" for name in COUNTS)
        + f" | {bound(row)} | {_shown(row['seeds'])} |\n"
        for (promise, what), row in sorted(sums.items(), key=_order)
    )  # fmt: skip


def _order(item: tuple[tuple[str, str], Line]) -> tuple[int, str]:
    """Order by the number of the first promise."""
    (promise, what), _ = item
    digits = promise.partition(",")[0].lstrip("P")
    return int(digits) if digits.isdigit() else 1000, what


def bound(row: Line) -> str:
    """Return below what the rate of failure is, with 95 % confidence: 3/n after n good rounds."""
    if not row["rounds"] or any(row[name] for name in BAD):
        return "–"
    return f"< {3 / row['rounds']:.1g}" if row["rounds"] > 3 else "–"


def _seeds(seeds: object) -> list[str]:
    if isinstance(seeds, list | tuple):
        return [str(seed) for seed in seeds]
    return [str(seeds)] if seeds not in (None, "") else []


def _shown(seeds: list[str]) -> str:
    if len(seeds) <= SEEDS_SHOWN:
        return ", ".join(seeds) or "–"
    return f"{', '.join(seeds[:SEEDS_SHOWN])} … ({len(seeds)})"

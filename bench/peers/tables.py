"""Tables of what the comparison found, in Markdown: they are read in a terminal and in a document."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Final

from bench.peers.works import SHARED, SYNCS, WORKS, Work
from bench.rows import CROWDED, Row, marks
from bench.server import OURS

NEAR: Final = 0.02
"""Figures that differ by less are told as the same."""
NOTHING: Final = "Nothing is measured yet."


def middle(rows: Iterable[Row], field: str) -> float | None:
    """Return the median of a field over rows; None if no row has it."""
    values = [row[field] for row in rows if row.get(field) is not None and not is_empty(row)]
    return statistics.median(values) if values else None


def is_empty(row: Row) -> bool:
    """Return whether nothing was completed in the window of a row: its figures say nothing.

    A slow server with much under way answers in bursts, and short windows may lie between them.
    """
    return row.get("msgs_per_s") == 0 and row["scenario"] != "idle"


def shown(value: float | None) -> str:
    """Return a figure as tables show it: three digits, more only before the point."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def times(theirs: float | None, ours: float | None) -> str:
    """Return how many times ours theirs is."""
    if not theirs or not ours:
        return "–"
    return f"{theirs / ours:.2f}" if theirs / ours < 10 else f"{theirs / ours:.0f}"


def of_work(rows: Sequence[Row], work: Work) -> dict[str, list[Row]]:
    """Return the rows of a work by server, in the order in which they came."""
    name = SHARED.get(work.name, work.name)
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["work"] == name:
            found.setdefault(row["server"], []).append(row)
    return found


def table(lines: list[list[str]]) -> list[str]:
    """Return a Markdown table, its columns aligned; the first line is its head."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = [
        "| "
        + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    return [padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]]


def comparison(rows: Sequence[Row]) -> list[str]:
    """Return everything that rows say: where a peer is ahead, one table for each work, versions."""
    if not rows:
        return [NOTHING]
    lines = ["Where a peer is ahead of wxserve:", "", *ahead(rows), ""]
    return [*lines, *work_tables(rows), "### Versions and receipts", "", *receipts(rows)]


def work_tables(rows: Sequence[Row]) -> list[str]:
    """Return one table for each work."""
    lines: list[str] = []
    for work in WORKS:
        found = of_work(rows, work)
        if found:
            lines += [f"### {work.name}", "", *table(_work_table(work, found, rows)), ""]
    return lines


def _work_table(work: Work, found: dict[str, list[Row]], rows: Sequence[Row]) -> list[list[str]]:
    field, unit = work.rate
    ours = found.get(OURS, [])
    head = ["server", unit, "times ours", "CPU µs each", "lowest–highest", "times ours"]
    lines = [[*head, *(title for title, _ in work.more), "receipt", ""]]
    for server, its in found.items():
        cost = middle(its, work.cost)
        line = [server, shown(middle(its, field))]
        line.append(times(middle(its, field), middle(ours, field)))
        line += [shown(cost), _spread(its, work.cost), times(cost, middle(ours, work.cost))]
        line += [shown(middle(its, more)) for _, more in work.more]
        lines.append([*line, _short_receipt(its[0], rows), "; ".join(_marks(its))])
    return lines


def _spread(rows: Sequence[Row], field: str) -> str:
    values = [row[field] for row in rows if row.get(field) is not None and not is_empty(row)]
    return f"{shown(min(values))}–{shown(max(values))}" if len(values) > 1 else "one run"


def _marks(rows: Sequence[Row]) -> list[str]:
    found = sorted({marks(row) for row in rows} - {""})
    if any(is_empty(row) for row in rows):
        found.append("nothing completed in a window")
    return [", ".join(found)] if found else []


def syncs_per_message(server: str, rows: Sequence[Row]) -> float | None:
    """Return how many sync calls a server made for each message when they were counted."""
    for row in rows:
        if row["server"] == server and row["work"] == SYNCS.name:
            syncs, messages = float(row.get("syncs_per_s") or 0), float(row["msgs_per_s"])
            return syncs / max(0.001, messages)
    return None


def _short_receipt(row: Row, rows: Sequence[Row]) -> str:
    """Return what a receipt means, in a few words, with the count that shows it."""
    syncs = syncs_per_message(row["server"], rows)
    words = row["durability"].partition(";")[0].partition(",")[0].partition(" (")[0]
    return words if syncs is None else f"{words}; {syncs:.2f} syncs/message"


def receipts(rows: Sequence[Row]) -> list[str]:
    """Return a table of versions, and of what each receipt means beside its count of sync calls."""
    lines = [["server", "version", "what its receipt means", "sync calls for each message"]]
    seen: dict[str, Row] = {}
    for row in rows:
        seen.setdefault(row["server"], row)
    for server, row in seen.items():
        syncs = syncs_per_message(server, rows)
        counted = "not counted" if syncs is None else f"{syncs:.2f} (10 pairs, window 1)"
        lines.append([server, str(row["version"]), row["durability"], counted])
    return table(lines)


def ahead(rows: Sequence[Row]) -> list[str]:
    """Return a table of the works and figures in which a peer is ahead of ours."""
    lines = [["work", "figure", "ours", "synced too, ahead", "not synced, ahead"]]
    for work in WORKS:
        found = of_work(rows, work)
        ours = found.pop(OURS, [])
        figures = [(work.cost, "CPU µs each", False), (*work.rate, True)]
        figures += [(field, title, False) for title, field in work.more]
        for field, title, more in figures:
            mine = middle(ours, field)
            better: dict[bool, list[str]] = {True: [], False: []}  # by whether it is synced too
            for server, its in found.items():
                theirs = middle(its, field)
                if _leads(theirs, mine, more=more):
                    better[is_synced(its[0])].append(f"{server} {shown(theirs)}")
            if any(better.values()):
                columns = (", ".join(words) or "–" for words in better.values())
                lines.append([work.name, title, shown(mine), *columns])
    return table(lines) if len(lines) > 1 else ["Nowhere."]


def _leads(theirs: float | None, mine: float | None, *, more: bool) -> bool:
    if theirs is None or mine is None:
        return False
    return (theirs - mine if more else mine - theirs) > NEAR * mine


def is_synced(row: Row) -> bool:
    """Return whether a server's receipt means that the message is on stable storage, as ours."""
    return bool(row["durability"].startswith("synced"))


def disturbed(rows: Sequence[Row]) -> int:
    """Return how many rows were measured while others used the server's processor."""
    return sum((row.get("others_share") or 0) > CROWDED for row in rows)

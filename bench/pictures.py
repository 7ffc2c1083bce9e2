"""Pictures of what was measured: each work by server, growth, latency against load."""

import importlib
import math
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from bench.growth import KINDS
from bench.peers.tables import middle, of_work
from bench.peers.works import WORKS
from bench.rows import Row
from bench.server import OURS

DPI: Final = 80
HIGH: Final = 3.5
WIDE: Final = 6.0
LABELS_WIDE: Final = 1.5
PANEL_WIDE: Final = 2.5


def draw(raw: Path, peers: list[Row], grown: list[Row]) -> list[str]:
    """Draw what there are rows for; return the names of the pictures.

    Args:
        raw: the directory that pictures go to.
        peers: rows of the comparison.
        grown: rows of growth.
    """
    try:
        importlib.import_module("matplotlib").use("Agg")
        plots = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        print("bench: for pictures install matplotlib (the extra `bench`)", file=sys.stderr)
        return []
    made = _draw_works(plots, raw, peers) + _draw_growth(plots, raw, grown)
    return made + _draw_latency(plots, raw, peers)


def _draw_works(plots: ModuleType, raw: Path, rows: list[Row]) -> list[str]:
    """Draw a picture for each work: servers down, and a panel for each figure that is compared."""
    made = []
    for work in WORKS:
        found = of_work(rows, work)
        costs = {name: middle(its, work.cost) or 0.0 for name, its in found.items()}
        names = sorted((name for name in costs if costs[name]), key=costs.__getitem__, reverse=True)
        if len(names) < 2:
            continue
        panels = [("CPU µs each", work.cost), work.rate[::-1], *work.more]
        size = (LABELS_WIDE + PANEL_WIDE * len(panels), 0.35 * len(names) + 1)
        figure, axes = plots.subplots(1, len(panels), figsize=size, sharey=True)
        figure.suptitle(work.name)
        colours = ["tab:orange" if name == OURS else "tab:blue" for name in names]
        for panel, (title, field) in zip(axes, panels, strict=True):
            values = [middle(found[name], field) or math.nan for name in names]
            panel.barh(names, values, color=colours)
            panel.set_xscale("log")
            panel.set_xlabel(title)
        made.append(_save(plots, raw, work.name))
    return made


def _draw_growth(plots: ModuleType, raw: Path, rows: list[Row]) -> list[str]:
    made = []
    for kind, (title, head, _) in KINDS.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        sizes = sorted({row["size"] for row in of_kind})
        if len(sizes) < 2:
            continue
        groups = [[row for row in of_kind if row["size"] == size] for size in sizes]
        _, axes = plots.subplots(figsize=(WIDE, HIGH))
        costs = [middle(group, "server_cpu_us_per_msg") or 0.0 for group in groups]
        axes.plot([max(1, size) for size in sizes], costs, marker="o")
        axes.set_xscale("log")
        axes.set_ylim(0, 1.2 * max(costs))
        axes.set_title(title)
        axes.set_xlabel(head)
        axes.set_ylabel("µs/message")
        axes.grid(visible=True, alpha=0.3)
        made.append(_save(plots, raw, f"growth-{kind}"))
    return made


def _draw_latency(plots: ModuleType, raw: Path, rows: list[Row]) -> list[str]:
    """Draw latency against offered load, one line for each server's newest row that has it."""
    lines = {row["server"]: row["points"] for row in rows if row.get("points")}
    if not lines:
        return []
    _, axes = plots.subplots(figsize=(WIDE, HIGH + 1))
    for server, points in lines.items():
        loads = [point["wanted_per_s"] for point in points]
        axes.plot(loads, [point["p99_ms"] for point in points], marker="o", label=server)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("offered, messages per second")
    axes.set_ylabel("p99 until the receipt, ms")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.grid(visible=True, alpha=0.3)
    return [_save(plots, raw, "latency")]


def _save(plots: ModuleType, raw: Path, name: str) -> str:
    file = re.sub(r"[^\w]+", "-", name.replace("×", "x")) + ".png"
    plots.tight_layout()
    # Without a date and a version, the same rows make the same file.
    plots.savefig(raw / file, dpi=DPI, metadata={"Software": None})
    plots.close()
    return file

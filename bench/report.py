"""Tables for people, and a picture."""

import importlib
import os
import sys
from pathlib import Path
from typing import Final

from bench.rows import Row, marks

COLUMNS: Final = (
    ("messages/s", "msgs_per_s"),
    ("µs/message", "server_cpu_us_per_msg"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("generator", "generator_busy"),
    ("RSS KiB", "server_rss_kb"),
)
DETAILS: Final = (
    ("server_cpu_us_per_delivery", "{:g} µs/delivery"),
    ("store_per_s", "stored {:g}/s"),
    ("drain_per_s", "drained {:g}/s"),
    ("drain_cpu_us_per_msg", "at {:g} µs"),
    ("logins_per_s", "{:g} log-ins/s"),
    ("server_cpu_us_per_login", "{:g} µs/log-in"),
    ("rss_kb_per_connection", "{:g} KiB/connection"),
    ("idle_cpu_ms_per_s", "idle {:g} ms/s"),
    ("back_s", "all back in {:g} s"),
    ("p99_times", "others' p99 ×{:g}"),
    ("half_p99_ms", "p99 {:g} ms at half of it"),
    ("reconnects_per_s", "{:g} reconnects/s"),
    ("rss_kb_grown_in_second_half", "RSS +{:g} KiB in the second half"),
    ("msgs_per_sync", "{:g} messages a sync"),
)


def label(row: Row) -> str:
    """Return what a run was, in a few words."""
    words = [row["scenario"]]
    if "pairs" in row:
        words.append(f"{row['pairs']}×{row['window']}" if "window" in row else f"{row['pairs']}")
    if row.get("active", 0) > row.get("pairs", 0):
        words.append(f"over {row['active']}")
    words.extend(f"{row[name]} {name}" for name in ("members", "devices") if name in row)
    if "since" in row:
        words.append(f"since {row['since']}")
    words.append("TLS" if row["tls"] != "off" else "plain")
    if not row["pinned"]:
        words.append("unpinned")
    return " ".join(str(word) for word in words)


def details(row: Row) -> str:
    """Return what else the scenario found, and how far its runs lie apart."""
    found = [text.format(row[name]) for name, text in DETAILS if row.get(name) is not None]
    spread = row.get("spread", {}).get("server_cpu_us_per_msg")
    if spread:
        found.append(f"{row['runs']} runs, {spread[0]:g}–{spread[1]:g} µs")
    if "capacity_per_s" in row:
        found.insert(0, f"capacity {row['capacity_per_s']:g}/s")
    return ", ".join([*found, *([f"[{marks(row)}]"] if marks(row) else [])])


def cell(row: Row, name: str) -> str:
    """Return one figure as a table shows it."""
    value = row.get(name)
    return "–" if value is None else f"{value:g}" if abs(value) < 1000 else f"{value:.0f}"


def print_table(rows: list[Row]) -> None:
    """Print rows as a table, each with what else its scenario found, and what held for all."""
    lines = [["scenario", *(title for title, _ in COLUMNS), ""]]
    lines += [[label(row), *(cell(row, name) for _, name in COLUMNS), details(row)] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        print("  ".join(padded).rstrip())
    for text in sorted({circumstances(row) for row in rows}):
        print(text)


def circumstances(row: Row) -> str:
    """Return what held for a row."""
    cores = "server and generator on a core each" if row["pinned"] else "on any core"
    return (
        f"revision {row['revision']}, {row['codec'] or 'unknown codec'}; {row['durability']}; "
        f"{cores} of {os.cpu_count()}; "
        f"{row['body_bytes']}-byte bodies; stored before: {row['conversations'] or 0} conversations"
    )


def save_plot(row: Row, path: Path) -> None:
    """Draw latency against load from a row of the scenario rate."""
    try:
        plots = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        print("bench: for --plot install matplotlib (the extra `bench`)", file=sys.stderr)
        return
    points = row.get("points")
    if not points:
        print("bench: only the scenario rate has anything to plot", file=sys.stderr)
        return
    figure, axes = plots.subplots()
    loads = [point["msgs_per_s"] for point in points]
    for name in ("p50_ms", "p90_ms", "p99_ms"):
        axes.plot(loads, [point[name] for point in points], marker="o", label=name[:-3])
    axes.set_xlabel("messages per second")
    axes.set_ylabel("acceptance, ms")
    axes.set_title(f"{label(row)}, capacity {row['capacity_per_s']:g}/s")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=120)

"""What a run found: one flat JSON object, the median of several, and what makes a run fail."""

import statistics
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

from bench.engine import Report
from bench.processes import machine_ms
from bench.stage import SERVER_CORE, Span, Stage

Row = dict[str, Any]
SATURATED: Final = 0.8
"""Above this part of its processor the generator may be the bottleneck; the row is marked."""
CROWDED: Final = 0.1
"""Above this part of its processor used by others the server was disturbed; the row is marked."""
FAULTS: Final = ("lost", "duplicated", "reordered", "holes", "corrupted", "disconnects")
"""Any of these above zero makes a run fail."""


def start_row(stage: Stage) -> Row:
    """Return what is known of a run before it begins."""
    options, stored = stage.options, stage.stored()
    return {
        "scenario": options.scenario,
        "revision": stage.server.version or revision(),
        "durability": stage.server.durability,
        "codec": stage.server.codec,
        "tls": "1.3" if stage.server.tls else "off",
        "pinned": options.pinned,
        "machine_ms": round(machine_ms(SERVER_CORE if options.pinned else None), 2),
        "body_bytes": options.body_bytes,
        "conversations": stored.conversations if stored else None,
        "stored_entries": stored.entries if stored else None,
    }


@cache
def revision() -> str:
    """Return the commit that the harness lies in, with a mark if files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def add_span(row: Row, span: Span, count: int) -> None:
    """Add what was measured in a span in which ``count`` things were done."""
    usage, accept, deliver = span.usage, span.report["accept"], span.report["deliver"]
    row["seconds"] = round(span.wall_s, 3)
    row["msgs_per_s"] = round(span.per("completed"), 1)
    row["deliveries_per_s"] = round(span.per("delivered"), 1)
    row["p50_ms"] = accept["p50_us"] / 1000
    row["p99_ms"] = accept["p99_us"] / 1000
    row["p999_ms"] = accept["p999_us"] / 1000
    row["deliver_p50_ms"] = deliver["p50_us"] / 1000
    row["deliver_p99_ms"] = deliver["p99_us"] / 1000
    row["generator_busy"] = round(span.generator_busy, 3)
    row["generator_saturated"] = span.generator_busy > SATURATED
    if span.syncs:
        row["syncs_per_s"] = round(span.syncs / span.wall_s, 1)
        row["msgs_per_sync"] = round(count / span.syncs, 1)
    row["server_cpu_us_per_msg"] = rounded(span.cpu_us(count))
    if usage is not None:
        ticks = usage.user_s + usage.system_s
        row["server_user_share"] = round(usage.user_s / ticks, 3) if ticks else None
        row["server_busy"] = round(usage.cpu_s / span.wall_s, 3)
        row["others_share"] = round(span.others_s / span.wall_s, 3)
        row["server_waited"] = round(usage.waited_s / span.wall_s, 3)
        row["disk_bytes_per_msg"] = round(span.disk / count) if count else None
        row["written_bytes_per_msg"] = round(span.written / count) if count else None


def add_verdict(row: Row, verdict: Report, stage: Stage) -> None:
    """Add what the oracle says of the whole run."""
    names = ("lost", "duplicated", "reordered", "holes", "corrupted", "late", "redelivered")
    for name in (*names, "refused", "disconnects", "login_failures"):
        row[name] = verdict[name]
    row["server_rss_kb"] = stage.memory_kb()
    row["failed"] = [name for name in FAULTS if verdict[name]]


def rounded(value: float | None, digits: int = 2) -> float | None:
    """Round, if there is anything to round."""
    return None if value is None else round(value, digits)


def median_row(rows: list[Row]) -> Row:
    """Return one row for several runs: medians, the spread of each, and every fault of any."""
    middle = dict(rows[len(rows) // 2])
    spread = {}
    for name, value in rows[0].items():
        values = [row.get(name) for row in rows]
        if isinstance(value, bool) or not all(isinstance(one, int | float) for one in values):
            continue
        numbers = [one for one in values if isinstance(one, int | float)]
        middle[name] = statistics.median(numbers)
        spread[name] = [min(numbers), max(numbers)]
    for name in (*FAULTS, "late", "refused", "redelivered", "login_failures"):
        middle[name] = sum(row.get(name, 0) for row in rows)  # never hidden by a median
    middle["failed"] = sorted({fault for row in rows for fault in row["failed"]})
    middle["generator_saturated"] = any(row.get("generator_saturated") for row in rows)
    middle["runs"] = len(rows)
    middle["spread"] = spread
    return middle


def marks(row: Row) -> str:
    """Return the marks of a row in a table: failed, generator saturated, server disturbed."""
    found = ["FAILED: " + ", ".join(row["failed"])] if row["failed"] else []
    if row.get("generator_saturated"):
        found.append("generator > 80 %")
    if (row.get("others_share") or 0) > CROWDED:
        found.append("processor shared")
    if row.get("late"):
        found.append(f"{row['late']} late")
    return "; ".join(found)

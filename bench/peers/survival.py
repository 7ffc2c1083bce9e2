"""What survives what: ``kill -9`` and a slow reader, for every server, by the same oracle.

A message counts as lost when its sender has the receipt and its reader, who comes back, never gets
it. Where a server has an archive that the reader could ask besides, what is missing there as well is
told after it. A killed process is the mildest of crashes: what it gave to the operating system is
still there. A power cut takes that too; what it would leave is told by the sync calls.
"""

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.engine import Engine, Report, build
from bench.journal import ROOT, Journal, measured_revision
from bench.options import Options
from bench.peers.compare import FAILURES, installed, servers
from bench.peers.registry import BY_NAME
from bench.peers.subject import Subject, subject
from bench.peers.tables import shown, table
from bench.plan import Conversation, Flow, Plan
from bench.rows import Row
from bench.scenarios.messages import NOTICE_S
from bench.server import OURS
from bench.stage import SERVER_CORE, Meter, Stage, connect, settle

RAW: Final = ROOT / "docs/benchmarks/survival.jsonl"
PAIRS: Final = 10
WINDOW: Final = 16
AWAY_EACH: Final = 100
"""Messages for each reader who is away when the server is killed."""
SLOW_BODY_BYTES: Final = 1024
SLOW_WINDOW: Final = 64
RETRIES: Final = 5000
"""Attempts to log in for each device: a server that was killed may need a minute to come back."""
OPTIONS: Final = Options(quiet=True, pairs=PAIRS, window=WINDOW, settle_ms=25_000, deadline_s=300)


def _plan(stage: Stage, count: int) -> Plan:
    """Return pairs: writers first, readers after them, so that each is one range of devices."""
    plan, pairs = Plan(), stage.cast.pairs(count, 0)
    plan.devices = [one for one, _, _ in pairs] + [other for _, other, _ in pairs]
    for number, (_, _, ids) in enumerate(pairs):
        plan.conversations.append(Conversation(ids[0], (number, count + number)))
        plan.flows.append(Flow(number, (number,), stage.options.window, stage.options.body_bytes))
    return plan


def kill_under_load(stage: Stage, hurt: Subject) -> Report:
    """Kill the server while pairs write; everybody comes back and goes on."""
    with stage.engine(_plan(stage, PAIRS)) as engine:
        connect(stage, engine, 0, 2 * PAIRS)
        engine.command(f"closed 0 {PAIRS}")
        engine.pause(stage.options.seconds)
        hurt.kill()
        hurt.start_again()
        engine.pause(stage.options.seconds)
        engine.command("stop")
        return _verdict(stage, engine, 2 * PAIRS)


def kill_with_readers_away(stage: Stage, hurt: Subject) -> Report:
    """Store messages for readers who are away, kill the server, then the readers come."""
    with stage.engine(_plan(stage, PAIRS)) as engine:
        connect(stage, engine, 0, 2 * PAIRS)  # so that everybody has subscribed
        engine.command(f"drop {PAIRS} {PAIRS}")
        engine.pause(NOTICE_S)
        engine.command(f"burst 0 {PAIRS} {AWAY_EACH}", stage.patience_s)
        hurt.kill()
        hurt.start_again()
        connect(stage, engine, PAIRS, PAIRS)
        return _verdict(stage, engine, 2 * PAIRS)


def slow_reader(stage: Stage, hurt: Subject) -> Report:
    """One reader reads nothing while much is written to it; the other pairs go on, and it wakes."""
    del hurt  # it stays as it is
    plan = _plan(stage, PAIRS)
    plan.flows = [
        flow._replace(window=1 if number else SLOW_WINDOW, body_bytes=SLOW_BODY_BYTES)
        for number, flow in enumerate(plan.flows)
    ]
    seconds = stage.options.seconds
    with stage.engine(plan) as engine:
        connect(stage, engine, 0, 2 * PAIRS)
        meter = Meter(stage, engine)
        engine.command(f"closed 1 {PAIRS - 1}")
        engine.pause(seconds / 2)
        calm = meter.run(seconds, "everybody reads")
        before_kb = stage.memory_kb() or 0
        engine.command(f"stall {PAIRS} 1")
        engine.command("flood 0 1")
        meter.start()
        most_kb = 0
        for _ in range(10):
            engine.pause(seconds / 5)
            most_kb = max(most_kb, stage.memory_kb() or 0)
        slow = meter.stop()
        engine.command("stop")
        engine.command(f"unstall {PAIRS} 1")
        verdict = _verdict(stage, engine, 2 * PAIRS)
    flooded = slow.report["accepted"]
    return verdict | {
        "accepted_while_slow": flooded,
        "rss_grown_kb": most_kb - before_kb,
        "calm_p99_ms": calm.report["deliver"]["p99_us"] / 1000,
        "slow_p99_ms": slow.report["deliver"]["p99_us"] / 1000,
    }


def _verdict(stage: Stage, engine: Engine, everybody: int) -> Report:
    """Wait until everybody is back and what is under way is over; return what the oracle says."""
    connect(stage, engine, 0, everybody)
    settle(stage, engine)
    return engine.command("verdict")


CASES: Final[dict[str, Callable[[Stage, Subject], Report]]] = {
    "kill -9 with readers away": kill_with_readers_away,
    "kill -9 under load": kill_under_load,
    "slow reader": slow_reader,
}
KEPT: Final = (
    "accepted", "duplicated", "reordered", "redelivered", "refused", "disconnects",
    "accepted_while_slow", "rss_grown_kb", "calm_p99_ms", "slow_p99_ms",
)  # fmt: skip


def hurt_once(name: str, case: str, seconds: float) -> Row:
    """Do a case to a server; return the row. Raises one of FAILURES."""
    options = replace(OPTIONS, seconds=seconds)
    with tempfile.TemporaryDirectory(prefix="wxserve-bench-") as directory:
        place = Path(directory) / "place"
        with subject(name, place, SERVER_CORE, 2 * PAIRS) as hurt:
            stage = Stage(options, hurt.server, hurt.cast, Path(directory), retries=RETRIES)
            verdict = CASES[case](stage, hurt)
            row: Row = {"receipt": hurt.server.durability}
            row["in_archive"] = hurt.archived(range(PAIRS, 2 * PAIRS))
    row |= {name: verdict[name] for name in KEPT if name in verdict}
    row["unanswered"] = verdict["unanswered"]
    row["accepted_and_lost"] = verdict["lost"] - verdict["unanswered"]
    return row


def key(name: str, case: str) -> dict[str, object]:
    """Return what a row is found again by."""
    version = measured_revision() if name == OURS else BY_NAME[name].told_version
    return {"server": name, "version": version, "harness": measured_revision(), "case": case}


def survival_tables(rows: list[Row]) -> list[str]:
    """Return a table for each case, in Markdown."""
    lines: list[str] = []
    for case in CASES:
        found = [row for row in rows if row["case"] == case]
        if not found:
            continue
        slow = case == "slow reader"
        head = [
            "server",
            "receipt",
            "acknowledged",
            "of them not delivered",
            "nor in an archive",
            "doubled",
            "reordered",
        ]
        head += ["hung up on", "memory grown KiB", "others' p99 ms before / during"] * slow
        body = [_line(row, slow=slow) for row in found]
        lines += [f"### {case}", "", *table([head, *body]), ""]
    return lines


def _line(row: Row, *, slow: bool) -> list[str]:
    words = [row["server"], row["receipt"], *map(str, (row["accepted"], row["accepted_and_lost"]))]
    archive = row["in_archive"]
    words.append("–" if archive is None else str(max(0, row["accepted"] - archive)))
    words += [str(row["duplicated"]), str(row["reordered"])]
    if slow:
        words += [str(row["disconnects"]), str(row["rss_grown_kb"])]
        words.append(f"{shown(row['calm_p99_ms'])} / {shown(row['slow_p99_ms'])}")
    return words


def arguments(line: list[str] | None = None) -> Namespace:
    """Read the command line."""
    reader = ArgumentParser(prog="python -m bench.peers.survival", description=__doc__)
    reader.add_argument("--servers", default="", help="names, with commas between; wxserve too")
    reader.add_argument("--cases", default="", help="only cases whose name has this in it")
    reader.add_argument("--seconds", type=float, default=3.0, help="length of each phase")
    reader.add_argument("--out", type=Path, default=RAW, help="the file of rows that is continued")
    return reader.parse_args(line)


def main(line: list[str] | None = None) -> int:
    """Hurt every server; return 0, or 1 if a case could not be done."""
    values = arguments(line)
    build()
    names = installed(servers(values.servers, extras=True))
    journal, failed, rows = Journal(values.out), 0, []
    for case in (one for one in CASES if values.cases in one):
        for name in names:
            if not journal.find(**key(name, case)):
                print(f"bench: {case}: {name}", file=sys.stderr)
                try:
                    journal.add({**key(name, case), **hurt_once(name, case, values.seconds)})
                except FAILURES as error:
                    print(f"bench: {name}: {case}: {error}", file=sys.stderr)
                    failed += 1
            rows += journal.find(**key(name, case))
    print("\n".join(survival_tables(rows)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

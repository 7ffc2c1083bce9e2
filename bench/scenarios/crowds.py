"""Many connections: idle ones, logging in, and everybody coming back at once."""

import time

from bench.engine import Engine
from bench.options import SINCE
from bench.plan import Conversation, Flow, Plan
from bench.rows import Row, add_span, add_verdict, rounded, start_row
from bench.stage import Meter, Span, Stage, connect, finish

SETTLED_S: float = 2.0
"""After everybody has gone and the messages that they miss are written: those of the others that
waited behind them meanwhile are no part of the storm."""
MISSED: int = 3
"""Messages that were written to each group while its members were away."""


def idle(stage: Stage) -> Row:
    """Devices that log in and then say nothing: log-ins per second, memory, idle costs."""
    options, row = stage.options, start_row(stage)
    plan = Plan(stage.cast.crowd(options.devices))
    row["devices"] = options.devices
    before_kb = stage.memory_kb()
    with stage.engine(plan) as engine:
        engine.command(f"since {SINCE.index(options.since)}")
        meter = Meter(stage, engine)
        meter.start()
        took_s = connect(stage, engine, 0, options.devices)
        logins = meter.stop()
        after_kb = stage.memory_kb()
        row["since"] = options.since
        row["logins_per_s"] = round(options.devices / took_s, 1)
        row["server_cpu_us_per_login"] = rounded(logins.cpu_us(options.devices))
        row["login_generator_busy"] = round(logins.generator_busy, 3)
        for name in ("login", "current"):
            row[f"{name}_p50_ms"] = logins.report[name]["p50_us"] / 1000
            row[f"{name}_p99_ms"] = logins.report[name]["p99_us"] / 1000
        if before_kb is not None and after_kb is not None:
            row["rss_kb_per_connection"] = round((after_kb - before_kb) / options.devices, 2)
        span = meter.run(options.seconds, f"{options.devices} idle")
        add_span(row, span, 0)
        row["generator_saturated"] |= logins.generator_busy > 0.8
        if span.usage is not None:
            row["idle_cpu_ms_per_s"] = round(span.usage.cpu_s / span.wall_s * 1000, 2)
        add_verdict(row, finish(stage, engine), stage)
    return row


def group_plan(stage: Stage) -> tuple[Plan, int]:
    """Return a plan of groups, and how many writers there are.

    The first devices are one writer for each group; the others follow. Each writer writes to its
    own group.
    """
    plan = Plan()
    groups = stage.cast.groups(stage.options.devices)
    seen: dict[bytes, int] = {}

    def index_of(number: int) -> int:
        device = everybody[number]
        if device.id not in seen:
            seen[device.id] = len(plan.devices)
            plan.devices.append(device)
        return seen[device.id]

    everybody = [members[0] for members, _ in groups]
    everybody += [member for members, _ in groups for member in members[1:]]
    numbers = {device.id: number for number, device in reversed(list(enumerate(everybody)))}
    for number in range(len(everybody)):
        index_of(number)
    for group, (members, conversation) in enumerate(groups):
        inside = tuple(index_of(numbers[member.id]) for member in members)
        plan.conversations.append(Conversation(conversation, inside))
        window, body_bytes = stage.options.window, stage.options.body_bytes
        plan.flows.append(Flow(inside[0], (group,), window, body_bytes))
    return plan, len(groups)


def storm(stage: Stage) -> Row:
    """Everybody loses the connection, misses messages, and comes back at once.

    Meanwhile pairs write at a fixed rate; what they see before and during it is compared.
    """
    options, row = stage.options, start_row(stage)
    plan, writers = group_plan(stage)
    groups = len(plan.flows)
    background = len(plan.devices)
    for one, other, ids in stage.cast.pairs(options.pairs, 0):
        device = len(plan.devices)
        plan.devices += [one, other]
        plan.conversations.append(Conversation(ids[0], (device, device + 1)))
        number = len(plan.conversations) - 1
        plan.flows.append(Flow(device, (number,), options.window, options.body_bytes))
    rate = options.rate or 500.0
    row |= {"devices": background - writers, "rate": rate, "missed_each": MISSED}
    with stage.engine(plan) as engine:
        connect(stage, engine, 0, len(plan.devices))
        meter = Meter(stage, engine)
        engine.command(f"rate {groups} {options.pairs} {rate}")
        meter.wait(options.warm_s, "warming up")
        calm = meter.run(options.seconds, "before the storm")
        engine.command(f"drop {writers} {background - writers}")
        engine.command(f"burst 0 {groups} {MISSED}", stage.patience_s)
        meter.wait(SETTLED_S, "everybody is away")
        storm_span, took_s = _come_back(stage, engine, meter, (writers, background - writers))
        add_span(row, storm_span, storm_span.report["completed"])
        row["back_s"] = round(took_s, 2)
        row["calm_p99_ms"] = calm.report["accept"]["p99_us"] / 1000
        row["p99_times"] = rounded(row["p99_ms"] / max(0.001, row["calm_p99_ms"]))
        row["server_cpu_us_per_login"] = rounded(storm_span.cpu_us(background - writers))
        row["current_p99_ms"] = storm_span.report["current"]["p99_us"] / 1000
        add_verdict(row, finish(stage, engine), stage)
    return row


def _come_back(
    stage: Stage, engine: Engine, meter: Meter, crowd: tuple[int, int]
) -> tuple[Span, float]:
    meter.start()
    started = time.monotonic()
    first, count = crowd
    connect(stage, engine, first, count)
    return meter.stop(), time.monotonic() - started

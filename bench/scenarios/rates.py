"""Fixed rates: latency at a load that does not depend on the answers, short, long and mixed."""

from bench.engine import Engine
from bench.plan import Conversation, Flow, Plan
from bench.rows import Row, add_span, add_verdict, rounded, start_row
from bench.scenarios.crowds import group_plan
from bench.scenarios.messages import pair_plan
from bench.stage import Meter, Span, Stage, connect, finish, settle

CAPACITY_WINDOW = 16
SOAK_STEP_S = 5.0


def rate(stage: Stage) -> Row:
    """Latency at shares of the capacity, in an open loop.

    Arrivals are a Poisson process, and a message's latency counts from when it was due, so a
    server that stalls pays for every message that had to wait. The capacity is measured first,
    with windows of 16, unless ``--rate`` gives it.
    """
    options, row = stage.options, start_row(stage)
    plan = pair_plan(stage, CAPACITY_WINDOW)
    points = []
    with stage.engine(plan) as engine:
        connect(stage, engine, 0, len(plan.devices))
        meter = Meter(stage, engine)
        capacity = options.rate or _capacity(stage, engine, meter, len(plan.flows))
        row |= {"pairs": options.pairs, "capacity_per_s": round(capacity, 1)}
        for share in (float(one) / 100 for one in options.shares.split(",")):
            engine.command(f"rate 0 {len(plan.flows)} {capacity * share}")
            meter.wait(options.warm_s, f"{share:.0%} of the capacity, warming up")
            span = meter.run(options.seconds, f"{share:.0%} of the capacity")
            points.append(_point(share, capacity * share, span))
            add_span(row, span, span.report["completed"])
            engine.command("stop")
            settle(stage, engine)
        row["points"] = points
        row["half_p99_ms"] = next((one["p99_ms"] for one in points if one["share"] == 0.5), None)
        add_verdict(row, finish(stage, engine), stage)
    return row


def _capacity(stage: Stage, engine: Engine, meter: Meter, flows: int) -> float:
    engine.command(f"closed 0 {flows}")
    meter.wait(stage.options.warm_s, "capacity, warming up")
    span = meter.run(max(2.0, stage.options.seconds / 2), "capacity")
    engine.command("stop")
    settle(stage, engine)
    return span.per("completed")


def _point(share: float, wanted: float, span: Span) -> dict[str, float | None]:
    accept, deliver = span.report["accept"], span.report["deliver"]
    return {
        "share": share,
        "wanted_per_s": round(wanted, 1),
        "msgs_per_s": round(span.per("accepted"), 1),
        "p50_ms": accept["p50_us"] / 1000,
        "p90_ms": accept["p90_us"] / 1000,
        "p99_ms": accept["p99_us"] / 1000,
        "p999_ms": accept["p999_us"] / 1000,
        "deliver_p50_ms": deliver["p50_us"] / 1000,
        "deliver_p99_ms": deliver["p99_us"] / 1000,
        "server_cpu_us_per_msg": rounded(span.cpu_us(span.report["completed"])),
        "backlog": span.report["backlog"],
        "generator_busy": round(span.generator_busy, 3),
    }


def soak(stage: Stage) -> Row:
    """A fixed rate for a long time: whether memory, disk or latency creep."""
    options, row = stage.options, start_row(stage)
    plan = pair_plan(stage, CAPACITY_WINDOW)
    per_s = options.rate or 1000.0
    samples = []
    with stage.engine(plan) as engine:
        connect(stage, engine, 0, len(plan.devices))
        meter = Meter(stage, engine)
        engine.command(f"rate 0 {len(plan.flows)} {per_s}")
        meter.wait(options.warm_s, "warming up")
        steps = max(2, round(options.seconds / SOAK_STEP_S))
        for step in range(steps):
            span = meter.run(options.seconds / steps, f"soak, step {step + 1} of {steps}")
            add_span(row, span, span.report["completed"])
            samples.append({
                "at_s": round((step + 1) * options.seconds / steps, 1),
                "rss_kb": stage.memory_kb(),
                "msgs_per_s": row["msgs_per_s"],
                "p99_ms": row["p99_ms"],
                "disk_bytes_per_msg": row.get("disk_bytes_per_msg"),
                "server_cpu_us_per_msg": row["server_cpu_us_per_msg"],
            })  # fmt: skip
        row |= {"rate": per_s, "samples": samples}
        first, last = samples[len(samples) // 2 - 1]["rss_kb"], samples[-1]["rss_kb"]
        if first is not None and last is not None:
            row["rss_kb_grown_in_second_half"] = int(last) - int(first)
        add_verdict(row, finish(stage, engine), stage)
    return row


def mixed(stage: Stage) -> Row:
    """A day in a minute: pairs and groups, read markers, typing, and devices coming and going.

    Of the messages half go to pairs; for each message there is a read marker and a typing notice,
    and one device in a hundred per second loses its connection and comes back.
    """
    options, row = stage.options, start_row(stage)
    plan, _ = group_plan(stage)
    groups = len(plan.flows)
    crowd = len(plan.devices)
    _add_pairs(stage, plan)
    per_s = options.rate or 1000.0
    row |= {"rate": per_s, "devices": len(plan.devices), "groups": groups}
    with stage.engine(plan) as engine:
        connect(stage, engine, 0, len(plan.devices))
        meter = Meter(stage, engine)
        engine.command(f"rate 0 {len(plan.flows)} {per_s}")
        engine.command(f"registers 0 {len(plan.devices)} {per_s}")
        engine.command(f"typing 0 {len(plan.flows)} {per_s}")
        engine.command(f"reconnects 0 {crowd} {crowd / 100}")
        meter.wait(options.warm_s, "warming up")
        span = meter.run(options.seconds, "mixed")
        add_span(row, span, span.report["completed"])
        row["reconnects_per_s"] = round(span.per("logins"), 1)
        row["current_p99_ms"] = span.report["current"]["p99_us"] / 1000
        row["server_cpu_us_per_delivery"] = rounded(span.cpu_us(span.report["delivered"]))
        add_verdict(row, finish(stage, engine), stage)
    return row


def _add_pairs(stage: Stage, plan: Plan) -> None:
    """Add as many pairs as there are groups, so that messages go to both alike."""
    count = min(len(plan.flows), 50)
    for one, other, ids in stage.cast.pairs(count, 0):
        device = len(plan.devices)
        plan.devices += [one, other]
        plan.conversations.append(Conversation(ids[0], (device, device + 1)))
        number = len(plan.conversations) - 1
        plan.flows.append(Flow(device, (number,), 1, stage.options.body_bytes))

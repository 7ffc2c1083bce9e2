"""Closed windows: as fast as the server answers. Pairs, one group, one offline queue."""

import time

from bench.plan import Conversation, Flow, Plan
from bench.rows import Row, add_span, add_verdict, rounded, start_row
from bench.stage import Meter, Stage, connect, finish, settle

NOTICE_S = 1.0
"""Within which a server notices that a connection has ended."""


def pair_plan(stage: Stage, window: int) -> Plan:
    """Return a plan in which the first device of each pair writes to the second."""
    options, plan = stage.options, Plan()
    for one, other, ids in stage.cast.pairs(options.pairs, options.active):
        device, first = len(plan.devices), len(plan.conversations)
        plan.devices += [one, other]
        plan.conversations += [Conversation(id_, (device, device + 1)) for id_ in ids]
        numbers = tuple(range(first, len(plan.conversations)))
        plan.flows.append(Flow(device, numbers, window, options.body_bytes))
    return plan


def pairs(stage: Stage) -> Row:
    """P pairs, W messages of each sender under way: the throughput, and what a message costs.

    A message counts when its sender has the acceptance and its reader has the message.
    """
    options, row = stage.options, start_row(stage)
    plan = pair_plan(stage, options.window)
    if options.idle:
        plan.devices += stage.cast.crowd(options.idle)
    row |= {"pairs": options.pairs, "window": options.window, "connections": len(plan.devices)}
    row["active"] = len(plan.conversations)
    with stage.engine(plan) as engine:
        connect(stage, engine, 0, len(plan.devices))
        engine.command(f"closed 0 {len(plan.flows)}")
        meter = Meter(stage, engine)
        meter.wait(options.warm_s, "warming up")
        span = meter.run(options.seconds, f"pairs {options.pairs}x{options.window}")
        add_span(row, span, span.report["completed"])
        add_verdict(row, finish(stage, engine), stage)
    return row


def fanout(stage: Stage) -> Row:
    """One writes to a group whose members are all online; costs are per delivery."""
    options, row = stage.options, start_row(stage)
    members, conversation = stage.cast.group(options.members)
    everybody = tuple(range(len(members)))
    flow = Flow(0, (0,), options.window, options.body_bytes)
    plan = Plan(members, [Conversation(conversation, everybody)], [flow])
    row |= {"members": options.members, "window": options.window}
    with stage.engine(plan) as engine:
        connect(stage, engine, 0, len(members))
        engine.command("closed 0 1")
        meter = Meter(stage, engine)
        meter.wait(options.warm_s, "warming up")
        span = meter.run(options.seconds, f"fan-out to {options.members}")
        add_span(row, span, span.report["completed"])
        row["server_cpu_us_per_delivery"] = rounded(span.cpu_us(span.report["delivered"]))
        add_verdict(row, finish(stage, engine), stage)
    return row


def offline(stage: Stage) -> Row:
    """Messages for readers who are away: storing them, then everybody comes and reads all."""
    options, row = stage.options, start_row(stage)
    plan = pair_plan(stage, options.window)
    count = len(plan.flows)
    each = max(1, options.messages // count)
    # Writers first, readers after them, so that each is one range of devices.
    order = [2 * n for n in range(count)] + [2 * n + 1 for n in range(count)]
    plan.devices = [plan.devices[number] for number in order]
    place = {number: index for index, number in enumerate(order)}
    plan.conversations = [
        Conversation(one.id, tuple(place[member] for member in one.members))
        for one in plan.conversations
    ]
    plan.flows = [flow._replace(device=place[flow.device]) for flow in plan.flows]
    row |= {"pairs": count, "window": options.window, "messages": each * count}
    with stage.engine(plan) as engine:
        if stage.server.is_peer:  # some keep only what somebody has subscribed to before
            connect(stage, engine, count, count)
            engine.command(f"drop {count} {count}")
            engine.pause(NOTICE_S)
        connect(stage, engine, 0, count)
        meter = Meter(stage, engine)
        meter.start()
        engine.command(f"burst 0 {count} {each}", stage.patience_s)
        stored = meter.stop()
        meter.start()
        started = time.monotonic()
        connect(stage, engine, count, count)
        settle(stage, engine)
        drained = meter.stop()
        add_span(row, stored, each * count)
        row["msgs_per_s"] = row["store_per_s"] = round(stored.per("accepted"), 1)
        took_s = drained.report["last_delivery_ns"] / 1e9 - started
        row["drain_per_s"] = round(drained.report["delivered"] / took_s, 1)
        row["drain_cpu_us_per_msg"] = rounded(drained.cpu_us(drained.report["delivered"]))
        add_verdict(row, finish(stage, engine), stage)
    return row

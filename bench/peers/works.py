"""The works that every server is given, and which figures of them are compared."""

from dataclasses import replace
from typing import Final, NamedTuple

from bench.options import Options


class Work(NamedTuple):
    """One piece of work.

    Attributes:
        name: in tables and on the command line.
        options: of the scenario that does it.
        rate: the field with what is done in a second, and what that is.
        cost: the field with the server's processor time for one of them, in microseconds.
        more: titles and fields of what else is compared; less of it is better.
        quick: whether the short run has it.
    """

    name: str
    options: Options
    rate: tuple[str, str]
    cost: str
    more: tuple[tuple[str, str], ...] = ()
    quick: bool = False


_BASE: Final = Options(quiet=True, settle_ms=30_000)
_MESSAGES: Final = ("msgs_per_s", "messages/s")
_PER_MESSAGE: Final = "server_cpu_us_per_msg"
_LATENCY: Final = (("p50 ms", "p50_ms"), ("p99 ms", "p99_ms"))


def _pairs(count: int, window: int, *, quick: bool = False) -> Work:
    options = replace(_BASE, pairs=count, window=window)
    return Work(f"pairs {count}×{window}", options, _MESSAGES, _PER_MESSAGE, _LATENCY, quick)


def _fanout(members: int, *, quick: bool = False) -> Work:
    options = replace(_BASE, scenario="fanout", members=members, window=1)
    rate = ("deliveries_per_s", "deliveries/s")
    return Work(f"fan-out {members}", options, rate, "server_cpu_us_per_delivery", quick=quick)


_OFFLINE: Final = replace(_BASE, scenario="offline", pairs=10, window=64)
_IDLE: Final = replace(_BASE, scenario="idle", devices=2000, at_once=64, seconds=3.0)

WORKS: Final = (
    _pairs(1, 1, quick=True),
    _pairs(50, 1, quick=True),
    _pairs(50, 16, quick=True),
    _pairs(500, 1),
    _pairs(500, 16),
    _fanout(100, quick=True),
    _fanout(1000),
    Work("offline store", _OFFLINE, ("store_per_s", "stored/s"), _PER_MESSAGE, quick=True),
    Work("offline drain", _OFFLINE, ("drain_per_s", "drained/s"), "drain_cpu_us_per_msg"),
    Work(
        "log-ins and idle connections",
        _IDLE,
        ("logins_per_s", "log-ins/s"),
        "server_cpu_us_per_login",
        (("KiB/connection", "rss_kb_per_connection"),),
        quick=True,
    ),
    Work(
        "fixed rates",
        replace(_BASE, scenario="rate"),
        ("capacity_per_s", "capacity, messages/s"),
        _PER_MESSAGE,
        (("p99 ms at half of it", "half_p99_ms"),),
    ),
)
SYNCS: Final = Work(
    "syncs", replace(_BASE, pairs=10, window=1, syncs=True), _MESSAGES, _PER_MESSAGE, quick=True
)
"""Counts sync calls; strace slows the server, so its other figures are not for comparing."""
SHARED: Final = {"offline drain": "offline store"}
"""Works whose figures come out of another one's run."""


def measured(quick: bool, wanted: str = "") -> list[Work]:  # noqa: FBT001 - two ways to run
    """Return the works to be run.

    Args:
        quick: only those of the short run, shortened.
        wanted: only those whose name has this in it.
    """
    chosen = [work for work in (*WORKS, SYNCS) if work.name not in SHARED]
    if quick:
        chosen = [shortened(work) for work in chosen if work.quick]
    return [work for work in chosen if wanted in work.name]


def shortened(work: Work) -> Work:
    """Return the short form of a work: fewer devices and messages; windows are the run's."""
    options = replace(work.options, devices=min(work.options.devices, 500), messages=2000)
    return work._replace(options=options)

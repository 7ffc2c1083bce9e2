"""What is asked of a run."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

SCENARIOS: Final = (
    "pairs", "fanout", "offline", "idle", "storm", "rate", "soak", "mixed",
)  # fmt: skip

SINCE: Final = ("zero", "own", "now")


@dataclass(frozen=True)
class Options:
    """One run of one scenario; see ``--help`` for the meaning of each."""

    scenario: str = "pairs"
    pairs: int = 50
    window: int = 16
    body_bytes: int = 256
    seconds: float = 5.0
    warm_s: float = 1.5
    conversations: int = 0
    active: int = 0
    entries: int = 5
    idle: int = 0
    members: int = 100
    devices: int = 1000
    messages: int = 10_000
    at_once: int = 256
    rate: float = 0.0
    shares: str = "25,50,75,90"
    since: str = "now"
    tls: bool = False
    pinned: bool = True
    repeat: int = 1
    late_ms: int = 5000
    settle_ms: int = 20_000
    deadline_s: int = 0
    config: Path | None = None
    target: str = ""
    invites: Path | None = None
    plot: Path | None = None
    profile: Path | None = None
    syncs: bool = False
    json: bool = False
    quiet: bool = False

    @property
    def run_limit_s(self) -> int:
        """After how many seconds the generator ends by itself, whatever happens."""
        if self.deadline_s:
            return self.deadline_s
        steps = len(self.shares.split(",")) + 1 if self.scenario == "rate" else 1
        return int(120 + steps * (self.seconds + self.warm_s) * 2)


def parser() -> ArgumentParser:
    """Return the reader of the command line."""
    made = ArgumentParser(prog="python -m bench.load", description=__doc__)
    defaults = Options()
    made.add_argument("--scenario", choices=SCENARIOS, default=defaults.scenario)
    size = made.add_argument_group("size")
    for flag, kind, text in (
        ("--pairs", int, "pairs of devices that write to each other"),
        ("--window", int, "messages of one sender that are not over"),
        ("--body-bytes", int, "bytes of each message's body, at least 16"),
        ("--seconds", float, "length of the measured window"),
        ("--warm-s", float, "load before it"),
        ("--conversations", int, "in the store before the run; 0: an empty store"),
        ("--entries", int, "in each conversation of a prefilled store"),
        ("--idle", int, "devices that are logged in beside the pairs and say nothing"),
        ("--active", int, "conversations that the pairs' messages are spread over; 0: one each"),
        ("--members", int, "of the group in fanout"),
        ("--devices", int, "in idle, storm and mixed"),
        ("--messages", int, "stored in offline"),
        ("--at-once", int, "log-ins under way at the same time"),
        ("--rate", float, "messages per second in rate, soak, storm and mixed; 0: by capacity"),
        ("--shares", str, "percentages of the capacity, for rate"),
        ("--repeat", int, "runs, of which the median is reported"),
        ("--late-ms", int, "from when on a message counts as late"),
        ("--settle-ms", int, "how long what is under way is waited for at the end"),
        ("--deadline-s", int, "end by itself after so long; 0: by the length of the run"),
    ):
        name = flag[2:].replace("-", "_")
        size.add_argument(flag, type=kind, default=getattr(defaults, name), help=text)
    made.add_argument(
        "--since",
        choices=SINCE,
        default=defaults.since,
        help="idle: devices resume as new ones, from the prefilled state, or having everything",
    )
    made.add_argument("--tls", action="store_true", help="TLS 1.3 instead of plain TCP")
    made.add_argument(
        "--unpinned", dest="pinned", action="store_false", help="no processor of one's own"
    )
    made.add_argument("--config", type=Path, metavar="FILE", help="of the server, its own format")
    made.add_argument("--target", default="", metavar="HOST:PORT", help="a server that runs")
    made.add_argument("--invites", type=Path, metavar="FILE", help="for --target: unused invites")
    made.add_argument("--plot", type=Path, metavar="FILE.png", help="latency against load")
    made.add_argument(
        "--profile", type=Path, metavar="FILE.svg", help="flame graph of the server (py-spy)"
    )
    made.add_argument("--syncs", action="store_true", help="count the server's syncs (strace)")
    made.add_argument("--json", action="store_true", help="one JSON object on standard output")
    made.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return made


def parse(arguments: list[str] | None = None) -> Options:
    """Read a command line; ends the program when it makes no sense."""
    reader = parser()
    values: Namespace = reader.parse_args(arguments)
    options = Options(**{field.name: getattr(values, field.name) for field in fields(Options)})
    wrong = complaint(options)
    if wrong:
        reader.error(wrong)
    return options


def complaint(options: Options) -> str:
    """Return what is wrong with options, empty for nothing."""
    if bool(options.target) != bool(options.invites):
        return "--target and --invites belong together"
    if options.target and options.conversations:
        return "--conversations prefills a store of its own, not that of a --target"
    if options.target and (options.profile or options.syncs):
        return "--profile and --syncs look at a server of their own, not at a --target"
    if options.body_bytes < 16:
        return "--body-bytes is at least 16"
    if options.active and not options.conversations:
        return "--active needs a prefilled store (--conversations)"
    if options.idle and (options.conversations or options.scenario != "pairs"):
        return "--idle is for pairs over an empty store"
    if min(options.pairs, options.window, options.members - 1, options.repeat) < 1:
        return "counts are at least 1, --members at least 2"
    if options.seconds <= 0 or options.warm_s < 0:
        return "--seconds is above 0"
    return ""

"""Whether a change costs speed: this tree against an earlier revision, in turn: ``make bench-guard``.

Both are driven by this tree's harness with the same work, one after the other, A B B A A B …, so that
a machine whose speed changes is unfair to neither. What is compared is the middle of the ratios of
neighbouring runs. Ratios of neighbouring runs of the *same* revision tell the noise of this very run;
only a loss beyond it fails.
"""

import contextlib
import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from bench.engine import CACHE, build
from bench.journal import ROOT
from bench.load import PROBLEMS, run_once, workplace
from bench.options import Options
from bench.peers.tables import shown, table
from bench.rows import Row
from bench.server import ServerError

ROUNDS: Final = 4
SECONDS: Final = 5.0
LEAST: Final = 0.03
"""Smaller losses are never told as such, however quiet the machine."""
MOST: Final = 0.25
"""Above this much noise nothing can be told."""
STEADY: Final = 3.0
"""How many times the expected error of the middle counts as noise: few runs tell it badly."""
SHARED_MOST: Final = 0.3
"""Nor when others use more than this part of the server's processor: they do so by turns."""
LOST: Final = 1
UNTOLD: Final = 2

_BASE: Final = Options(quiet=True)
CHECKED: Final = (
    ("pairs 50×16", _BASE, "server_cpu_us_per_msg"),
    ("pairs 50×1", replace(_BASE, window=1), "server_cpu_us_per_msg"),
    (
        "fan-out 100",
        replace(_BASE, scenario="fanout", members=100, window=1),
        "server_cpu_us_per_delivery",
    ),
    (
        "offline store",
        replace(_BASE, scenario="offline", pairs=10, window=64),
        "server_cpu_us_per_msg",
    ),
    (
        "log-ins",
        replace(_BASE, scenario="idle", devices=1000, at_once=64, seconds=1.0),
        "server_cpu_us_per_login",
    ),
)
"""Each with the figure that is compared; lower is better."""


class Verdict(NamedTuple):
    """What one check found.

    Attributes:
        before: the middle of the figure at the earlier revision.
        now: the same of this tree.
        change: of the figure from before to now; 0.1 is a tenth more.
        noise: the error of the change, from how far neighbouring runs of one revision lay apart.
        shared: which part of the server's processor others used, in the middle.
    """

    before: float
    now: float
    change: float
    noise: float
    shared: float = 0.0

    @property
    def is_told(self) -> bool:
        """Whether the machine was quiet enough to tell anything."""
        return self.noise <= MOST and self.shared <= SHARED_MOST

    @property
    def is_lost(self) -> bool:
        """Whether the change is a loss beyond the noise."""
        return self.is_told and self.change > max(LEAST, self.noise)

    @property
    def words(self) -> str:
        """The verdict in words."""
        if self.is_lost:
            return "LOST"
        if not self.is_told:
            return "others use the processor" if self.noise <= MOST else "too noisy to tell"
        return "gained" if -self.change > max(LEAST, self.noise) else "the same within the noise"


def order(rounds: int) -> str:
    """Return which side runs when: A B, B A, A B, …; A is the earlier revision."""
    return "".join("AB" if number % 2 == 0 else "BA" for number in range(rounds))


def judge(sides: str, values: Sequence[float]) -> Verdict:
    """Compare the runs of a check.

    Args:
        sides: A or B for each run, as ``order`` gives them, in their order.
        values: the figure of each run.
    """
    before = [value for side, value in zip(sides, values, strict=True) if side == "A"]
    now = [value for side, value in zip(sides, values, strict=True) if side == "B"]
    ratios = [late / early for early, late in zip(before, now, strict=True)]
    apart = [
        math.log(one / other) ** 2
        for runs in (before, now)
        for one, other in itertools.pairwise(runs)
    ]
    # Neighbouring runs of one side lie apart as those of both do when nothing has changed; the
    # middle of several is steadier by the root of their number.
    noise = STEADY * (statistics.fmean(apart) / len(ratios)) ** 0.5
    change = statistics.median(ratios) - 1
    return Verdict(statistics.median(before), statistics.median(now), change, noise)


def git(*arguments: str) -> str:
    """Run git here; return its output, empty if it failed."""
    done = subprocess.run(  # noqa: S603 - our own command
        ["git", "-C", str(ROOT), *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if not done.returncode else ""


def previous() -> str:
    """Return the newest tag before this commit, empty if there is none."""
    return git("describe", "--tags", "--abbrev=0", "HEAD^")


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Have the files of a revision in a directory of their own.

    Raises:
        ValueError: there is no such revision.
    """
    commit = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not commit:
        raise ValueError(f"there is no revision {revision}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="revision-") as name:
        tree = Path(name) / "tree"
        git("worktree", "add", "--detach", str(tree), commit)
        if not (tree / "src").is_dir():
            raise ValueError(f"the files of {revision} cannot be had")
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


@contextlib.contextmanager
def installed(tree: Path) -> Iterator[Path]:
    """Have the server that lies in a tree, built for this Python, in a directory of its own.

    Raises:
        ServerError: it cannot be built.
    """
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="installed-") as name:
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-deps", "--target", name, str(tree)],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise ServerError(f"{tree} cannot be installed: {done.stderr.strip()}")
        yield Path(name)


@contextlib.contextmanager
def served_from(folder: Path) -> Iterator[None]:
    """Let servers that are started inside come from a folder, run by this Python."""
    before = os.environ.get("WXSERVE_BENCH_SERVER")
    os.environ["WXSERVE_BENCH_SERVER"] = f"env PYTHONPATH={folder} {sys.executable} -m wxserve"
    try:
        yield
    finally:
        if before is None:
            del os.environ["WXSERVE_BENCH_SERVER"]
        else:
            os.environ["WXSERVE_BENCH_SERVER"] = before


def run_check(options: Options, folders: dict[str, Path], rounds: int) -> tuple[str, list[Row]]:
    """Run one check on both sides in turn; return the sides and the rows.

    Raises:
        ServerError: a server does not start, or ended; and what else ``run_once`` raises.
    """
    rows, sides = [], order(rounds)
    for side in sides:
        with served_from(folders[side]), workplace(options) as (directory, filled):
            rows.append(run_once(options, directory, filled, 0))
    return sides, rows


def arguments(line: list[str] | None = None) -> Namespace:
    """Read the command line."""
    reader = ArgumentParser(prog="python -m bench.guard", description=__doc__)
    reader.add_argument("--against", default="", help="a revision; else the previous tag")
    reader.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each side, at least 2")
    reader.add_argument("--seconds", type=float, default=SECONDS, help="of each measured window")
    reader.add_argument("--conversations", type=int, default=0, help="in the store before")
    reader.add_argument("--only", default="", help="only checks whose name has this in it")
    values = reader.parse_args(line)
    if values.rounds < 2:
        reader.error("--rounds is at least 2: the noise is measured too")
    return values


def main(line: list[str] | None = None) -> int:
    """Compare; return 0, LOST for a loss, UNTOLD if the machine was too noisy or a run failed."""
    values = arguments(line)
    against = values.against or previous()
    if not against:
        print("bench: no tag comes before this commit; --against names a revision", file=sys.stderr)
        return UNTOLD
    build()
    chosen = [one for one in CHECKED if values.only in one[0]]
    lines = [["check", f"before ({against})", "now", "change", "noise", "verdict"]]
    codes = {0}
    try:
        with checked_out(against) as tree, installed(tree) as before, installed(ROOT) as now:
            for name, options, field in chosen:
                print(f"bench: {name}, {2 * values.rounds} runs in turn", file=sys.stderr)
                wanted = replace(
                    options,
                    seconds=min(values.seconds, options.seconds),
                    conversations=values.conversations,
                )
                sides, rows = run_check(wanted, {"A": before, "B": now}, values.rounds)
                shared = statistics.median(row.get("others_share") or 0.0 for row in rows)
                found = judge(sides, [row[field] for row in rows])._replace(shared=shared)
                broken = any(row["failed"] for row in rows)
                codes.add(LOST if found.is_lost or broken else 0 if found.is_told else UNTOLD)
                lines.append([name, *_figures(found), found.words + ", ORACLE" * broken])
    except PROBLEMS as error:
        print(f"bench: {error}", file=sys.stderr)
        return UNTOLD
    print("\n".join(table(lines)))
    print("Processor time of the server in µs for each message, delivery or log-in.")
    return LOST if LOST in codes else max(codes)


def _figures(found: Verdict) -> list[str]:
    ratio, noise = f"{found.change:+.1%}", f"±{found.noise:.1%}"
    return [shown(found.before), shown(found.now), ratio, noise]


if __name__ == "__main__":
    sys.exit(main())

"""Runs the proofs, the tests marked ``fault``, in their long size within a time that they share.

Run `make prove BUDGET=40m` (s, m, h, or plain seconds; ARGS="-k word" chooses). What each finds is
appended to docs/reliability.jsonl, from which the tables of docs/reliability.md are made. A proof
that fails is noted there too, and the command fails in the end; the others run nevertheless.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from tools.generate import main as generate  # noqa: E402 - found by the line above
from tools.proving import record  # noqa: E402
from tools.proving.budget import Proof, clock, ordered, seconds, share_of  # noqa: E402

BUDGET: Final = "WXSERVE_PROVE_BUDGET"
LOOK_S: Final = 0.5
SHARE_MIN_S: Final = 1.0
"""For a proof whose time the others used up: no time at all would mean another, small proof."""
TOLD_S: Final = 60.0
"""How often the progress is told where it cannot be rewritten in its place."""
OVERTIME_S: Final = 900.0
"""After its share a proof may still settle and judge; then it is stopped, which is a failure."""


class _Collector:
    """A plugin of pytest that notes what would run."""

    def __init__(self) -> None:
        self.proofs: list[Proof] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("fault")
            if mark is not None:
                self.proofs.append(Proof(item.nodeid, float(mark.kwargs.get("share", 1))))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        gone = {item.nodeid for item in items}
        self.proofs = [proof for proof in self.proofs if proof.name not in gone]


def collect(arguments: list[str]) -> list[Proof]:
    """Return the proofs that pytest finds.

    Raises:
        SystemExit: it finds none, or cannot.
    """
    collector, told = _Collector(), io.StringIO()
    os.environ[BUDGET] = "1"  # some proofs are there only when there is time for them
    with contextlib.redirect_stdout(told):
        status = pytest.main(["--collect-only", "-q", "-m", "fault", *arguments], [collector])
    if status != pytest.ExitCode.OK or not collector.proofs:
        sys.stderr.write(told.getvalue())
        raise SystemExit("prove: no proof to run")
    return ordered(collector.proofs)


class Run:
    """One proof on its way.

    Attributes:
        failed: it did not pass.
        skipped: why it was not run, empty if it was.
        found: its lines.
    """

    def __init__(self, proof: Proof, place: str, budget_s: float, directory: Path) -> None:
        self._proof = proof
        self._place = place
        self._budget_s = budget_s
        self._results = directory / "results"
        self._output = directory / "output"
        self._told = 0.0
        self.failed = False
        self.skipped = ""
        self.found: list[record.Line] = []

    def run(self) -> None:
        """Run it to its end, telling how far it is."""
        environment = {
            **os.environ,
            BUDGET: str(self._budget_s),
            "WXSERVE_PROVE_RESULTS": str(self._results),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-o", "faulthandler_timeout=0"]
        begin = time.monotonic()
        with self._output.open("w") as output:
            process = subprocess.Popen(  # noqa: S603 - fixed words and what pytest found
                [*command, self._proof.name],
                env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                status = self._wait(process, begin)
            finally:
                process.kill()
                process.wait()
        self.failed = status != 0
        self.skipped = record.skip_reason(self._output.read_text())
        self._keep()
        word = "FAILED" if self.failed else "skipped" if self.skipped else "holds"
        self._say(f"{word} in {clock(time.monotonic() - begin)}{self._counts()}\n")
        if self.failed or self.skipped:
            print(self._output.read_text()[-6000:], flush=True)

    def _wait(self, process: subprocess.Popen[bytes], begin: float) -> int:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_S)
            elapsed = time.monotonic() - begin
            if elapsed > self._budget_s + OVERTIME_S:
                return -1
            text = f"{clock(elapsed)} of {clock(self._budget_s)}{self._progress()}"
            if sys.stdout.isatty():
                self._say(text)
            elif elapsed - self._told >= TOLD_S:
                self._told = elapsed
                self._say(text + "\n")

    def _progress(self) -> str:
        try:
            return ", " + Path(f"{self._results}.progress").read_text()
        except OSError:
            return ""

    def _keep(self) -> None:
        text = self._results.read_text() if self._results.exists() else ""
        self.found = [json.loads(line) for line in text.splitlines()]
        if self.failed:
            self.found.append({"promise": "", "what": self._proof.name, "rounds": 0, "failed": 1})
        if self.skipped:
            what = f"{self._proof.name}: {self.skipped}"
            self.found.append({"promise": "", "what": what, "rounds": 0, "skipped": 1})

    def _counts(self) -> str:
        rounds = sum(one.get("rounds", 0) for one in self.found)
        accepted = sum(one.get("accepted", 0) for one in self.found)
        return f": {rounds:,} rounds, {accepted:,} accepted" if rounds else ""

    def _say(self, text: str) -> None:
        lead = "\r\x1b[K" if sys.stdout.isatty() else ""
        name = self._proof.name.removeprefix("tests/")
        print(f"{lead}[{self._place}] {name}: {text}", end="", flush=True)


def main() -> int:
    """Return the status for the shell: 1 if a proof failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=seconds, default=60.0, help="for all proofs: 90, 40m, 2h")
    options, arguments = parser.parse_known_args()
    proofs = collect(arguments)
    stamp = {"code": record.code(), "commit": record.commit()}
    end = time.monotonic() + options.budget
    print(f"{len(proofs)} proofs, {clock(options.budget)}, code {stamp['code']}", flush=True)
    failed = skipped = 0
    try:
        for number, proof in enumerate(proofs):
            share_s = max(SHARE_MIN_S, share_of(end - time.monotonic(), proofs[number:]))
            with tempfile.TemporaryDirectory() as directory:
                run = Run(proof, f"{number + 1}/{len(proofs)}", share_s, Path(directory))
                run.run()
            record.keep(run.found, stamp)
            failed += run.failed
            skipped += bool(run.skipped)
    except KeyboardInterrupt:
        print("\nstopped; what is finished is kept", flush=True)
        failed += 1
    finally:
        sys.argv = sys.argv[:1]
        generate()
    ran = len(proofs) - skipped
    print(f"{failed} of {ran} proofs failed" if failed else f"{ran} proofs hold", flush=True)
    if skipped:
        print(f"{skipped} were skipped: not proved here", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

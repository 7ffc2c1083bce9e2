"""The generator process: building it, commanding it, never leaving it behind."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.plan import Plan
from bench.processes import affinity
from bench.signer import AT_ONCE_MAX, Signer

SOURCES: Final = Path(__file__).parent / "generator"
CACHE: Final = Path(
    os.environ.get("WXSERVE_BENCH_CACHE", Path(__file__).parents[1] / ".cache/bench")
)
FLAGS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
ANSWER_S: Final = 10.0
"""How long the generator may take to answer a command that waits for nothing."""

Report = dict[str, Any]


class EngineError(RuntimeError):
    """The generator ended, or does not answer."""


class Program(NamedTuple):
    """The compiled generator.

    Attributes:
        path: of its binary.
        openssl: whether it can do TLS, and sign.
    """

    path: Path
    openssl: bool


def build() -> Program:
    """Return the generator, compiled if its sources or the compiler changed.

    It is built with OpenSSL if its headers are there and WXSERVE_BENCH_OPENSSL is not 0.

    Raises:
        EngineError: there is no C compiler, or it does not accept the sources.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise EngineError("the load harness needs a C compiler (cc); set CC to name one")
    files = sorted(SOURCES.glob("*.[ch]"))
    wanted = os.environ.get("WXSERVE_BENCH_OPENSSL") != "0"
    openssl = wanted and _compiles(compiler, "#include <openssl/ssl.h>\n")
    extra = ("-DWITH_OPENSSL",) if openssl else ()
    libraries = ("-lssl", "-lcrypto", "-lm") if openssl else ("-lm",)
    digest = sha256(repr((compiler, FLAGS, extra)).encode())
    for file in files:
        digest.update(file.read_bytes())
    binary = CACHE / f"generator-{digest.hexdigest()[:16]}"
    if not binary.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = binary.with_suffix(f".{os.getpid()}")
        sources = [str(file) for file in files if file.suffix == ".c"]
        command = [compiler, *FLAGS, *extra, *sources, "-o", str(fresh), *libraries]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if done.returncode:
            raise EngineError(f"the generator does not compile:\n{done.stderr}")
        fresh.rename(binary)
    return Program(binary, openssl)


def _compiles(compiler: str, source: str) -> bool:
    command = [compiler, "-fsyntax-only", "-x", "c", "-"]
    return not subprocess.run(  # noqa: S603 - our own command
        command, input=source, text=True, capture_output=True, check=False
    ).returncode


class Engine:
    """A running generator. Each command is a line and has one answer.

    Attributes:
        at_once_max: log-ins that it may have under way together.
    """

    def __init__(self, process: subprocess.Popen[bytes], at_once_max: int) -> None:
        self.at_once_max = at_once_max
        self._process = process
        self._data = b""

    def command(self, line: str, wait_s: float = ANSWER_S) -> Report:
        """Send a command and return its answer.

        Args:
            line: the command.
            wait_s: how long to wait for the answer.

        Raises:
            EngineError: there is none.
        """
        assert self._process.stdin is not None
        try:
            os.write(self._process.stdin.fileno(), line.encode() + b"\n")
        except OSError as error:
            raise EngineError(f"the generator has ended: {error}") from error
        return self.answer(wait_s)

    def answer(self, wait_s: float) -> Report:
        """Return the next answer.

        Raises:
            EngineError: there is none.
        """
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        end = time.monotonic() + wait_s
        while b"\n" not in self._data:
            left = end - time.monotonic()
            if left <= 0:
                raise EngineError(f"the generator did not answer within {wait_s:.0f} s")
            if select.select([descriptor], [], [], left)[0]:
                more = os.read(descriptor, 65536)
                if not more:
                    code = self._process.wait()
                    raise EngineError(f"the generator ended with {code}")
                self._data += more
        line, _, self._data = self._data.partition(b"\n")
        report: Report = json.loads(line)
        return report

    def pause(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            EngineError: the generator ended meanwhile.
        """
        try:
            code = self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return
        raise EngineError(f"the generator ended with {code}")

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid


@contextlib.contextmanager
def running_engine(
    plan: Plan, arguments: Sequence[str], directory: Path, core: int | None
) -> Iterator[Engine]:
    """Run the generator on a plan; it is gone when this ends.

    Args:
        plan: what takes part.
        arguments: where the server is, see ``main.c``.
        directory: for the plan's file.
        core: the processor to run on, None for any.

    Raises:
        EngineError: it does not start.
    """
    path = directory / f"plan-{os.getpid()}"
    plan.write(path, int.from_bytes(os.urandom(8), "big"))
    program = build()
    signer = None if program.openssl else Signer(plan.devices)
    ends = () if signer is None else (signer.generator_end.fileno(),)
    signing = [f"--signer={end}" for end in ends]
    with affinity(core):
        process = subprocess.Popen(  # noqa: S603 - our own command
            [str(program.path), "--plan", str(path), *arguments, *signing],
            pass_fds=ends,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    engine = Engine(process, sys.maxsize if signer is None else AT_ONCE_MAX)
    try:
        engine.answer(ANSWER_S)
        yield engine
    finally:
        process.kill()
        process.wait()
        if signer is not None:
            signer.close()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        path.unlink(missing_ok=True)

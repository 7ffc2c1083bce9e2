"""``make run``: a server on this machine, two devices that talk through it, and the way to join.

The devices are another program: the client SDK's own demonstration, in a process of its own, which
speaks to the server over TLS like any client.
"""

import argparse
import importlib.util
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

import wxserve

from .cli import endpoint_argument, reporting
from .clock import SystemClock
from .config import Config
from .inviting import Terms, issue_invites
from .logging import configure_logging
from .options import LogOptions
from .server import EXIT_FAILED, Plan, Running, run_server

_DEVICES: Final = "wxclient.demo"
_PEOPLE: Final = ("Carol", "Dave")
_TERMS: Final = Terms(valid_s=86_400)


class Demo:
    """One run of the demonstration.

    Attributes:
        data: where everything of it is.
        once: end after the exchange.
        failed: whether the devices did not do what they should.
    """

    def __init__(self, data: Path, *, once: bool) -> None:
        self.data = data
        self.once = once
        self.failed = False

    async def accompany(self, running: Running) -> None:
        """Show the server, the exchange and how to join.

        Args:
            running: the server; ended after the exchange if that was asked for or it failed.

        Cancellation: ends the devices.
        """
        _say("")
        _say(f"  {_bold('wxserve')} {wxserve.__version__}")
        _say("")
        self._say_place("server", f"{running.served.endpoint}, TLS 1.3")
        self._say_place("data", str(self.data))
        self._say_place("log", str(self.data / "server.log"))
        _say("")
        await self._let_devices_talk()
        if self.failed or self.once:
            running.stop.set()
            return
        self._explain_joining()

    async def _let_devices_talk(self) -> None:
        if importlib.util.find_spec(_DEVICES.partition(".")[0]) is None:
            _say("  The client SDK (wxserve-client) is not installed, so nobody talks here yet.")
            return
        command = [sys.executable, "-m", _DEVICES, str(self.data / "devices")]
        done = await trio.run_process(
            command, stdin="\n".join(self._invites()).encode(), check=False
        )
        self.failed = done.returncode != 0
        if self.failed:
            print(f"wxserve: the devices ended with status {done.returncode}", file=sys.stderr)
            return
        _say("")
        _say(f"  {_quiet('accepted: on stable storage; delivered: in the other application')}")

    def _explain_joining(self) -> None:
        _say("")
        _say("  Join from other terminals, each line one person:")
        _say("")
        for name, invite in zip(_PEOPLE, self._invites(), strict=True):
            state = shlex.quote(str(self.data / name.lower()))
            _say(f"    {_program('wx')} --name {name} --state {state} {shlex.quote(invite)}")
        _say("")
        data = shlex.quote(str(self.data))
        _say(f"  More invites: {_program('wxserve')} invite --data {data}")
        _say("  Ctrl-C stops the server.")

    def _invites(self) -> list[str]:
        return issue_invites(self.data, len(_PEOPLE), _TERMS, SystemClock()).uris

    def _say_place(self, name: str, place: str) -> None:
        _say(f"  {_quiet(f'{name:8}')} {place}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration until Ctrl-C.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="wxserve demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--once", action="store_true", help="end after the exchange")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep everything there")
    parser.add_argument(
        "--listen", type=endpoint_argument, default="127.0.0.1:0", metavar="HOST:PORT"
    )
    chosen = parser.parse_args(arguments)
    if chosen.data is not None:
        return _run(chosen.data, chosen)
    data = Path(tempfile.mkdtemp(prefix="wxserve-demo-"))
    try:
        return _run(data, chosen)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _run(data: Path, chosen: argparse.Namespace) -> int:
    demo = Demo(data, once=chosen.once)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = Config()
    config = replace(config, server=replace(config.server, listen=str(chosen.listen)))
    with (data / "server.log").open("a", encoding="utf-8") as log:
        configure_logging(LogOptions(format="json"), log)
        status = reporting(lambda: run_server(Plan(data, config), demo.accompany))
    if status == 0 and not demo.failed:
        kept = f"kept in {data}" if chosen.data is not None else "its data is removed"
        _say(f"\n  Stopped; {kept}.")
    return EXIT_FAILED if demo.failed else status


def _program(name: str) -> str:
    """Return how to call a program that is installed beside this Python."""
    path = Path(sys.executable).parent / name
    if shutil.which(name) is not None or not path.exists():
        return name
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _bold(text: str) -> str:
    return _painted(text, "1")


def _quiet(text: str) -> str:
    return _painted(text, "2")


def _painted(text: str, code: str) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

"""What may stand on the command line of ``wx``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from .limits import SEND_DEADLINE_S

_VALUED: Final = frozenset({"--profile", "--state", "--name"})
_COMMANDS: Final = frozenset({"send", "tail", "whoami"})
_ABOUT: Final = """\
A chat client for wxserve.

  wx 'wxserve://…'      join with an invite (quote it: the shell must not read its & and ?)
  wx                    go on with the account used last
  wx send --to ADDRESS TEXT
  wx tail [--json]      print what arrives
  wx whoami             print your address
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen.

    Attributes:
        command: "send", "tail", "whoami", or empty for the screen.
        invite: to join with, or None.
        profile: its name, or None for the last one.
        state: a directory instead, or None.
        name: the display name for a new account, or None to be asked.
        to: whom to send to.
        text: what to send; None for standard input.
        wait_s: how long to wait for the acceptance.
        as_json: whether to print JSON.
        count: after so many entries ``tail`` ends; 0 for never.
    """

    command: str = ""
    invite: str | None = None
    profile: str | None = None
    state: Path | None = None
    name: str | None = None
    to: str = ""
    text: str | None = None
    wait_s: float = SEND_DEADLINE_S
    as_json: bool = False
    count: int = 0


def read_arguments(arguments: Sequence[str]) -> Chosen:
    """Return what was chosen; wrong usage ends the program with status 2, and says why."""
    words = list(arguments)
    command = ""
    for at, word in enumerate(words):
        if word in _COMMANDS and (at == 0 or words[at - 1] not in _VALUED):
            command = words.pop(at)
            break
        if not word.startswith("-") and (at == 0 or words[at - 1] not in _VALUED):
            break
    return Chosen(command=command, **vars(_parser(command).parse_args(words)))


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"wx {command}".strip(),
        description=_ABOUT if not command else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--profile", metavar="NAME", help="which account; default: the last one")
    parser.add_argument("--state", type=Path, metavar="PATH", help="its directory, wherever it is")
    parser.add_argument("--name", metavar="NAME", help="how others see you, when joining")
    match command:
        case "send":
            _add_send(parser)
        case "tail":
            parser.add_argument(
                "--json", dest="as_json", action="store_true", help="one object a line"
            )
            parser.add_argument("--count", type=_count, default=0, help="end after so many entries")
        case "":
            parser.add_argument("--version", action="version", version=f"wx {_version()}")
    if command in {"", "tail"}:
        parser.add_argument("invite", nargs="?", metavar="INVITE", help="to join with")
    return parser


def _add_send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to", required=True, metavar="ADDRESS", help="an address, or the name of a conversation"
    )
    parser.add_argument(
        "--wait", dest="wait_s", type=float, default=SEND_DEADLINE_S, metavar="SECONDS",
        help="how long to wait for the server; then it is sent with the next start",
    )  # fmt: skip
    parser.add_argument("text", nargs="?", metavar="TEXT", help="default: standard input")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _version() -> str:
    try:
        return version("wxserve-client")
    except PackageNotFoundError:
        return "unknown"

"""The console script ``wx``."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec

import anyio

from . import scripting
from .command_line import Chosen, read_arguments
from .complaints import MissingExtraError, NoTerminalError, complaint_of
from .joining import plan
from .profiles import find_profile


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit status; see ``complaints``.
    """
    chosen = read_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        return _carry_out(chosen)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `wx tail | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        complaint = complaint_of(error)
        if complaint is None:
            raise
        print(f"wx: {complaint.line}", file=sys.stderr)
        return complaint.status


def _carry_out(chosen: Chosen) -> int:
    """Carry out what was chosen.

    Raises:
        MissingExtraError: the screen's package is not there.
        NoTerminalError: there is nothing to draw on.
    """
    profile = find_profile(os.environ, chosen.profile, chosen.state)
    if chosen.command == "whoami":
        return scripting.whoami(profile)
    if not chosen.command and find_spec("textual") is None:
        raise MissingExtraError
    if not chosen.command and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NoTerminalError
    opening = plan(profile, chosen.invite, partial(_ask_name, chosen.name))
    match chosen.command:
        case "send":
            text = chosen.text if chosen.text is not None else sys.stdin.read().rstrip("\n")
            run = partial(scripting.send, opening, _now, chosen.to, text, chosen.wait_s)
        case "tail":
            run = partial(scripting.tail, opening, _now, as_json=chosen.as_json, count=chosen.count)
        case _:
            from .views.session import run_screen  # noqa: PLC0415 - needs the extra

            run = partial(run_screen, opening, _now)
    return anyio.run(run, backend="asyncio")


def _ask_name(given: str | None, default: str) -> str:
    """Return the display name: as given, as typed, or the default."""
    if given is not None or not sys.stdin.isatty():
        return given or default
    return input(f"Your name, as others see it [{default}]: ").strip() or default


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())

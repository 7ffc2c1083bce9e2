"""The command line: ``wxserve serve | invite | check-config``.

Exit status: 0 done, 1 refused to start or failed, 2 wrong usage or configuration.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

import wxserve
from wxserve.protocol.identifiers import ACCOUNT_BYTES, AccountId
from wxserve.protocol.rows import COMPILED
from wxserve.store.errors import StoreRefusedError
from wxserve.transport.poller import PlatformUnsupportedError

from .clock import SystemClock
from .config import FILE_NAME, Config, ConfigError, load_config
from .durations import parse_duration
from .endpoint import Endpoint, is_loopback, parse_endpoint
from .inviting import Terms, issue_invites
from .keys import RefusedError
from .logging import configure_logging
from .rendering import render
from .server import EXIT_FAILED, Plan, Running, run_server

EXIT_USAGE = 2
VERSION = f"wxserve {wxserve.__version__} ({'compiled' if COMPILED else 'pure Python'})"
"""Of the program, and whether the codec has its compiled half."""
EXIT_INTERRUPTED = 130
_REFUSALS = (RefusedError, StoreRefusedError, PlatformUnsupportedError)
_INVITES_MAX = 100_000
_log = logging.getLogger("wxserve.app")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit status.
    """
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = chosen.command
    return reporting(lambda: command(chosen))


def reporting(command: Callable[[], int | None]) -> int:
    """Carry out a command and explain to a person what stopped it.

    Args:
        command: returns an exit status, or None for 0.

    Returns:
        The exit status.
    """
    try:
        return command() or 0
    except ConfigError as error:
        _complain(*error.problems)
        return EXIT_USAGE
    except _REFUSALS as error:
        _complain(str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `wxserve check-config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except BaseExceptionGroup as group:
        return _explain_group(group)


def _explain_group(group: BaseExceptionGroup[BaseException]) -> int:
    """Tell refusals, which nurseries wrap, from defects."""
    expected, defects = group.split((*_REFUSALS, KeyboardInterrupt))
    if defects is not None:
        _log.critical("server.failed", exc_info=group)
        return EXIT_FAILED
    error: BaseException | None = expected
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    _complain(str(error))
    return EXIT_FAILED


def _complain(*problems: str) -> None:
    for problem in problems:
        print(f"wxserve: {problem}", file=sys.stderr)


# --- the commands ----------------------------------------------------------------------------


def _serve(chosen: argparse.Namespace) -> int:
    config = _with_arguments(_config(chosen), chosen)
    host = parse_endpoint(config.server.listen).host
    if config.server.insecure_plaintext and not _is_loopback(host):
        _complain(
            f"--insecure-plaintext is for loopback only, not for {host or 'all addresses'}; "
            "leave it away to serve with TLS"
        )
        return EXIT_USAGE
    configure_logging(config.log)

    async def announce(running: Running) -> None:
        tls = "1.3" if running.served.tls else "off"
        where = f"tcp={running.served.endpoint} tls={tls} data={chosen.data} pid={os.getpid()}"
        print(f"ready {where}", flush=True)
        await trio.lowlevel.checkpoint()

    run_server(Plan(chosen.data, config), announce)
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return is_loopback(host)
    except OSError as error:
        raise RefusedError(f"cannot listen on {host}: {error.strerror or error}") from error


def _invite(chosen: argparse.Namespace) -> int:
    config = _config(chosen)
    endpoint: Endpoint | None = chosen.host
    if endpoint is None and config.server.advertise:
        endpoint = parse_endpoint(config.server.advertise)
    terms = Terms(chosen.valid, chosen.account)
    invites = issue_invites(chosen.data, chosen.count, terms, SystemClock(), endpoint)
    if chosen.json:
        expires = invites.expires.isoformat().replace("+00:00", "Z")
        print(json.dumps({"invites": invites.uris, "expires": expires}))
    else:
        print("\n".join(invites.uris))
    return 0


def _check_config(chosen: argparse.Namespace) -> int:
    print(render(_config(chosen), explain=chosen.explain), end="")
    return 0


def _config(chosen: argparse.Namespace) -> Config:
    """Read the file that was named, or the one in the data directory if there is one."""
    if chosen.config is not None:
        return load_config(chosen.config)
    if chosen.data is not None and (chosen.data / FILE_NAME).exists():
        return load_config(chosen.data / FILE_NAME)
    return Config()


def _with_arguments(config: Config, chosen: argparse.Namespace) -> Config:
    """Let what stands on the command line win."""
    server: dict[str, Any] = {}
    log: dict[str, Any] = {}
    if chosen.listen is not None:
        server["listen"] = str(chosen.listen)
    if chosen.insecure_plaintext:
        server["insecure_plaintext"] = True
    if chosen.log_format is not None:
        log["format"] = chosen.log_format
    if chosen.log_level is not None:
        log["level"] = chosen.log_level
    return replace(config, server=replace(config.server, **server), log=replace(config.log, **log))


# --- what may be written ---------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wxserve", description="A self-hosted super-app server.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_invite(commands)
    _add_check_config(commands)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser(
        "serve", help="run the server", description="Run the server until SIGTERM or Ctrl-C."
    )
    serve.set_defaults(command=_serve)
    _add_places(serve, data_required=True)
    serve.add_argument(
        "--listen",
        type=endpoint_argument,
        metavar="HOST:PORT",
        help="where to listen; default :7700, all addresses",
    )
    serve.add_argument(
        "--insecure-plaintext", action="store_true", help="without TLS, on loopback only"
    )
    serve.add_argument("--log-format", choices=["auto", "json", "human"])
    serve.add_argument("--log-level", choices=["debug", "info", "warning", "error"])


def _add_invite(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    invite = commands.add_parser(
        "invite",
        help="make invites for new people",
        description="Print invites, one per line; each enrols one device, once. The server may run.",
    )
    invite.set_defaults(command=_invite)
    _add_places(invite, data_required=True)
    invite.add_argument("--count", type=_count, default=1, metavar="N", help="how many; default 1")
    invite.add_argument(
        "--valid", type=_duration, default="7d", metavar="TIME", help="30m, 12h, 7d; default 7d"
    )
    invite.add_argument(
        "--host",
        type=endpoint_argument,
        metavar="HOST:PORT",
        help="the address that clients connect to",
    )
    invite.add_argument(
        "--account", type=_account, metavar="HEX", help="for one more device of this account"
    )
    invite.add_argument("--json", action="store_true", help="print one JSON object")


def _add_check_config(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser(
        "check-config",
        help="check the configuration and print what is in force",
        description="Check the configuration and print every option as it is in force, as TOML.",
    )
    check.set_defaults(command=_check_config)
    _add_places(check, data_required=False)
    check.add_argument(
        "--explain", action="store_true", help="with the meaning and default of every option"
    )


def _add_places(parser: argparse.ArgumentParser, *, data_required: bool) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", required=data_required, help="the data directory"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"default: {FILE_NAME} in the data directory"
    )


def endpoint_argument(text: str) -> Endpoint:
    """Read HOST:PORT from a command line.

    Raises:
        argparse.ArgumentTypeError: what is wrong with it.
    """
    try:
        return parse_endpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _INVITES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_INVITES_MAX}")
    return int(text)


def _account(text: str) -> AccountId:
    try:
        account = bytes.fromhex(text)
    except ValueError:
        account = b""
    if len(account) != ACCOUNT_BYTES:
        raise argparse.ArgumentTypeError(f"an account is {2 * ACCOUNT_BYTES} hexadecimal digits")
    return AccountId(account)

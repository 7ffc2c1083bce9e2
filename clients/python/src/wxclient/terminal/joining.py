"""From a command line to an open device: which state, which names, and how long to try."""

import getpass
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from wxclient import Client, CoreLimits, Options, StateMissing, connect
from wxclient._protocol.invites import InviteUri, parse_invite

from .addresses import format_address
from .complaints import UnreachableError, WrongUsageError
from .limits import JOIN_DEADLINE_S, NAME_BYTES_MAX, RECONNECT_MAX_S
from .profiles import Card, Profile, fingerprint
from .sanitising import clean_line

WATCHED: Final = Options(core=CoreLimits(reconnect_max_s=RECONNECT_MAX_S))
"""A person looks on and waits."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open a device.

    Attributes:
        profile: where its state is.
        invite: to join with; None for a device that has joined.
        account_name: of a new account.
        device_name: of a new device.
        options: of the SDK.
        join_deadline_s: how long joining waits for the server.
    """

    profile: Profile
    invite: str | None = None
    account_name: str = ""
    device_name: str = ""
    options: Options = WATCHED
    join_deadline_s: float = JOIN_DEADLINE_S


def plan(profile: Profile, invite: str | None, ask: Callable[[str], str]) -> Opening:
    """Return how to open a profile's device, asking for a name if it is new.

    Args:
        profile: where.
        invite: from the command line, or None.
        ask: asks for a display name, given the default.

    Raises:
        WrongUsageError: the invite cannot be read, or the profile has joined with another.
        StateMissing: there is no device, and no invite.
    """
    card = profile.read_card()
    if invite is None:
        if not (profile.directory / "device.sqlite3").exists():
            raise StateMissing(str(profile.directory))
        return Opening(profile)
    try:
        parse_invite(invite)
    except ValueError as error:
        raise WrongUsageError(str(error)) from None
    if card is not None:
        if card.invite != fingerprint(invite):
            who = clean_line(card.name, NAME_BYTES_MAX) or card.address
            raise WrongUsageError(
                f"this profile belongs to {who} already; join as somebody else with --profile NAME"
            )
        return Opening(profile)
    name = fit_name(ask(default_name()))
    return Opening(profile, invite, name, fit_name(socket.gethostname()))


def default_name() -> str:
    """Return the display name that is offered: the one of the user of this machine."""
    try:
        return fit_name(getpass.getuser())
    except (KeyError, OSError):
        return "somebody"


def fit_name(text: str) -> str:
    """Return a name as the protocol takes it: one line, at most 64 bytes of UTF-8."""
    line = clean_line(text, NAME_BYTES_MAX)
    return line.encode()[:NAME_BYTES_MAX].decode(errors="ignore").strip()


@asynccontextmanager
async def open_client(opening: Opening) -> AsyncIterator[Client]:
    """Open the device, and keep it open while the block runs.

    Raises:
        UnreachableError: the server did not answer while joining.
        Exception: those of ``connect``.
    """
    joining = anyio.CancelScope(deadline=anyio.current_time() + opening.join_deadline_s)
    with joining:
        async with connect(
            opening.invite,
            state=opening.profile.directory,
            account_name=opening.account_name,
            device_name=opening.device_name,
            options=opening.options,
        ) as client:
            joining.deadline = float("inf")
            await _write_card(client, opening)
            yield client
    if joining.cancelled_caught:
        raise UnreachableError(f"the server{_where(opening.invite)} does not answer; try later")


async def _write_card(client: Client, opening: Opening) -> None:
    """Keep what the profile is, for ``wx whoami`` and for the next start."""
    card = opening.profile.read_card()
    address = format_address(client.account)
    if card is None or card.address != address:
        server = _where(opening.invite).removeprefix(" at ")
        invite = fingerprint(opening.invite) if opening.invite else ""
        card = Card(address, opening.account_name, server, invite)
    await anyio.to_thread.run_sync(opening.profile.write_card, card)


def _where(invite: str | None) -> str:
    if invite is None:
        return ""
    read: InviteUri = parse_invite(invite)
    host = f"[{read.host}]" if ":" in read.host else read.host
    return f" at {host}:{read.port}"


def state_directory(text: str) -> Path:
    """Return the directory that ``--state`` names."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - "~" of a shell that did not

"""Invites: what an operator hands to a person who shall join."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wxserve.protocol.identifiers import AccountId
from wxserve.protocol.invites import InviteUri, format_invite
from wxserve.router.invites import InviteAuthority
from wxserve.store.ports import Clock

from .clock import system_entropy
from .endpoint import Endpoint, reachable, read_served
from .keys import RefusedError, load_keys


class Invites(NamedTuple):
    """Some invites.

    Attributes:
        uris: each for one device, once.
        expires: until when, UTC.
    """

    uris: list[str]
    expires: datetime


class Terms(NamedTuple):
    """What an invite offers.

    Attributes:
        valid_s: seconds from now.
        account: joins an existing account; None makes a new one.
    """

    valid_s: int
    account: AccountId | None = None


def issue_invites(
    data: Path, count: int, terms: Terms, clock: Clock, endpoint: Endpoint | None = None
) -> Invites:
    """Issue invites of the server that lives in a data directory, running or not.

    Nothing is written: a code proves itself by the secret key of the server.

    Args:
        data: the data directory.
        count: how many.
        terms: what each offers.
        clock: for the expiry.
        endpoint: that clients connect to; None for the one the server was last started with.

    Raises:
        RefusedError: there is no server in this directory, or it was never started.
    """
    keys = load_keys(data)
    served = read_served(data)
    if served is None:
        raise RefusedError(f"start the server once: `wxserve serve --data {data}`")
    host, port = endpoint or reachable(served.endpoint)
    authority = InviteAuthority(keys.invite_key, clock, system_entropy)
    expires = datetime.fromtimestamp(clock.now_ms() // 1000 + terms.valid_s, UTC)
    pins = keys.pins if served.tls else ()
    uris = [
        format_invite(
            InviteUri(host, port, authority.issue(terms.valid_s, terms.account), pins, served.tls)
        )
        for _ in range(count)
    ]
    return Invites(uris, expires)

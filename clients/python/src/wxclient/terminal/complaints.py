"""What can end ``wx``: for each cause one line for a person, and an exit status for a script."""

from typing import Final, NamedTuple

from wxclient import (
    ConnectionReplaced,
    EntriesMissing,
    ForeignTimeline,
    NotLoopback,
    PinMismatch,
    ServerError,
    StateError,
    StateInUse,
    StateMissing,
    StateRolledBack,
    StateTooNew,
)
from wxclient import refusals as r

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INVITE_REFUSED: Final = 3
PIN_MISMATCH: Final = 4
STATE_IN_USE: Final = 5
DEVICE_REVOKED: Final = 6
EXTRA_MISSING: Final = 7
NO_STATE: Final = 8
UNREACHABLE: Final = 9
REFUSED: Final = 10

NO_STATE_LINES: Final = (
    "No account on this machine yet. Whoever runs a server makes an invite with\n"
    "`wxserve invite --data DIR`; join with it: wx 'wxserve://…'"
)
_WRONG_KEY: Final = (
    "the server's key is not the one that the invite names: nothing was sent."
    " Somebody may be in between, or the server has a new key: ask for a new invite"
)
_NEW_DEVICE: Final = "join again with a new invite and another --profile"


class Complaint(NamedTuple):
    """A line for standard error, and the exit status."""

    line: str
    status: int


class WrongUsageError(Exception):
    """What was asked for cannot be meant; the text says why."""


class UnreachableError(Exception):
    """The server did not answer in time; the text says where it was looked for."""


class MissingExtraError(Exception):
    """The packages for the screen are not installed."""


class NoTerminalError(Exception):
    """Standard input or output is none."""


_CAUSES: Final[tuple[tuple[type[BaseException], str, int], ...]] = (
    (r.InviteUsed, "the invite was used already: ask for a new one", INVITE_REFUSED),
    (r.InviteExpired, "the invite has expired: ask for a new one", INVITE_REFUSED),
    (r.InviteInvalid, "the server does not know this invite: ask for a new one", INVITE_REFUSED),
    (
        PinMismatch,
        _WRONG_KEY,
        PIN_MISMATCH,
    ),
    (StateInUse, "this profile is open in another wx; use --profile for another", STATE_IN_USE),
    (StateMissing, NO_STATE_LINES, NO_STATE),
    (StateTooNew, "a newer version of wx wrote this state: update wx", FAILED),
    (EntriesMissing, f"this state is an old copy and cannot be used: {_NEW_DEVICE}", FAILED),
    (StateRolledBack, f"this state is an old copy and cannot be used: {_NEW_DEVICE}", FAILED),
    (ForeignTimeline, f"the server does not know this state's history: {_NEW_DEVICE}", FAILED),
    (r.DeviceRevoked, f"this device was removed from its account: {_NEW_DEVICE}", DEVICE_REVOKED),
    (r.AuthFailed, f"the server does not know this device: {_NEW_DEVICE}", DEVICE_REVOKED),
    (ConnectionReplaced, "a copy of this state took over the connection", STATE_IN_USE),
    (NotLoopback, "a plaintext invite is for the same machine only", USAGE),
    (
        MissingExtraError,
        "the screen needs one more package: pip install 'wxserve-client[wx]'",
        EXTRA_MISSING,
    ),
    (NoTerminalError, "this is no terminal; scripts use wx send and wx tail", USAGE),
)


def complaint_of(error: BaseException) -> Complaint | None:
    """Return what to say of an error; None for a defect, which needs its traceback."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    for kind, line, status in _CAUSES:
        if isinstance(error, kind):
            return Complaint(line, status)
    if isinstance(error, UnreachableError):
        return Complaint(str(error), UNREACHABLE)
    if isinstance(error, ServerError):
        return Complaint(f"refused: {error}", REFUSED)
    if isinstance(error, StateError):
        return Complaint(str(error), FAILED)
    if isinstance(error, WrongUsageError | PermissionError):
        return Complaint(str(error), USAGE)
    return None

"""The legal order of frames, as tables; the only place where the state of a connection changes.

The tables do not know which side we are: they say what may come from the client and what from the
server in each state, so one side's sending and the other side's receiving are checked alike.
"""

from enum import Enum
from typing import Final

from . import frames as f
from .frames import Frame


class Role(Enum):
    """Which end of a connection speaks."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def peer(self) -> "Role":
        """Return the other end."""
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT


class State(Enum):
    """What the connection waits for."""

    HELLO = "hello"
    CHALLENGE = "challenge"
    AUTH = "auth"
    WELCOME = "welcome"
    OPEN = "open"
    CLOSED = "closed"


REQUESTS: Final[frozenset[type[Frame]]] = frozenset({
    f.Send, f.Sync, f.History, f.SetRegister, f.Create, f.Invite, f.Accept, f.Leave, f.Remove,
    f.SetRole, f.Close, f.Redact, f.ListConversations, f.Members, f.ListDevices, f.RenameDevice,
    f.RevokeDevice, f.LinkDevice,
})  # fmt: skip
"""Frames from the client that are answered: their stream must not be 0."""
ONE_WAY: Final[frozenset[type[Frame]]] = frozenset({
    f.Ack, f.Credit, f.Ephemeral, f.Ping, f.Pong
})  # fmt: skip
"""Frames from the client that are not answered: their stream must be 0."""
ANSWERS: Final[frozenset[type[Frame]]] = frozenset({
    f.Accepted, f.Changes, f.Conversations, f.MemberList, f.Devices, f.LinkCode, f.Done,
})  # fmt: skip
"""Frames from the server that only come as answers: their stream is that of the request."""
PUSHES: Final[frozenset[type[Frame]]] = frozenset({
    f.Synced, f.Ephemeral, f.GoAway, f.Ping, f.Pong,
})  # fmt: skip
"""Frames from the server that answer nothing: their stream is 0."""
EITHER: Final[frozenset[type[Frame]]] = frozenset({
    f.Deliver, f.Skip, f.TooFar, f.Register, f.Error,
})  # fmt: skip
"""Frames from the server that come on stream 0 or as answers."""

_HANDSHAKE: Final[dict[tuple[State, Role, type[Frame]], State]] = {
    (State.HELLO, Role.CLIENT, f.Hello): State.CHALLENGE,
    (State.CHALLENGE, Role.SERVER, f.Challenge): State.AUTH,
    (State.AUTH, Role.CLIENT, f.Auth): State.WELCOME,
    (State.WELCOME, Role.SERVER, f.Welcome): State.OPEN,
    (State.OPEN, Role.SERVER, f.Replaced): State.CLOSED,
}
TRANSITIONS: Final[dict[tuple[State, Role, type[Frame]], State]] = {
    **_HANDSHAKE,
    **{
        (state, Role.SERVER, frame): State.CLOSED
        for state in (State.HELLO, State.CHALLENGE, State.AUTH, State.WELCOME)
        for frame in (f.Error, f.GoAway)
    },
    **{(State.OPEN, Role.CLIENT, frame): State.OPEN for frame in REQUESTS | ONE_WAY},
    **{(State.OPEN, Role.SERVER, frame): State.OPEN for frame in ANSWERS | PUSHES | EITHER},
}
"""(state, who sends, frame) to the next state; what is not listed is a protocol error.

One rule the table cannot express: an ERROR on stream 0 closes an open connection. Before WELCOME
the server may end with ERROR or GOAWAY in every state: the client may not know yet that it has.
"""


def next_state(state: State, sender: Role, frame: type[Frame], stream: int) -> State | None:
    """Return the state after ``sender`` sent ``frame`` on ``stream``, or None if it may not."""
    after = TRANSITIONS.get((state, sender, frame))
    if after is None or stream_rule(sender, frame) not in {None, stream != 0}:
        return None
    if frame is f.Error and stream == 0:
        return State.CLOSED
    return after


def stream_rule(sender: Role, frame: type[Frame]) -> bool | None:
    """Return whether a frame needs a stream: True not 0, False 0, None either."""
    if sender is Role.CLIENT:
        return frame in REQUESTS
    return None if frame in EITHER else frame in ANSWERS

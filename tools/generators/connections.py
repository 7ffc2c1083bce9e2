"""Connections brought into each state by a handshake."""

from typing import Final

from wxserve.protocol.connection import Connection
from wxserve.protocol.credentials import DEVICE_KEY, DeviceKey, encode_credential
from wxserve.protocol.frames import Auth, Challenge, Frame, GoAway, Hello, Welcome
from wxserve.protocol.states import Role, State

from .samples import ANNA, PHONE, TIME_MS

CREDENTIAL: Final = encode_credential(DeviceKey(DEVICE_KEY, ANNA, PHONE))
WELCOME: Final = Welcome(
    session=1,
    account=ANNA,
    device=PHONE,
    timeline=bytes(range(16)),
    cuts=(),
    position=900,
    time_ms=TIME_MS,
    op_last=6,
    op_floor=5,
    heartbeat_min_s=15,
    heartbeat_max_s=60,
    credit_bytes=1 << 20,
    credit_entries=1024,
    ops_in_flight_max=1024,
    envelope_bytes_max=261_120,
    plugins=(),
)


def handshake(minor: int) -> tuple[tuple[Role, Frame], ...]:
    """Return the frames of a handshake between peers of the same minor version."""
    return (
        (Role.CLIENT, Hello(((1, minor),), bytes(range(32)), "example/1.0")),
        (Role.SERVER, Challenge(1, minor, bytes(range(32, 64)), TIME_MS)),
        (Role.CLIENT, Auth(CREDENTIAL, bytes(64))),
        (Role.SERVER, WELCOME),
    )


def connection_pair(minor: int = 0) -> dict[Role, Connection]:
    """Return both ends of an open connection between peers of version 1.``minor``."""
    ends = {end: Connection(end) for end in Role}
    for sender, frame in handshake(minor):
        ends[sender.peer].receive_data(ends[sender].send(frame))
        ends[sender.peer].next_event()
    return ends


def connection_at(role: Role, state: State, minor: int = 0) -> Connection:
    """Return a connection in a state, its peer of version 1.``minor``."""
    ends = {end: Connection(end) for end in Role}
    if state is State.CLOSED:
        ends[Role.CLIENT].receive_data(ends[Role.SERVER].send(GoAway(0, 0)))
        ends[Role.CLIENT].next_event()
        return ends[role]
    for sender, frame in handshake(minor):
        if ends[role].state is state:
            return ends[role]
        ends[sender.peer].receive_data(ends[sender].send(frame))
        ends[sender.peer].next_event()
    return ends[role]

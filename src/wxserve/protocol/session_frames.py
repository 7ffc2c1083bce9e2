"""Frames that open, keep and end a session. Source: docs/protocol.md, "Frames"."""

from typing import Annotated, NamedTuple

from .fields import U8, U16, U32, U63, U64, Bin16, Bin32, Bin64, Bool, Bytes, Many, Row, Text, UInt
from .named_fields import Account, Device


class Hello(NamedTuple):
    """The client opens: the versions it speaks and its part of the freshness.

    Attributes:
        versions: (major, minor) of each version the client speaks; the server takes the highest
            major it knows.
        nonce: fresh random bytes.
        agent: name and version of the client, for logs.
    """

    versions: Annotated[tuple[tuple[int, int], ...], Many(Row((UInt(8), UInt(8))), 1, 8)]
    nonce: Bin32
    agent: Annotated[str, Text(128)]


class Challenge(NamedTuple):
    """The server chooses the version and adds its part of the freshness.

    Attributes:
        major: the version of this connection.
        minor: the server's own minor version of that major.
        nonce: fresh random bytes.
        time_ms: the time of the server, for a client whose clock is wrong.
    """

    major: U8
    minor: U8
    nonce: Bin32
    time_ms: U63


class Auth(NamedTuple):
    """The client proves who it is.

    Attributes:
        credential: who this is, see "Credentials".
        signature: Ed25519 over the bytes to sign.
    """

    credential: Annotated[bytes, Bytes(1, 2048)]
    signature: Bin64


class Welcome(NamedTuple):
    """The session is open.

    Attributes:
        session: number of this session, for logs.
        account: of this device.
        device: of this session; learned here after enrolment.
        timeline: names the history; another one after the server was restored from a copy.
        cuts: (timeline, last position) of every earlier timeline that this one continues.
        position: newest commit position of the server.
        time_ms: the time of the server.
        op_last: highest counter of an accepted operation of this device, 0 for none.
        op_floor: operations below it are forgotten, see "Sending".
        heartbeat_min_s: ping no more often than this.
        heartbeat_max_s: ping at least this often.
        credit_bytes: the window for pushes to begin with.
        credit_entries: the window for pushes to begin with.
        ops_in_flight_max: an operation counter must be below op_floor plus this.
        envelope_bytes_max: largest envelope that is taken.
        plugins: (name, major, minor, first type, last type) of each plugin that adds frames.
    """

    session: U64
    account: Account
    device: Device
    timeline: Bin16
    cuts: Annotated[tuple[tuple[bytes, int], ...], Many(Row((Bytes(16, 16), UInt(63))), 0, 64)]
    position: U63
    time_ms: U63
    op_last: U63
    op_floor: U63
    heartbeat_min_s: U16
    heartbeat_max_s: U16
    credit_bytes: U32
    credit_entries: U32
    ops_in_flight_max: U16
    envelope_bytes_max: U32
    plugins: Annotated[
        tuple[tuple[str, int, int, int, int], ...],
        Many(Row((Text(32), UInt(8), UInt(8), UInt(16), UInt(16))), 0, 64),
    ]


class Ping(NamedTuple):
    """Asks for a PONG; either side, any time after WELCOME."""


class Pong(NamedTuple):
    """Answers a PING."""


class Error(NamedTuple):
    """A negative answer. On stream 0 it concerns the connection, which then ends.

    Attributes:
        code: number in the table of errors; may be one that the client does not know.
        temporary: whether the same request may succeed later.
        retry_after_ms: how long to wait before that, 0 for the client's own choice.
        detail: for a developer, in English; holds no content of a message.
        seq: the entry in question, 0 for none.
    """

    code: U16
    temporary: Bool
    retry_after_ms: U32
    detail: Annotated[str, Text(512)]
    seq: U63


class GoAway(NamedTuple):
    """The server drains: finish within `deadline_ms`, reconnect after `retry_after_ms`.

    Attributes:
        deadline_ms: after which the server closes the connection.
        retry_after_ms: how long to wait before connecting again; the server spreads it at random.
    """

    deadline_ms: U32
    retry_after_ms: U32


class Replaced(NamedTuple):
    """The same device has a newer connection; this one ends."""


class Done(NamedTuple):
    """A request is carried out.

    Attributes:
        value: what the description of the request says, else 0.
    """

    value: U63

"""Reads what is said on the wire, from docs/protocol.md alone: no code of the server or the SDK."""

import struct
from typing import Any, NamedTuple

import msgpack

HELLO, CHALLENGE, AUTH, WELCOME = 0x01, 0x02, 0x03, 0x04
PING, PONG, ERROR, GO_AWAY, REPLACED = 0x10, 0x11, 0x12, 0x13, 0x14
SEND, ACCEPTED, DELIVER, SKIP, ACK, CREDIT = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
SYNC, CHANGES, TOO_FAR, SYNCED = 0x26, 0x27, 0x28, 0x29
CREATE, INVITE, ACCEPT, LEAVE, REMOVE = 0x40, 0x41, 0x42, 0x43, 0x44
HISTORY, SET_REGISTER, REGISTER, REDACT = 0x2A, 0x30, 0x31, 0x47
DONE, REVOKE_DEVICE = 0x15, 0x53
OPERATIONS = frozenset({SEND, CREATE, INVITE, ACCEPT, LEAVE, REMOVE, 0x45, 0x46, 0x47})
"""Requests that carry an operation."""
CURRENT = 0x01
NAMES = {
    HELLO: "HELLO", CHALLENGE: "CHALLENGE", AUTH: "AUTH", WELCOME: "WELCOME", PING: "PING",
    PONG: "PONG", ERROR: "ERROR", GO_AWAY: "GOAWAY", REPLACED: "REPLACED", SEND: "SEND",
    ACCEPTED: "ACCEPTED", DELIVER: "DELIVER", SKIP: "SKIP", ACK: "ACK", CREDIT: "CREDIT",
    SYNC: "SYNC", CHANGES: "CHANGES", TOO_FAR: "TOO_FAR", SYNCED: "SYNCED", CREATE: "CREATE",
    INVITE: "INVITE", ACCEPT: "ACCEPT", LEAVE: "LEAVE", REMOVE: "REMOVE", REDACT: "REDACT",
    HISTORY: "HISTORY", SET_REGISTER: "SET_REGISTER", REGISTER: "REGISTER", DONE: "DONE",
    REVOKE_DEVICE: "REVOKE_DEVICE",
}  # fmt: skip
_HEADER = struct.Struct(">IHH")


class Frame(NamedTuple):
    """One frame as it was said."""

    type: int
    flags: int
    stream: int
    body: tuple[Any, ...]

    @property
    def name(self) -> str:
        return NAMES.get(self.type, f"{self.type:#06x}")


class Reader:
    """Turns the bytes of one direction of a connection into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now."""
        data = self._rest + data
        at, frames = 0, []
        while len(data) - at >= 8:
            word, kind, stream = _HEADER.unpack_from(data, at)
            end = at + 8 + (word >> 8)
            if end > len(data):
                break
            body = unpack(data[at + 8 : end])
            frames.append(Frame(kind, word & 0xFF, stream, body))
            at = end
        self._rest = data[at:]
        return frames


def unpack(data: bytes) -> tuple[Any, ...]:
    """Return a packed row."""
    row: tuple[Any, ...] = msgpack.unpackb(data, use_list=False) if data else ()
    return row


class Envelope(NamedTuple):
    """What an entry says of itself."""

    kind: int
    op: bytes
    ttl_s: int
    body: bytes


def read_envelope(data: bytes) -> Envelope:
    """Return what an envelope says."""
    row = unpack(data)
    return Envelope(row[1], row[6], row[7], row[11])


def operation_of(frame: Frame) -> bytes:
    """Return the operation id that a request carries."""
    if frame.type == SEND:
        return read_envelope(frame.body[0]).op
    op: bytes = frame.body[0]
    return op

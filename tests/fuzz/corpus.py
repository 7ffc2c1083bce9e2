"""Where fuzzing begins: the test vectors, and every input that once broke something."""

from pathlib import Path
from typing import Final

from tests.fuzz.targets import STARTS
from tests.unit.protocol.reader import expand, load
from wxserve.protocol.codec import HEADER_BYTES
from wxserve.protocol.states import Role, State

CRASHES: Final = Path(__file__).with_name("crashes")


def crashes(target: str) -> list[bytes]:
    """Return the inputs that once broke a target, kept for ever."""
    folder = CRASHES / target
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []


def seeds(target: str) -> list[bytes]:
    """Return inputs made from the vectors, and the old crashes."""
    return [*_SEEDS[target](), *crashes(target)]


def _wires() -> list[tuple[Role, State, bytes]]:
    """Return the bytes of every vector with who receives them, and in which state."""
    found = []
    for vector in load("frames")["vectors"]:
        receiver = Role(vector["sender"]).peer
        found.append((receiver, State(vector["state"]), expand(vector["hex"])))
    for name in ("refusals", "lenient"):
        found += [
            (Role(vector["receiver"]), State(vector["state"]), expand(vector["hex"]))
            for vector in load(name)["vectors"]
            if vector["state"] != "closed"
        ]
    return found


def _connection() -> list[bytes]:
    return [bytes([STARTS.index((role, state)), 7]) + wire for role, state, wire in _wires()]


def _bodies() -> list[bytes]:
    return [
        wire[4:6] + b"\0" + wire[HEADER_BYTES:]
        for _, _, wire in _wires()
        if len(wire) >= HEADER_BYTES
    ]


def _handshake() -> list[bytes]:
    """The order of a real handshake, with a few frames after it, told and forged."""
    order = bytes([1, 0, 0, 1, 1, 2, 0, 3])
    return [
        order,
        order + bytes([17, 9, 16, 11, 1, 14]),
        bytes([3, 0]) + order,
        bytes([5, 0, 4, 1]),
    ]


def _envelopes() -> list[bytes]:
    vectors = load("envelopes")
    return [expand(one["hex"]) for one in (*vectors["valid"], *vectors["invalid"])]


def _msgpack() -> list[bytes]:
    return [wire[HEADER_BYTES:] for _, _, wire in _wires()] + _envelopes()


def _credentials() -> list[bytes]:
    return [
        expand(vector["credential"])
        for vector in load("handshakes")["vectors"]
        if "credential" in vector
    ]


def _invites() -> list[bytes]:
    vectors = load("invites")
    return [one["text"].encode() for one in (*vectors["valid"], *vectors["damaged"])]


_SEEDS: Final = {
    "bodies": _bodies,
    "connection": _connection,
    "handshake": _handshake,
    "msgpack": _msgpack,
    "envelope": _envelopes,
    "credential": _credentials,
    "invite": _invites,
}

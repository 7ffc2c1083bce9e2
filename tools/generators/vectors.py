"""Test vectors of frames that must be read."""

from collections.abc import Iterator
from typing import Any, Final

from wxserve.protocol import frames as f
from wxserve.protocol.codec import BY_NUMBER, HEADER, FrameType, encode
from wxserve.protocol.connection import Received
from wxserve.protocol.states import TRANSITIONS, Role, State, stream_rule

from .connections import connection_at
from .notation import hex_runs, plain
from .samples import largest, row, smallest, typical

STREAM: Final = 7
_SAMPLES: Final = {"typical": typical, "smallest": smallest, "largest": largest}
_SPOKEN: Final[dict[type[f.Frame], dict[str, Any]]] = {
    f.Hello: {"versions": ((1, 0),)},
    f.Challenge: {"major": 1},
}
"""What a handshake needs to go on, whatever the sample would be."""
_WRITTEN: Final = {f.GoAway: "GOAWAY"}


def senders(frame: type[f.Frame]) -> list[Role]:
    """Return who may send a frame at all."""
    return [role for role in Role if any((state, role, frame) in TRANSITIONS for state in State)]


def place(frame: type[f.Frame]) -> tuple[Role, State, int]:
    """Return a sender, a state and a stream with which a frame is legal."""
    for state, role, known in TRANSITIONS:
        if known is frame and (frame is not f.Error or state is State.OPEN):
            return role, state, 0 if stream_rule(role, frame) is False else STREAM
    raise SystemExit(f"{frame.__name__} may never be sent")


def received(role: Role, state: State, data: bytes, minor: int = 0) -> list[Received]:
    """Return the events of a connection that gets ``data``."""
    connection = connection_at(role, state, minor)
    connection.receive_data(data)
    events = []
    while (event := connection.next_event()) is not None:
        events.append(event)
    return events


# -- frames ------------------------------------------------------------------------------------


def frame_vectors() -> Iterator[dict[str, Any]]:
    """Give each frame in three sizes."""
    for number, kind in BY_NUMBER.items():
        sender, state, stream = place(kind.frame)
        for size, sample in _SAMPLES.items():
            frame: f.Frame = row(kind.frame, sample)._replace(**_SPOKEN.get(kind.frame, {}))
            flags = f.CURRENT if size == "largest" and kind.frame is f.Accepted else 0
            data = encode(frame, stream, flags)
            known = received(sender.peer, state, data)
            assert known == [Received(frame, stream, flags)], kind.frame.__name__
            yield {
                "name": f"{_name(kind)} {size}",
                "frame": _name(kind),
                "type": number,
                "sender": sender.value,
                "state": state.value,
                "stream": stream,
                "flags": flags,
                "hex": hex_runs(data),
                "decoded": plain(frame),
            }
            if not kind.schema.fields:
                break


def _name(kind: FrameType) -> str:
    return wire_name(kind.frame)


def wire_name(frame: type[f.Frame]) -> str:
    """Return the name of a frame in the specification: SetRegister is SET_REGISTER."""
    if frame in _WRITTEN:
        return _WRITTEN[frame]
    name = frame.__name__
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(name)).upper()


# -- what is accepted though no code here would write it so ------------------------------------


def lenient_vectors() -> Iterator[dict[str, Any]]:
    """Give bytes that a receiver takes although it would not send them so."""
    done, credit, skip = (_number(kind) for kind in (f.Done, f.Credit, f.Skip))
    opened = (Role.CLIENT, State.OPEN, 0)
    for what, value in {
        "u8 format": "cc05",
        "u16 format": "cd0005",
        "u32 format": "ce00000005",
        "u64 format": "cf0000000000000005",
        "signed 8-bit format": "d005",
        "signed 64-bit format": "d30000000000000005",
    }.items():
        yield _lenient(f"integer in {what}", opened, _raw(done, STREAM, "91" + value))
    yield _lenient("array 32 format", opened, _raw(done, STREAM, "dd0000000105"))
    body = "93c60000001000112233445566778899aabbccddeeff0503"
    yield _lenient("bin 32 format", opened, _raw(skip, 0, body))
    yield _lenient("unknown flags", opened, _raw(done, STREAM, "9105", flags=0xF8))
    yield _lenient("two frames in one piece", opened, _raw(done, STREAM, "9105") * 2)
    unknown = HEADER.pack(4 << 8, 0x0F42, 9) + b"\xff\x00\xc1\x80"
    yield _lenient("an unknown skippable frame", opened, unknown + _raw(done, STREAM, "9105"))
    newer = (Role.SERVER, State.OPEN, 3)
    yield _lenient("a field more from a newer peer", newer, _raw(credit, 0, "9305 06a16e"))
    yield _lenient(
        "32 fields more from a newer peer", newer, _raw(credit, 0, "dc002205 06" + "c0" * 32)
    )
    first = Role.SERVER, State.HELLO, 0
    hello = f.Hello(((9, 1), (1, 5), (0, 0)), bytes(32), "")
    yield _lenient("HELLO with versions that are not spoken", first, encode(hello))


def _raw(number: int, stream: int, body: str, flags: int = 0) -> bytes:
    data = bytes.fromhex(body)
    return HEADER.pack(len(data) << 8 | flags, number, stream) + data


def _number(frame: type[f.Frame]) -> int:
    return f.TYPES[frame][0]


def _lenient(name: str, at: tuple[Role, State, int], data: bytes) -> dict[str, Any]:
    role, state, minor = at
    events = received(role, state, data, minor)
    assert events, name
    return {
        "name": name,
        "receiver": role.value,
        "state": state.value,
        "peer_minor": minor,
        "hex": hex_runs(data),
        "events": [
            {
                "frame": wire_name(type(event.frame)),
                "stream": event.stream,
                "flags": event.flags,
                "decoded": plain(event.frame),
            }
            for event in events
        ],
    }

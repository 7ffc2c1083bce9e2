"""Test vectors of what must be refused, with the code of the refusal."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from wxserve.protocol import frames as f
from wxserve.protocol.codec import BY_NUMBER, HEADER, FrameType, encode
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import RemoteProtocolError
from wxserve.protocol.states import TRANSITIONS, Role, State, stream_rule

from .notation import hex_runs
from .samples import lay, row, typical, wrong
from .vectors import STREAM, place, received, wire_name

At = tuple[Role, State, int]


def refusal_vectors() -> Iterator[dict[str, Any]]:
    """Give what a connection must refuse; each vector ends the connection."""
    yield from _bodies()
    for kind in BY_NUMBER.values():
        yield from _fields(kind)
    yield from _sizes()
    yield from _types()
    yield from _versions()
    yield from _streams()
    yield from _states()


def _refused(name: str, at: At, data: bytes, expected: ErrorCode) -> dict[str, Any]:
    """Return a vector, after trying that it is refused as it says.

    Raises:
        SystemExit: it is accepted, or refused with another code.
    """
    role, state, minor = at
    try:
        events = received(role, state, data, minor)
    except RemoteProtocolError as error:
        if error.code is not expected:
            raise SystemExit(f"{name}: {error.code.name}, not {expected.name}") from error
    else:
        raise SystemExit(f"{name}: accepted as {events}")
    return {
        "name": name,
        "receiver": role.value,
        "state": state.value,
        "peer_minor": minor,
        "hex": hex_runs(data),
        "error": expected.name,
        "code": int(expected),
    }


def _at(frame: type[f.Frame], minor: int = 0) -> At:
    sender, state, _ = place(frame)
    return sender.peer, state, minor


def _frame(kind: FrameType, body: bytes) -> bytes:
    _, _, stream = place(kind.frame)
    return HEADER.pack(len(body) << 8, kind.number, stream) + body


def _bodies() -> Iterator[dict[str, Any]]:
    """Bodies that are no msgpack array of our subset, whatever the frame."""
    kind = BY_NUMBER[f.TYPES[f.Done][0]]
    for what, body in {
        "an integer": "05",
        "nil": "c0",
        "a map": "80",
        "a map with an entry": "810105",
        "text": "a105",
        "an extension": "d40505",
        "an empty extension": "c70005",
        "an empty timestamp": "c700ff",
        "a timestamp": "d6ff00000000",
        "the byte that msgpack never uses": "c1",
        "an array cut short": "91",
        "an array of nothing announced as huge": "ddffffffff",
        "a byte string announced as huge": "91c6ffffffff",
        "two values": "910505",
        "an array in an array": "919105",
        "nested 1,100 deep": "91" * 1100 + "05",
        "nested 1,000 deep": "91" * 1000 + "05",
    }.items():
        data = _frame(kind, bytes.fromhex(body))
        yield _refused(f"body is {what}", _at(f.Done), data, ErrorCode.MALFORMED_FRAME)


def _fields(kind: FrameType) -> Iterator[dict[str, Any]]:
    """Every field of a frame with every value it must not have, and too many or few fields."""
    name = wire_name(kind.frame)
    good = tuple(row(kind.frame, typical))
    malformed = ErrorCode.MALFORMED_FRAME
    if not good:
        return
    at, newer = _at(kind.frame), _at(kind.frame, 1)
    yield _refused(f"{name} without a body", at, _frame(kind, b""), malformed)
    yield _refused(f"{name} without fields", at, _frame(kind, lay(())), malformed)
    yield _refused(f"{name}, last field missing", at, _frame(kind, lay(good[:-1])), malformed)
    extra = _frame(kind, lay((*good, None)))
    yield _refused(f"{name}, one field more", at, extra, malformed)
    short = _frame(kind, lay(good[:-1]))
    yield _refused(f"{name} of a newer peer, last field missing", newer, short, malformed)
    for index, field in enumerate(kind.schema.fields):
        for what, value in wrong(field.type):
            body = lay((*good[:index], value, *good[index + 1 :]))
            if len(body) <= kind.body_bytes_max:
                data = _frame(kind, body)
                yield _refused(f"{name}, {field.name}: {what}", at, data, malformed)


def _sizes() -> Iterator[dict[str, Any]]:
    """Headers that announce too much; the body is not waited for."""
    for kind in BY_NUMBER.values():
        at = _at(kind.frame)
        _, _, stream = place(kind.frame)
        for what, length in {
            "one byte above its limit": kind.body_bytes_max + 1,
            "the most a header can say": 0xFFFFFF,
        }.items():
            header = HEADER.pack(length << 8, kind.number, stream)
            name = f"{wire_name(kind.frame)}, header alone: {what}"
            yield _refused(name, at, header, ErrorCode.FRAME_TOO_LARGE)
    header = HEADER.pack(f.SKIPPABLE_BYTES_MAX + 1 << 8, f.SKIPPABLE.start, 0)
    at = Role.SERVER, State.OPEN, 0
    yield _refused("skippable frame above its limit", at, header, ErrorCode.FRAME_TOO_LARGE)


def _types() -> Iterator[dict[str, Any]]:
    """Types that nobody knows."""
    for number in (0x0000, 0x0005, 0x00FF, 0x0EFF, 0x1000, 0xFFFF):
        for role in Role:
            header = HEADER.pack(0, number, 0)
            at = role, State.OPEN, 0
            name = f"type {number:#06x} to the {role.value}"
            yield _refused(name, at, header, ErrorCode.UNKNOWN_FRAME)
    header = HEADER.pack(0, f.SKIPPABLE.start, 0)
    at = Role.SERVER, State.HELLO, 0
    yield _refused("skippable frame before WELCOME", at, header, ErrorCode.UNKNOWN_FRAME)
    http = b"GET / HTTP/1.1\r\n"
    yield _refused("a request of HTTP", at, http, ErrorCode.UNKNOWN_FRAME)


def _versions() -> Iterator[dict[str, Any]]:
    """Handshakes without a common major version."""
    unsupported = ErrorCode.VERSION_UNSUPPORTED
    for versions in (((0, 9),), ((2, 0), (3, 0))):
        at = Role.SERVER, State.HELLO, 0
        hello = encode(f.Hello(versions, bytes(32), ""))
        yield _refused(f"HELLO with versions {versions}", at, hello, unsupported)
    at = Role.CLIENT, State.CHALLENGE, 0
    challenge = encode(f.Challenge(2, 0, bytes(32), 0))
    yield _refused("CHALLENGE with version 2.0", at, challenge, unsupported)


def _streams() -> Iterator[dict[str, Any]]:
    """Frames that are legal but for their stream."""
    for (state, sender, frame), kind in _known(legal=True):
        rule = stream_rule(sender, frame)
        if rule is None:
            continue
        stream = 0 if rule else STREAM
        data = encode(row(frame, typical), stream)
        name = f"{wire_name(kind.frame)} of the {sender.value} in {state.value} on stream {stream}"
        at = sender.peer, state, 0
        yield _refused(name, at, data[: HEADER.size], ErrorCode.UNEXPECTED_FRAME)


def _states() -> Iterator[dict[str, Any]]:
    """Every frame in every state and direction in which it may not come."""
    for (state, sender, frame), kind in _known(legal=False):
        stream = STREAM if stream_rule(sender, frame) else 0
        header = HEADER.pack(0, kind.number, stream)
        name = f"{wire_name(frame)} of the {sender.value} in {state.value}"
        at = sender.peer, state, 0
        yield _refused(name, at, header, ErrorCode.UNEXPECTED_FRAME)


def _known(*, legal: bool) -> Iterator[tuple[tuple[State, Role, type[f.Frame]], FrameType]]:
    """Give each (state, sender, frame) that stands in the table of states, or that does not."""
    for state, sender, kind in product(State, Role, BY_NUMBER.values()):
        key = state, sender, kind.frame
        if state is not State.CLOSED and (key in TRANSITIONS) is legal:
            yield key, kind

"""What is fuzzed: functions that take any bytes, and raise if a promise is broken.

The oracle is the same everywhere: garbage is read, or refused by the one error that its place allows.
What is read can be written and read again. Nothing else may come out: no other exception, no other
result when the bytes come in other pieces, through the other implementation of msgpack, or without the
compiled half of the codec.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from msgpack import fallback

from tests.unit.protocol.reader import expand, load
from tools.generators.connections import connection_at
from wxserve.protocol import codec, packing
from wxserve.protocol import connection as connections
from wxserve.protocol import envelope as envelopes
from wxserve.protocol.codec import BY_NUMBER, HEADER_BYTES, decode_body, encode
from wxserve.protocol.connection import Connection
from wxserve.protocol.credentials import decode_credential, encode_credential
from wxserve.protocol.envelope import decode_envelope, encode_envelope
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import LocalProtocolError, Refusal, RemoteProtocolError
from wxserve.protocol.invites import format_invite, parse_invite
from wxserve.protocol.limits import ENTRY_BYTES_MAX
from wxserve.protocol.packing import unpack
from wxserve.protocol.rows import PlainTable
from wxserve.protocol.states import TRANSITIONS, Role, State, next_state

Target = Callable[[bytes], None]
KINDS: Final = list(BY_NUMBER.values())
STARTS: Final[list[tuple[Role, State]]] = [
    (role, state) for role in Role for state in State if state is not State.CLOSED
]
FORMS: Final = [
    decode_body(BY_NUMBER[one["type"]], expand(one["hex"])[HEADER_BYTES:], tolerant=False)
    for one in load("frames")["vectors"]
    if one["name"].endswith("typical")
]
"""One frame of each type."""
DEPTH_SAFE: Final = 200
"""Nesting above which the implementation in Python may give up for want of stack. No frame gets
there: its fields are flat, and what a newer peer adds is bounded."""
_PLAIN_TABLES: Final = dict.fromkeys(vars(connections)["_TABLES"], PlainTable(tuple, {}))
MINORS: Final = (0, 255)
"""The peer's: the same as ours, or higher, so that further fields are ignored."""


def connection(data: bytes) -> None:
    """Bytes on a connection in any state: first byte where it stands, second how they are cut."""
    if len(data) < 2:
        return
    role, state = STARTS[data[0] % len(STARTS)]
    minor = MINORS[data[0] // len(STARTS) % 2]
    wire = data[2:]
    end = connection_at(role, state, minor)
    whole = _events(end, [wire])
    waiting = wire[len(wire) - end.pending_bytes :]
    size = HEADER_BYTES + int.from_bytes(waiting[:3], "big")
    assert len(waiting) < HEADER_BYTES or len(waiting) < size, "a whole frame waits"
    with _plain():
        assert repr(_events(connection_at(role, state, minor), [wire])) == repr(whole)
    step = data[1] or 1
    pieces = [wire[start : start + step] for start in range(0, len(wire), step)]
    assert _events(connection_at(role, state, minor), pieces) == whole


def _events(end: Connection, pieces: list[bytes]) -> list[Any]:
    """Return what a connection makes of bytes; the error is the last event."""
    found: list[Any] = []
    for piece in pieces:
        end.receive_data(piece)
        assert end.pending_bytes <= ENTRY_BYTES_MAX + HEADER_BYTES + len(piece)
        try:
            while (event := end.next_event()) is not None:
                found.append(event)
        except RemoteProtocolError as error:
            found.append((error.code, error.detail))
            break
    if found and type(found[-1]) is tuple:
        assert end.state is State.CLOSED
        assert end.pending_bytes == 0
    return found


def handshake(data: bytes) -> None:
    """Two ends whose frames are cut, dropped, repeated and forged: the states stay legal.

    Each step is two bytes: what to do, and with which frame; a forged frame is the rest.
    """
    ends = {role: Connection(role) for role in Role}
    for start in range(0, len(data) - 1, 2):
        sender = Role.CLIENT if data[start] & 1 else Role.SERVER
        receiver = ends[sender.peer]
        frame = FORMS[data[start + 1] % len(FORMS)]
        stream = data[start] >> 4
        before = receiver.state
        wire = encode(frame, stream)
        if data[start] & 2:
            wire = wire[:HEADER_BYTES] + data[start + 2 :][: len(wire) - HEADER_BYTES]
        elif not data[start] & 4:
            try:
                wire = ends[sender].send(frame, stream)
            except LocalProtocolError:
                continue
        events = _events(receiver, [wire])
        _check_step(receiver, before, sender, events)


def _check_step(receiver: Connection, before: State, sender: Role, events: list[Any]) -> None:
    """What was taken was legal, and led where the table says."""
    for event in events:
        if type(event) is tuple:
            assert receiver.state is State.CLOSED
            return
        assert (before, sender, type(event.frame)) in TRANSITIONS
        after = next_state(before, sender, type(event.frame), event.stream)
        assert after is not None
        before = after
    assert receiver.state is before


def bodies(data: bytes) -> None:
    """The body of any frame: two bytes for its type, one for who is newer, then the body."""
    if len(data) < 3:
        return
    number, written = int.from_bytes(data[:2], "big"), data[3:]
    kind = BY_NUMBER.get(number) or KINDS[number % len(KINDS)]
    if len(written) > kind.body_bytes_max:
        return
    tolerant = bool(data[2] & 1)
    read = _outcome(lambda: decode_body(kind, written, tolerant=tolerant))
    if isinstance(read, kind.frame):
        wire = encode(read)
        assert decode_body(kind, wire[HEADER_BYTES:], tolerant=False) == read
    look = vars(codec)["_look"]
    with_fallback = _with_fallback(lambda: look(kind, written, tolerant=tolerant))
    assert _same(read, with_fallback), (read, with_fallback)
    assert type(read) is type(with_fallback)


def msgpack_agrees(data: bytes) -> None:
    """Both implementations give the same row, or both refuse."""
    for array_max in (1024, 32):
        read = _outcome(lambda: unpack(data, array_max))  # noqa: B023 - called at once
        with_fallback = _with_fallback(lambda: unpack(data, array_max))  # noqa: B023 - as above
        assert _same(read, with_fallback) or _depth(data) > DEPTH_SAFE, (read, with_fallback)


def _same(one: Any, other: Any) -> bool:
    """Equal values, or refusals with the same code: who notices first may find other words.

    By what they look like, for a NaN is not equal to itself, and True is equal to 1.
    """
    refusals = [found for found in (one, other) if found[:1] and isinstance(found[0], ErrorCode)]
    return one[0] is other[0] if len(refusals) == 2 else not refusals and repr(one) == repr(other)


def _depth(data: bytes) -> int:
    """Return how deep it may be nested at most: how many bytes could open an array."""
    return sum(0x91 <= byte <= 0x9F or byte in {0xDC, 0xDD} for byte in data)


def _outcome(read: Callable[[], Any]) -> Any:
    """Return what is read, or the code and the words of the refusal."""
    try:
        return read()
    except (RemoteProtocolError, Refusal) as error:
        return error.code, error.detail


def _with_fallback(read: Callable[[], Any]) -> Any:
    """Return the same, with nothing but what is written in Python."""
    with _plain(), _instead(packing, "unpackb", fallback.unpackb):
        return _outcome(read)


@contextmanager
def _plain() -> Iterator[None]:
    """Leave out the compiled half of the codec, for envelopes and whatever comes on a connection."""
    with (
        _instead(connections, "_TABLES", _PLAIN_TABLES),
        _instead(envelopes, "_read", lambda _: None),
    ):
        yield


@contextmanager
def _instead(module: ModuleType, name: str, value: object) -> Iterator[None]:
    kept = vars(module)[name]
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, kept)


def envelope(data: bytes) -> None:
    """An envelope is read, or refused as such, by both implementations."""
    read = _outcome(lambda: decode_envelope(data))
    assert _same(read, _with_fallback(lambda: decode_envelope(data)))
    if hasattr(read, "blobs"):
        assert decode_envelope(encode_envelope(read)) == read
    else:
        assert read[0] is ErrorCode.ENVELOPE_INVALID


def credential(data: bytes) -> None:
    """A credential is read, or it is a malformed frame."""
    read = _outcome(lambda: decode_credential(data))
    if hasattr(read, "method"):
        assert decode_credential(encode_credential(read)) == read
    else:
        assert read[0] is ErrorCode.MALFORMED_FRAME


def invite(data: bytes) -> None:
    """An invite is read, or refused with a reason for a person."""
    try:
        read = parse_invite(data.decode(errors="surrogateescape"))
    except ValueError:
        return
    assert parse_invite(format_invite(read)) == read


TARGETS: Final[dict[str, Target]] = {
    "bodies": bodies,
    "connection": connection,
    "handshake": handshake,
    "msgpack": msgpack_agrees,
    "envelope": envelope,
    "credential": credential,
    "invite": invite,
}

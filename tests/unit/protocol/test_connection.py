"""The state machine: what it refuses, how it buffers, what it keeps."""

from itertools import product

import pytest

from tools.generators.connections import connection_at, connection_pair, handshake
from tools.generators.samples import row, typical
from wxserve.protocol import frames as f
from wxserve.protocol.codec import BY_NUMBER, HEADER, HEADER_BYTES, encode
from wxserve.protocol.connection import Connection
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import LocalProtocolError, RemoteProtocolError
from wxserve.protocol.states import TRANSITIONS, Role, State, next_state, stream_rule

EVERY = list(product(State, Role, BY_NUMBER.values()))


class CountingHeader:
    """Stands in for the header's Struct and counts how often one is read."""

    def __init__(self) -> None:
        self.read = 0

    def unpack_from(self, buffer: bytes, offset: int) -> tuple[int, ...]:
        self.read += 1
        return HEADER.unpack_from(buffer, offset)


def stream_for(sender: Role, frame: type[f.Frame]) -> int:
    return 0 if stream_rule(sender, frame) is False else 7


def test_table_names_no_frame_that_nobody_may_send() -> None:
    assert {frame for _, _, frame in TRANSITIONS} == set(f.TYPES)


@pytest.mark.parametrize(("state", "sender"), list(product(State, Role)))
def test_frame_not_in_the_table_is_refused_when_sent_and_when_received(
    state: State, sender: Role
) -> None:
    tried = 0
    for kind in BY_NUMBER.values():
        if (state, sender, kind.frame) in TRANSITIONS:
            continue
        tried += 1
        frame, stream = row(kind.frame, typical), stream_for(sender, kind.frame)
        assert next_state(state, sender, kind.frame, stream) is None
        with pytest.raises(LocalProtocolError, match="UNEXPECTED_FRAME"):
            connection_at(sender, state).send(frame, stream)
        if state is not State.CLOSED:
            receiver = connection_at(sender.peer, state)
            receiver.receive_data(encode(frame, stream))
            with pytest.raises(RemoteProtocolError, match="UNEXPECTED_FRAME"):
                receiver.next_event()
            assert receiver.state is State.CLOSED
    assert tried > 10


@pytest.mark.parametrize(("state", "sender"), list(product(State, Role)))
def test_frame_in_the_table_needs_its_stream(state: State, sender: Role) -> None:
    for kind in BY_NUMBER.values():
        rule = stream_rule(sender, kind.frame)
        if (state, sender, kind.frame) not in TRANSITIONS:
            continue
        for stream in (0, 1, 0xFFFF):
            after = next_state(state, sender, kind.frame, stream)
            assert (after is None) == (rule is not None and rule is not (stream != 0))


def test_error_on_stream_0_closes_and_on_another_does_not() -> None:
    error = f.Error(4001, True, 1000, "", 0)
    for stream, after in ((0, State.CLOSED), (3, State.OPEN)):
        ends = connection_pair()
        ends[Role.CLIENT].receive_data(ends[Role.SERVER].send(error, stream))
        assert ends[Role.CLIENT].next_event() is not None
        assert {end.state for end in ends.values()} == {after}


def test_server_may_go_away_before_the_client_knows_the_state() -> None:
    """A client that has sent HELLO gets what the server sent before it saw HELLO."""
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    client.send(handshake(0)[0][1])
    client.receive_data(server.send(f.GoAway(0, 1000)))
    event = client.next_event()
    assert event is not None
    assert event.frame == f.GoAway(0, 1000)
    assert client.state is State.CLOSED


def test_frame_too_large_is_refused_from_its_header_alone() -> None:
    for state, sender, kind in EVERY:
        if (state, sender, kind.frame) not in TRANSITIONS:
            continue
        connection = connection_at(sender.peer, state)
        stream = stream_for(sender, kind.frame)
        limit = kind.body_bytes_max
        connection.receive_data(HEADER.pack(limit + 1 << 8, kind.number, stream))
        with pytest.raises(RemoteProtocolError, match="FRAME_TOO_LARGE"):
            connection.next_event()


def test_frame_as_large_as_allowed_is_waited_for() -> None:
    connection = connection_at(Role.SERVER, State.OPEN)
    connection.receive_data(HEADER.pack(f.ENTRY_BYTES_MAX << 8, f.TYPES[f.Send][0], 1))
    assert connection.next_event() is None
    assert connection.state is State.OPEN


def test_stranger_can_announce_4_kib_at_most() -> None:
    for state in (State.HELLO, State.AUTH):
        limits = [
            kind.body_bytes_max
            for kind in BY_NUMBER.values()
            if (state, Role.CLIENT, kind.frame) in TRANSITIONS
        ]
        assert max(limits) == 4096


def test_frame_in_single_bytes_is_copied_once_and_its_header_read_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Work is linear: one buffer that only grows, and no second look before it is complete."""
    header = CountingHeader()
    monkeypatch.setattr("wxserve.protocol.connection.HEADER", header)
    frame = f.Send(bytes(f.ENVELOPE_BYTES_MAX))
    connection = connection_at(Role.SERVER, State.OPEN)
    header.read = 0
    buffers = set()
    event = None
    for byte in encode(frame, 1):
        connection.receive_data(bytes([byte]))
        buffers.add(id(connection._buffer) if connection.pending_bytes > 1 else 0)
        if (event := connection.next_event()) is not None:
            break
    assert event is not None
    assert event.frame == frame
    assert header.read <= 2
    assert len(buffers) == 2


def test_drained_connection_keeps_no_bytes() -> None:
    connection = connection_at(Role.SERVER, State.OPEN)
    connection.receive_data(encode(f.Ping()) * 2000)
    while connection.next_event() is not None:
        pass
    assert (connection._buffer, connection.pending_bytes) == (b"", 0)


def test_closed_connection_takes_no_bytes() -> None:
    connection = connection_at(Role.SERVER, State.CLOSED)
    connection.receive_data(bytes(1000))
    assert connection.pending_bytes == 0
    assert connection.next_event() is None


def test_unknown_skippable_frames_are_skipped_also_in_pieces() -> None:
    connection = connection_at(Role.SERVER, State.OPEN)
    unknown = HEADER.pack(40 << 8, f.SKIPPABLE.stop - 1, 3) + bytes(40)
    stream = unknown * 3 + encode(f.Ping())
    event = None
    for start in range(0, len(stream), 7):
        connection.receive_data(stream[start : start + 7])
        event = connection.next_event()
    assert event is not None
    assert event.frame == f.Ping()


def test_hello_that_asks_for_another_major_is_answered_with_version_unsupported() -> None:
    server = Connection(Role.SERVER)
    server.receive_data(encode(f.Hello(((2, 0),), bytes(32), "")))
    with pytest.raises(RemoteProtocolError) as caught:
        server.next_event()
    reply = encode(caught.value.reply)
    client = connection_at(Role.CLIENT, State.CHALLENGE)
    client.receive_data(reply)
    event = client.next_event()
    assert event is not None
    assert isinstance(event.frame, f.Error)
    assert event.frame.code == ErrorCode.VERSION_UNSUPPORTED


def test_frame_larger_than_its_type_allows_is_not_sent() -> None:
    connection = connection_at(Role.CLIENT, State.OPEN)
    with pytest.raises(LocalProtocolError, match="FRAME_TOO_LARGE"):
        connection.send(f.Send(bytes(f.ENTRY_BYTES_MAX)), 1)


def test_pending_bytes_counts_what_waits() -> None:
    connection = connection_at(Role.SERVER, State.OPEN)
    ping = encode(f.Ping())
    connection.receive_data(ping + ping[:3])
    assert connection.pending_bytes == HEADER_BYTES + 3
    connection.next_event()
    assert connection.pending_bytes == 3


@pytest.mark.parametrize(("depth", "taken"), [(0, True), (8, True), (9, False), (400, False)])
def test_field_of_a_newer_peer_is_ignored_unless_it_nests_deeper_than_both_decoders_go(
    depth: int, *, taken: bool
) -> None:
    body = b"\x92\x05" + b"\x91" * depth + b"\xc0"
    receiver = connection_at(Role.CLIENT, State.OPEN, minor=1)
    receiver.receive_data(HEADER.pack(len(body) << 8, f.TYPES[f.Done][0], 7) + body)
    if taken:
        event = receiver.next_event()
        assert event is not None
        assert event.frame == f.Done(5)
    else:
        with pytest.raises(RemoteProtocolError, match="Done: extra fields"):
            receiver.next_event()

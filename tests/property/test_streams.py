"""Streams of bytes: in any pieces, damaged, or between two connections that talk at random."""

import tracemalloc
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import protocol_strategies as draw
from tools.generators.connections import connection_at, connection_pair, handshake
from tools.generators.vectors import place
from wxserve.protocol.codec import HEADER
from wxserve.protocol.connection import Connection, Received
from wxserve.protocol.exceptions import RemoteProtocolError
from wxserve.protocol.frames import TYPES, Frame
from wxserve.protocol.states import Role, State
from wxserve.protocol.transcript import NO_BINDING

pytestmark = pytest.mark.slow
PLACES = [(role, state) for role in Role for state in State]
every_place = pytest.mark.parametrize(
    ("role", "state"),
    [pytest.param(*place, id=f"{place[0].value}-{place[1].value}") for place in PLACES],
)


def drain(connection: Connection) -> list[Received]:
    """Return the events that are there."""
    events = []
    while (event := connection.next_event()) is not None:
        events.append(event)
    return events


def swallow(connection: Connection, data: bytes, cuts: list[int]) -> tuple[list[Received], str]:
    """Return the events of a stream in pieces, and how it ended."""
    events = []
    try:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            connection.receive_data(data[start:end])
            while (event := connection.next_event()) is not None:
                events.append(event)
    except RemoteProtocolError as error:
        assert connection.state is State.CLOSED
        return events, f"{error.code.name} {error.detail}"
    return events, connection.state.name


def cuts(length: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, length), max_size=8).map(sorted)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_stream_in_any_pieces_gives_the_same_events(data: st.DataObject) -> None:
    sender = data.draw(st.sampled_from(Role))
    sent = data.draw(draw.streams(sender))
    stream = draw.wire(sent)
    pieces = data.draw(cuts(len(stream)))
    connection = connection_at(sender.peer, State.OPEN)
    events, end = swallow(connection, stream, pieces)
    assert [tuple(event) for event in events] == sent
    assert (end, connection.pending_bytes) == ("OPEN", 0)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_stream_byte_by_byte_gives_the_same_events(data: st.DataObject) -> None:
    sender = data.draw(st.sampled_from(Role))
    sent = data.draw(draw.streams(sender))
    stream = draw.wire(sent)[:4000]
    whole = swallow(connection_at(sender.peer, State.OPEN), stream, [])
    single = swallow(connection_at(sender.peer, State.OPEN), stream, list(range(1, len(stream))))
    assert single == whole


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_handshake_in_any_pieces_opens_both_ends(data: st.DataObject) -> None:
    ends = {role: Connection(role) for role in Role}
    for sender, frame in handshake(data.draw(st.integers(0, 255))):
        stream = ends[sender].send(frame)
        pieces = data.draw(cuts(len(stream)))
        events, _ = swallow(ends[sender.peer], stream, pieces)
        assert [event.frame for event in events] == [frame]
    assert {end.state for end in ends.values()} == {State.OPEN}
    signed = {end.transcript.to_sign(NO_BINDING, b"x") for end in ends.values()}
    assert len(signed) == 1


@every_place
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_garbage_gives_events_or_one_error(role: Role, state: State, data: st.DataObject) -> None:
    """Whatever comes, in whatever state, in whatever pieces: events, or RemoteProtocolError."""
    headers = st.builds(
        lambda size, flags, number, stream: HEADER.pack(size << 8 | flags, number, stream),
        st.one_of(st.integers(0, 300), st.integers(0, 0xFFFFFF)),
        st.integers(0, 255),
        st.one_of(st.sampled_from([n for n, _ in TYPES.values()]), st.integers(0, 0xFFFF)),
        st.one_of(st.just(0), st.integers(0, 0xFFFF)),
    )
    headed = st.builds(lambda head, body: head + body, headers, st.binary(max_size=200))
    valid = draw.streams(role.peer).map(draw.wire).filter(lambda stream: len(stream) < 20_000)
    stream = data.draw(st.one_of(st.binary(max_size=300), headed, valid.flatmap(draw.damaged)))
    pieces = data.draw(cuts(len(stream)))
    minor = data.draw(st.sampled_from([0, 0, 9]))
    whole = swallow(connection_at(role, state, minor), stream, [])
    assert swallow(connection_at(role, state, minor), stream, pieces) == whole


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_two_connections_in_any_legal_order_never_raise(data: st.DataObject) -> None:
    """Both send what their state allows while anything may still be on its way."""
    opened: bool = data.draw(st.booleans())
    ends = connection_pair() if opened else {role: Connection(role) for role in Role}
    ways: dict[Role, deque[bytes]] = {role: deque() for role in Role}
    expected: dict[Role, deque[Any]] = {role: deque() for role in Role}
    for _ in range(data.draw(st.integers(1, 30))):
        role = data.draw(st.sampled_from(Role))
        ending = data.draw(st.integers(0, 19)) == 0
        legal = draw.sendings(role, ends[role].state, ending=ending)
        if legal is not None and data.draw(st.booleans()):
            sending = data.draw(legal)
            ways[role].append(ends[role].send(*sending))
            expected[role].append(sending)
        elif ways[role]:
            deliver(data, ways[role], ends[role.peer], expected[role])


def deliver(
    data: st.DataObject, way: deque[bytes], receiver: Connection, expected: deque[Any]
) -> None:
    """Let some of what is on its way arrive."""
    first = way.popleft()
    cut = data.draw(st.one_of(st.just(len(first)), st.integers(0, len(first))))
    if first[cut:]:
        way.appendleft(first[cut:])
    receiver.receive_data(first[:cut])
    for event in drain(receiver):
        assert tuple(event) == expected.popleft()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_hostile_bodies_cost_bounded_memory(data: st.DataObject) -> None:
    """Announced lengths and nesting cost nothing; what is there costs at most so many times it."""
    size = data.draw(st.sampled_from([60, 3_000, 60_000, 200_000]))
    believable = b"\xdd" + (size // 2).to_bytes(4, "big")  # as many as there are bytes to come
    announced = st.sampled_from(
        [believable, b"\xdd\xff\xff\xff\xff", b"\xdc\x04\x00", b"\xdc\x00\x20", b"\x91", b"\x9f",
         b"\xdf\xff\xff\xff\xff", b"\x81", b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x05",
         b"\x92\x91", b"\x93\x05"],
    )  # fmt: skip
    unit = b"".join(data.draw(st.lists(announced, min_size=1, max_size=3)))
    levels = data.draw(st.sampled_from([1000, size]))  # the decoder gives up at 1,024
    body = ((unit * levels)[: size // 2] + bytes(size))[:size]
    for frame, (number, limit) in TYPES.items():
        if size <= limit:
            memory = peak(frame, HEADER.pack(size << 8, number, place(frame)[2]) + body)
            assert memory <= 100 * size + 9 * 1024 * 1024, frame.__name__


def peak(frame: type[Frame], data: bytes) -> int:
    """Return the most memory that reading a hostile frame took at one time."""
    sender, state, _ = place(frame)
    connection = connection_at(sender.peer, state)
    connection.receive_data(data)
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="MALFORMED_FRAME"):
            connection.next_event()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

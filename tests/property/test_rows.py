"""The compiled half of the codec: what it does is what Python does, or it leaves it to Python."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import protocol_strategies as draw
from tools.generators.samples import largest, row
from wxserve.protocol import codec
from wxserve.protocol import connection as connections
from wxserve.protocol.codec import BY_NUMBER, HEADER, HEADER_BYTES, FrameType
from wxserve.protocol.connection import Received
from wxserve.protocol.envelope import Envelope
from wxserve.protocol.exceptions import RemoteProtocolError
from wxserve.protocol.frames import Credit, Deliver, Send
from wxserve.protocol.packing import pack
from wxserve.protocol.rows import COMPILED, Shape, Table, frame, make, shape_of
from wxserve.protocol.schema import Schema
from wxserve.protocol.states import Role, State

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not COMPILED, reason="no compiled codec: there was no C compiler, or no headers of Python"
    ),
]
KINDS = list(BY_NUMBER.values())
look = vars(codec)["_look"]
SHAPE = shape_of(Schema(Envelope))
LOOSE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.binary(max_size=70_000)
    | st.text(max_size=300)
    | st.floats(),
    lambda inner: st.lists(inner, max_size=20).map(tuple),
    max_leaves=20,
)
"""Values that msgpack can write, and more than a frame may hold."""


def plainly(kind: FrameType, body: bytes | bytearray) -> Any:
    """Return what Python reads, None for a refusal."""
    try:
        return look(kind, body, tolerant=False)
    except RemoteProtocolError:
        return None


def classes(value: Any) -> Any:
    """Return a value's class and those of all that is in it."""
    inner = [classes(one) for one in value] if isinstance(value, tuple) else []
    return type(value), inner


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_right_bodies_are_read_and_written_as_python_does(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    value = data.draw(draw.frames_of(kind))
    stream, flags = data.draw(st.integers(0, 65_535)), data.draw(st.integers(0, 255))
    body = pack(value) if value else b""
    header = HEADER.pack(len(body) << 8 | flags, kind.number, stream)
    written = frame(value, kind.number, stream, flags, kind.body_bytes_max)
    assert written == (header + body if len(body) <= kind.body_bytes_max else None)
    read = kind.shape.read(body)
    assert read == plainly(kind, body) == value
    assert classes(read) == classes(value)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_damaged_bodies_are_read_as_python_does_or_left_to_it(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    value = data.draw(draw.frames_of(kind))
    body = bytearray(pack(value) if value else b"")
    for place in data.draw(st.lists(st.integers(0, max(0, len(body) - 1)), min_size=1, max_size=4)):
        body[place : place + 1] = data.draw(st.binary(max_size=2))
    read = kind.shape.read(bytes(body))
    assert read is None or (read == plainly(kind, body) and classes(read) == classes(value))


@settings(max_examples=500, deadline=None)
@given(st.lists(LOOSE, max_size=20).map(tuple))
def test_any_values_are_written_as_msgpack_does_or_left_to_it(row: tuple[Any, ...]) -> None:
    written = frame(row, 1, 0, 0, (1 << 24) - 1)
    assert written is None or written[HEADER_BYTES:] == (pack(row) if row else b"")


def test_longest_and_shortest_lengths_are_written_as_msgpack_does() -> None:
    numbers = [0] + [(1 << bits) + more for bits in (7, 8, 16, 32, 63) for more in (-1, 0)]
    rows: list[tuple[Any, ...]] = [tuple(numbers), ((1 << 64) - 1,), (True, False, None)]
    for length in (0, 15, 16, 31, 32, 255, 256, 65_535, 65_536):
        rows += [(b"x" * length,), ("y" * length,), ("é" * (length // 2),)]
        rows += [(None,) * min(length, 65_535)]
    for values in rows:
        written = frame(values, 1, 0, 0, (1 << 24) - 1)
        body = pack(values) if values else b""
        assert written == HEADER.pack(len(body) << 8, 1, 0) + body
    left: tuple[Any, ...] = (-1, 1 << 64, 0.5, [1], {}, bytearray(b"x"), "\ud800", (None,) * 65_536)
    for value in (*left, ((((((((((),),),),),),),),),)):
        assert frame((value,), 1, 0, 0, (1 << 24) - 1) is None, value


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_frames_of_a_stream_are_taken_one_by_one(data: st.DataObject) -> None:
    sender = data.draw(st.sampled_from(Role))
    take = vars(connections)["_TABLES"][State.OPEN, sender].take
    sent = data.draw(draw.streams(sender))
    wire, at = draw.wire(sent), 0
    for sending in sent:
        received, at = take(wire, at)
        assert classes(received) == classes(Received(*sending))
        assert received == sending
        for end in range(max(0, at - 9), at):
            assert take(wire[:end], at - HEADER_BYTES) is None, "a frame that is not whole"
    assert at == len(wire)
    assert take(wire, at) is None


@pytest.mark.parametrize(
    ("row_class", "values"),
    [(Send, (b"x",)), (Credit, (1, 2)), (Received, (Credit(1, 2), 3, 4)), (Deliver, (b"",) * 7)],
)
def test_made_rows_are_like_others_and_rest_from_the_collector(
    row_class: type[tuple[Any, ...]], values: tuple[Any, ...]
) -> None:
    made = make(row_class, *values)
    assert made == row_class(*values)
    assert type(made) is row_class
    assert gc.is_tracked(made) is gc.is_tracked(values[0])


def test_rows_that_may_be_part_of_a_cycle_stay_with_the_collector() -> None:
    inner: list[object] = []
    made = make(Send, inner)
    inner.append(made)
    assert gc.is_tracked(made)
    del made, inner
    assert gc.collect() >= 2


@pytest.mark.parametrize(
    "wrong",
    [
        Shape,
        lambda: Shape(1),  # type: ignore[arg-type]
        lambda: Shape((0, 0, 1, tuple, ())),
        lambda: Shape((6, 0, 0, int, ())),  # type: ignore[arg-type]
        lambda: Shape((7, 0, 0, tuple, ())),
        lambda: Shape((-1, 0, 0, tuple, ())),
        lambda: Shape((6, 0, 0, tuple, ((4, 0, 1, tuple, ()),))),
        lambda: Shape((6, 0, 0, tuple, ((0, 0, 1, tuple, ()), 5))),  # type: ignore[arg-type]
        lambda: Shape((6, 0, 0, tuple, ()), row=1),  # type: ignore[call-arg]
        lambda: Table(int, {}),  # type: ignore[arg-type]
        lambda: Table(Received, {1: 2}),  # type: ignore[dict-item]
        lambda: Table(Received, {256: (SHAPE, 1, None)}),
        lambda: Table(Received, {-1: (SHAPE, 1, None)}),
        lambda: Table(Received, {1: (5, 1, None)}),  # type: ignore[dict-item]
        lambda: Table(Received, {}).take(b""),  # type: ignore[call-arg]
        lambda: Table(Received, {}).take("", 0),  # type: ignore[arg-type]
        lambda: Table(Received, {}).take(b"", ""),  # type: ignore[arg-type]
        lambda: SHAPE.read(1),  # type: ignore[arg-type]
        lambda: frame((), 1),  # type: ignore[call-arg]
        lambda: frame((), -1, 0, 0, 1),
        lambda: frame((), "", 0, 0, 1),  # type: ignore[arg-type]
        make,
        lambda: make(tuple, 1),
        lambda: make(int, 1),  # type: ignore[type-var]
    ],
)
def test_wrong_use_is_an_error(wrong: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        wrong()


def test_numbers_that_fit_no_header_are_left_to_python() -> None:
    for place, value in ((1, 1 << 16), (2, 1 << 16), (3, 256)):
        numbers = [1, 1, 1, 100]
        numbers[place - 1] = value
        assert frame((), *numbers) is None
    assert frame((b"x" * (1 << 24),), 1, 0, 0, 1 << 25) is None
    assert frame([1], 1, 0, 0, 100) is None  # type: ignore[arg-type]
    table = Table(Received, {1: (SHAPE, 1, None)})
    assert table.take(b"", -1) is None
    assert table.take(b"", 1) is None


def test_nothing_is_kept() -> None:
    kinds = [(kind, pack(row(kind.frame, largest))) for kind in KINDS if Schema(kind.frame).size]

    def everything() -> None:
        for kind, body in kinds:
            kind.shape.read(body)
            for end in (0, 1, len(body) // 2, len(body) - 1):
                kind.shape.read(body[:end])
            frame(row(kind.frame, largest), 1, 0, 0, 1 << 20)
            table = Table(Received, {1: (shape_of(Schema(kind.frame)), 1 << 20, None)})
            table.take(HEADER.pack(len(body) << 8, 1, 0) + body, 0)
            table.take(HEADER.pack(len(body) << 8, 1, 0) + body[:-1], 0)
        for wrong in ((6, 0, 0, tuple, ((0, 0, 1, tuple, ()), 5)), (0, 0, 1, tuple, ())):
            with pytest.raises((TypeError, ValueError)):
                Shape(wrong)  # type: ignore[arg-type]

    everything()
    counts = [sys.getrefcount(one) for one in (None, True, 0, b"", Received, tuple, Envelope)]
    tracemalloc.start()
    try:
        everything()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            everything()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    now = [sys.getrefcount(one) for one in (None, True, 0, b"", Received, tuple, Envelope)]
    assert all(abs(one - other) < 15 for one, other in zip(counts, now, strict=True)), (counts, now)

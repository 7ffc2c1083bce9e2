"""Hypothesis strategies of the protocol, derived from the annotations of frames."""

from typing import Any, TypeAlias

from hypothesis import strategies as st

from wxserve.protocol import frames as f
from wxserve.protocol.codec import BY_NUMBER, FrameType, encode
from wxserve.protocol.fields import Bytes, FieldType, Flag, Many, Optional, Row, Text, UInt
from wxserve.protocol.packing import pack
from wxserve.protocol.schema import Record, Schema
from wxserve.protocol.states import TRANSITIONS, Role, State, stream_rule

Value: TypeAlias = Any
"""What a body may hold."""
LENGTH_MAX = 300
"""Longest bytes drawn at random; the largest of each field is drawn as such."""
COUNT_MAX = 5
"""Longest array drawn at random; the largest of each field is drawn as such."""
KINDS = list(BY_NUMBER.values())


def values(kind: FieldType) -> st.SearchStrategy[Value]:
    """Draw values that a field holds, its limits more often than chance would."""
    match kind:
        case UInt():
            high = kind.value_max
            return st.one_of(st.integers(0, high), st.sampled_from([0, 1, high // 2, high]))
        case Bytes():
            low, high = kind.bytes_min, kind.bytes_max
            drawn = st.binary(min_size=low, max_size=min(high, max(low, LENGTH_MAX)))
            return st.one_of(drawn, st.just(bytes(low)), st.just(b"\xff" * high))
        case Text():
            return texts(kind.bytes_max)
        case Flag():
            return st.booleans()
        case Optional():
            return st.none() | values(kind.item)
        case Row():
            return st.tuples(*map(values, kind.items))
        case Record():
            return rows(kind.row_class)
        case Many():
            return arrays(kind)
        case _:
            raise AssertionError(f"no strategy for {kind.describe()}")


def texts(bytes_max: int) -> st.SearchStrategy[str]:
    """Draw text of at most so many bytes in UTF-8, without NUL."""
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    drawn = st.text(letters, max_size=bytes_max)
    fitting = drawn.filter(lambda text: len(text.encode()) <= bytes_max)
    return fitting | st.just("\U00010348" * (bytes_max // 4))


def arrays(kind: Many) -> st.SearchStrategy[Value]:
    """Draw arrays of a field, a full one among them."""
    item, low, high = values(kind.item), kind.count_min, kind.count_max
    drawn = st.lists(item, min_size=low, max_size=min(high, max(low, COUNT_MAX))).map(tuple)
    full = item.map(lambda one: (one,) * high)
    return st.one_of(drawn, drawn, drawn, full)


def rows(row_class: type[tuple[Any, ...]]) -> st.SearchStrategy[Value]:
    """Draw rows of an annotated class."""
    columns = [values(kind) for _, kind in Schema(row_class).fields]
    return st.tuples(*columns).map(lambda drawn: tuple.__new__(row_class, drawn))


_ROWS = {kind.frame: rows(kind.frame) for kind in KINDS}


def frames_of(kind: FrameType) -> st.SearchStrategy[Value]:
    """Draw frames of one type; those that choose a version choose one that is spoken."""
    drawn = _ROWS[kind.frame]
    if kind.frame is f.Hello:
        minors = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=7)
        return st.builds(
            lambda frame, more, minor: frame._replace(versions=(*more, (1, minor))),
            drawn,
            minors,
            st.integers(0, 255),
        )
    return drawn.map(lambda frame: frame._replace(major=1)) if kind.frame is f.Challenge else drawn


ENDS = {f.Error, f.GoAway, f.Replaced}
"""Frames that end a connection, or may."""


def sendings(
    sender: Role, state: State, *, ending: bool = True
) -> st.SearchStrategy[tuple[Value, int, int]] | None:
    """Draw (frame, stream, flags) that ``sender`` may send in ``state``; None if it may nothing."""
    legal = [
        kind
        for kind in KINDS
        if (state, sender, kind.frame) in TRANSITIONS and (ending or kind.frame not in ENDS)
    ]

    def with_stream(kind: FrameType) -> st.SearchStrategy[tuple[Value, int, int]]:
        rule = stream_rule(sender, kind.frame)
        low, high = (1 if rule else 0), (0 if rule is False else 0xFFFF)
        return st.tuples(frames_of(kind), st.integers(low, high), st.integers(0, 255))

    return st.sampled_from(legal).flatmap(with_stream) if legal else None


def streams(sender: Role) -> st.SearchStrategy[list[tuple[Value, int, int]]]:
    """Draw what ``sender`` sends on an open connection, frame after frame."""
    lasting = sendings(sender, State.OPEN, ending=False)
    assert lasting is not None
    return st.lists(lasting, min_size=1, max_size=6)


def wire(sendings_: list[tuple[Value, int, int]]) -> bytes:
    """Return the bytes of some frames."""
    return b"".join(encode(*sending) for sending in sendings_)


msgpack_values: st.SearchStrategy[Value] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.binary(max_size=40),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    ),
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=12,
)
"""Anything msgpack can say, for the most part not of our subset."""


_TOKENS = [
    "00", "7f", "80", "8105 05", "90", "91", "92", "93", "a0", "a161", "bf", "c0", "c1", "c2", "c3",
    "c400", "c40161", "c410" + "ab" * 16, "c5000161", "c60000000161", "c6ffffffff", "c70005",
    "c700ff", "c70105 61", "c7ff05", "c8000005", "c900000000ff", "ca7fc00000", "cb3ff0000000000000",
    "ccff", "cdffff", "ceffffffff", "cf7fffffffffffffff", "cfffffffffffffffff", "d0ff", "d1ffff",
    "d2ffffffff", "d3ffffffffffffffff", "d30000000000000001", "d40561", "d4ff61", "d5056161",
    "d6ff00000000", "d6ffffffffff", "d7ffffffffffffffffff", "d7ff0000000000000001", "d8ff" + "00" * 16,
    "c70cff" + "00" * 12, "d900", "d90161", "d901ff", "da000161", "dbffffffff", "dc0000", "dc0001",
    "dcffff", "dd00000001", "ddffffffff", "de0000", "de0001", "df00000000", "dfffffffff", "e0", "ff",
]  # fmt: skip
"""One of every format of msgpack, and its corners."""
soup = st.lists(st.sampled_from([bytes.fromhex(token) for token in _TOKENS]), max_size=8).map(
    b"".join
)
"""Tokens of msgpack in any order."""


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw bytes that differ from ``data`` in a few places."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(result)))
        size = draw(st.integers(0, 4))
        result[start : start + size] = draw(st.binary(max_size=6))
    return bytes(result)


@st.composite
def bodies(draw: st.DrawFn, kind: FrameType) -> bytes:
    """Draw bodies for a frame: right, nearly right, of other types, or no msgpack at all."""
    good = pack(draw(_ROWS[kind.frame]))
    other = st.lists(msgpack_values, max_size=16).map(lambda row: pack(tuple(row)))
    swapped = st.lists(msgpack_values, min_size=1, max_size=1).map(
        lambda one: pack((*one, *draw(_ROWS[kind.frame])[1:]))
    )
    row = soup.map(lambda tokens: bytes([0x90 + kind.schema.size % 16]) + tokens)
    body: bytes = draw(st.one_of(st.just(good), damaged(good), other, swapped, soup, row))
    return body

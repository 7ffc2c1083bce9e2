"""Frames: written and read again, refused when wrong, with either implementation of msgpack."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgpack import fallback

from tests.property import protocol_strategies as draw
from wxserve.protocol import packing
from wxserve.protocol.codec import BY_NUMBER, HEADER_BYTES, FrameType, decode_body, encode
from wxserve.protocol.envelope import Envelope, decode_envelope, encode_envelope
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import RemoteProtocolError
from wxserve.protocol.packing import pack, unpack
from wxserve.protocol.schema import EXTRA_FIELDS_MAX, Schema

pytestmark = pytest.mark.slow
every_frame = pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.frame.__name__) for kind in draw.KINDS]
)
ENVELOPES = draw.rows(Envelope).map(lambda one: one._replace(version=1, body=one.body[:1000]))


def outcome(kind: FrameType, body: bytes, *, tolerant: bool = False) -> Any:
    """Return the frame, or the code and the detail of its refusal."""
    try:
        return decode_body(kind, body, tolerant=tolerant)
    except RemoteProtocolError as error:
        return error.code, error.detail


@every_frame
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_frame_written_and_read_is_the_same(kind: FrameType, data: st.DataObject) -> None:
    frame = data.draw(draw.frames_of(kind))
    body = encode(frame)[HEADER_BYTES:]
    read = outcome(kind, body)
    assert read == frame
    for index, row_class in kind.records:
        assert {type(row) for row in read[index]} <= {row_class}
    assert type(read) is kind.frame


@every_frame
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_body_is_accepted_exactly_if_every_field_is(kind: FrameType, data: st.DataObject) -> None:
    """The fast check of a row must say what the checks of its fields say one by one."""
    row = tuple(data.draw(draw.frames_of(kind)))
    broken: bool = data.draw(st.booleans())
    if row and broken:
        index = data.draw(st.integers(0, len(row) - 1))
        row = (*row[:index], data.draw(draw.msgpack_values), *row[index + 1 :])
    row = data.draw(st.sampled_from((row, row, row, row[:-1], (*row, None))))
    fields = kind.schema.fields
    expected = len(row) == len(fields) and all(
        field.type.check()(value) for field, value in zip(fields, row, strict=True)
    )
    assert kind.schema.accepts(row) is expected
    if not expected:
        assert kind.schema.fault(row)


@every_frame
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_both_implementations_of_msgpack_agree(kind: FrameType, data: st.DataObject) -> None:
    body = data.draw(draw.bodies(kind))
    with pytest.MonkeyPatch.context() as patch:
        ours = outcome(kind, body)
        patch.setattr(packing, "unpackb", fallback.unpackb)
        assert outcome(kind, body) == ours


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=80) | draw.soup)
def test_both_implementations_agree_on_any_bytes(data: bytes) -> None:
    for kind in BY_NUMBER.values():
        with pytest.MonkeyPatch.context() as patch:
            ours = outcome(kind, data)
            patch.setattr(packing, "unpackb", fallback.unpackb)
            assert outcome(kind, data) == ours


@every_frame
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_both_implementations_write_the_same(kind: FrameType, data: st.DataObject) -> None:
    frame = data.draw(draw.frames_of(kind))
    assert pack(frame) == fallback.Packer().pack(frame)


@every_frame
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_extra_fields_pass_only_from_a_newer_peer(kind: FrameType, data: st.DataObject) -> None:
    frame = data.draw(draw.frames_of(kind))
    extra = data.draw(
        st.lists(st.none() | st.integers(0, 9) | st.binary(max_size=3), min_size=1, max_size=4)
    )
    body = pack((*frame, *extra))
    assert outcome(kind, body, tolerant=True) == frame
    name = kind.frame.__name__
    fields = len(frame) + len(extra)
    assert outcome(kind, body) == (ErrorCode.MALFORMED_FRAME, f"{name}: {fields} fields")


@every_frame
def test_extra_fields_have_an_end(kind: FrameType) -> None:
    row = (None,) * max(kind.array_max + 1, kind.schema.size + EXTRA_FIELDS_MAX + 1)
    code, detail = outcome(kind, pack(row), tolerant=True)
    assert (code, detail) == (ErrorCode.MALFORMED_FRAME, "not a msgpack array")


@settings(max_examples=150, deadline=None)
@given(ENVELOPES)
def test_envelope_written_and_read_is_the_same(envelope: Envelope) -> None:
    assert decode_envelope(encode_envelope(envelope)) == envelope


@settings(max_examples=200, deadline=None)
@given(draw.msgpack_values)
def test_unpack_returns_rows_only(value: Any) -> None:
    data = pack((value,))[1:]
    if type(value) is tuple and "{" not in repr(value):
        assert repr(unpack(data)) == repr(value)
    elif type(value) is not tuple:
        with pytest.raises(RemoteProtocolError):
            unpack(data)


def test_schema_of_every_frame_knows_all_its_fields() -> None:
    for kind in draw.KINDS:
        names = tuple(name for name, _ in Schema(kind.frame).fields)
        assert names == kind.frame._fields

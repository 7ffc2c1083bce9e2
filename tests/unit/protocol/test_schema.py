"""Checks of rows: strict about types and ranges, and fast."""

from typing import Annotated, NamedTuple

import msgpack
import pytest

from tools.generators.samples import largest, row
from wxserve.protocol.codec import BY_NUMBER, encode
from wxserve.protocol.credentials import (
    DEVICE_KEY,
    ENROLMENT,
    DeviceKey,
    Enrolment,
    decode_credential,
    encode_credential,
)
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.exceptions import LocalProtocolError, RemoteProtocolError
from wxserve.protocol.fields import U8, Bytes, Many, Row, Text, UInt
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId, OpId
from wxserve.protocol.limits import ENVELOPE_BYTES_MAX
from wxserve.protocol.packing import pack, unpack
from wxserve.protocol.schema import Schema


class Sample(NamedTuple):
    """A row of its own, so that this test needs no frame."""

    number: U8
    name: Annotated[str, Text(4)]
    pairs: Annotated[tuple[tuple[int, bytes], ...], Many(Row((UInt(8), Bytes(1, 2))), 1, 2)]


GOOD = (255, "ab", ((1, b"x"), (0, b"xy")))


def test_schema_accepts_what_fits() -> None:
    assert Schema(Sample).accepts(GOOD)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 256), (0, -1), (0, True), (0, 1.0), (0, float("nan")), (0, None), (0, "1"), (0, b"1"),
        (0, msgpack.ExtType(5, b"")), (0, msgpack.Timestamp(0, 0)), (0, {}),
        (1, "abcde"), (1, "éée"), (1, "a\0"), (1, b"a"), (1, None),
        (2, ()), (2, (1,)), (2, ((1, b"x"),) * 3), (2, ((1,),)), (2, ((1, b"x", 0),)),
        (2, ((True, b"x"),)), (2, ((1, b""),)), (2, [(1, b"x")]), (2, msgpack.ExtType(5, b"")),
        (2, (msgpack.ExtType(5, b"x"),)),
    ],
)  # fmt: skip
def test_schema_refuses_what_does_not_fit_and_names_the_field(index: int, value: object) -> None:
    wrong = (*GOOD[:index], value, *GOOD[index + 1 :])
    schema = Schema(Sample)
    assert not schema.accepts(wrong)
    assert schema.fault(wrong) == f"field {schema.fields[index].name}"


@pytest.mark.parametrize("wrong", [(), GOOD[:2], (*GOOD, 0)])
def test_schema_refuses_another_number_of_fields(wrong: tuple[object, ...]) -> None:
    assert not Schema(Sample).accepts(wrong)
    assert Schema(Sample).fault(wrong) == f"{len(wrong)} fields"


def test_largest_frame_of_every_type_fits_its_limit() -> None:
    for kind in BY_NUMBER.values():
        assert len(encode(row(kind.frame, largest), 1)) - 8 <= kind.body_bytes_max


def test_largest_envelope_fits_into_deliver_and_a_larger_one_is_not_written() -> None:
    conversation, op = ConversationId(bytes(16)), OpId(bytes(16))
    overhead = len(encode_envelope(message(conversation, op, bytes(1 << 16)))) - (1 << 16)
    body = bytes(ENVELOPE_BYTES_MAX - overhead)
    assert len(encode_envelope(message(conversation, op, body))) == ENVELOPE_BYTES_MAX
    with pytest.raises(LocalProtocolError, match="FRAME_TOO_LARGE"):
        encode_envelope(message(conversation, op, body + b"x"))


@pytest.mark.parametrize(
    "credential",
    [
        DeviceKey(DEVICE_KEY, AccountId(bytes(16)), DeviceId(bytes(8))),
        Enrolment(ENROLMENT, "invite", b"code", bytes(32), "Änne", "phone"),
    ],
)
def test_credential_written_and_read_is_the_same(credential: DeviceKey | Enrolment) -> None:
    data = encode_credential(credential)
    assert decode_credential(data) == credential
    for cut in range(len(data)):
        with pytest.raises(RemoteProtocolError, match="MALFORMED_FRAME"):
            decode_credential(data[:cut])


@pytest.mark.parametrize(
    "fields",
    [(), (3,), (True, bytes(16), bytes(8)), (1, bytes(16)), (1, bytes(16), bytes(8), None),
     (1, bytes(8), bytes(16)), ("1", bytes(16), bytes(8)), (2, "invite", b"", bytes(31), "", "")],
)  # fmt: skip
def test_credential_that_is_none_is_refused(fields: tuple[object, ...]) -> None:
    with pytest.raises(RemoteProtocolError, match="MALFORMED_FRAME"):
        decode_credential(pack(fields))


def test_unpack_refuses_arrays_longer_than_any_frame_has() -> None:
    assert len(unpack(pack((0,) * 1024))) == 1024
    with pytest.raises(RemoteProtocolError):
        unpack(pack((0,) * 1025))

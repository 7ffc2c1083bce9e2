"""Errors: what is told to the peer always fits the frame that tells it."""

import pytest

from wxserve.protocol.codec import BY_NUMBER, HEADER_BYTES, decode_body, encode
from wxserve.protocol.errors import ErrorCode, describe
from wxserve.protocol.exceptions import Refusal, RemoteProtocolError, error_frame
from wxserve.protocol.frames import TYPES, Error

KIND = BY_NUMBER[TYPES[Error][0]]


@pytest.mark.parametrize("detail", ["", "x" * 5000, "\U00010348" * 500, "a\0b", "é" * 200])
def test_error_frame_of_any_detail_can_be_read(detail: str) -> None:
    frame = error_frame(ErrorCode.STORAGE_FULL, detail=detail, retry_after_ms=5, seq=9)
    assert decode_body(KIND, encode(frame)[HEADER_BYTES:], tolerant=False) == frame
    assert detail.replace("\0", "").startswith(frame.detail)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_has_a_meaning_and_an_answer(code: ErrorCode) -> None:
    meaning = describe(code)
    reply = Refusal(code, retry_after_ms=7, seq=3).reply
    assert reply == Error(int(code), meaning.temporary, 7, "", 3)
    assert RemoteProtocolError(code).reply.code == code
    assert {1: "protocol", 2: "session"}.get(code // 1000, meaning.family) == meaning.family

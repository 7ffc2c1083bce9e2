"""Exceptions of the protocol, split by whose fault they are."""

from typing import Final

from .errors import ErrorCode, describe
from .session_frames import Error

DETAIL_CHARS_MAX: Final = 128
"""Of four bytes at most each, so that any text fits the field of ERROR."""


class ProtocolError(Exception):
    """The rules of the wire were broken; the connection cannot go on.

    Attributes:
        code: the entry of the error table.
        detail: what was wrong, without any content of a message.
    """

    def __init__(self, code: ErrorCode, detail: str = "") -> None:
        super().__init__(f"{code.name}: {detail or describe(code).means}")
        self.code = code
        self.detail = detail


class RemoteProtocolError(ProtocolError):
    """The peer broke the rules; hang up.

    A server sends ``reply`` first: ``encode(error.reply)``, because the connection itself is closed
    and sends nothing any more. A client has no such frame and only hangs up.
    """

    @property
    def reply(self) -> Error:
        """Return the ERROR frame that tells the peer what it did."""
        return error_frame(self.code, detail=self.detail)


class LocalProtocolError(ProtocolError):
    """We were asked to send what the rules forbid: a defect on our side."""


class Refusal(Exception):
    """One request is answered with ERROR; the connection lives.

    Attributes:
        code: the entry of the error table.
        detail: an explanation for a developer, without any content of a message.
        retry_after_ms: how long a client should wait before it tries again, 0 for its own choice.
        seq: the entry in question, 0 if there is none.
    """

    def __init__(
        self, code: ErrorCode, detail: str = "", *, retry_after_ms: int = 0, seq: int = 0
    ) -> None:
        super().__init__(f"{code.name}: {detail or describe(code).means}")
        self.code = code
        self.detail = detail
        self.retry_after_ms = retry_after_ms
        self.seq = seq

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later."""
        return describe(self.code).temporary

    @property
    def reply(self) -> Error:
        """Return the ERROR frame that answers the request."""
        return error_frame(
            self.code, detail=self.detail, retry_after_ms=self.retry_after_ms, seq=self.seq
        )


def error_frame(
    code: ErrorCode, *, detail: str = "", retry_after_ms: int = 0, seq: int = 0
) -> Error:
    """Return the ERROR frame of a code; ``temporary`` comes from the table."""
    text = detail.replace("\0", "")[:DETAIL_CHARS_MAX]
    return Error(int(code), describe(code).temporary, retry_after_ms, text, seq)

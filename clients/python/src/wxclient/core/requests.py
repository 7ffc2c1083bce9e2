"""Requests that are no operations: asked again after a reconnect until they are answered."""

from dataclasses import dataclass, field

from wxclient._protocol import frames as f
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import RemoteProtocolError
from wxclient._protocol.frames import Frame
from wxclient.exceptions import TooManyRequests
from wxclient.limits import CoreLimits

from .backoff import Backoff
from .checking import check_frame
from .ports import Entropy

ANSWERS: dict[type[Frame], tuple[type[Frame], ...]] = {
    f.SetRegister: (f.Register,),
    f.ListConversations: (f.Conversations,),
    f.Members: (f.MemberList,),
    f.ListDevices: (f.Devices,),
    f.RenameDevice: (f.Done,),
    f.RevokeDevice: (f.Done,),
    f.LinkDevice: (f.LinkCode,),
    f.History: (f.Deliver, f.Skip, f.TooFar, f.Done),
}
"""What may answer each request."""
_PARTS = frozenset({f.Deliver, f.Skip, f.TooFar})
"""Frames after which more of the same answer follows."""


@dataclass(slots=True)
class Request:
    """One request.

    Attributes:
        wanted: False once the caller stopped waiting; its stream stays taken until the answer.
    """

    number: int
    frame: Frame
    backoff: Backoff
    parts: list[Frame] = field(default_factory=list)
    part_bytes: int = 0
    retry_s: float | None = None
    flying: bool = False
    wanted: bool = True


class Requests:
    """Every request from its making to its answer, across connections."""

    __slots__ = ("_entropy", "_last", "_limits", "_open")

    def __init__(self, limits: CoreLimits, entropy: Entropy) -> None:
        self._limits = limits
        self._entropy = entropy
        self._open: dict[int, Request] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def add(self, frame: Frame) -> int:
        """Take a request and return its number.

        Raises:
            InvalidArgument: the server would not take it.
            TooManyRequests: the limit is reached.
        """
        check_frame(frame)
        if len(self._open) >= self._limits.requests_max:
            raise TooManyRequests(f"{len(self._open)} requests wait")
        self._last += 1
        backoff = Backoff(self._limits.retry_min_s, self._limits.retry_max_s, self._entropy)
        self._open[self._last] = Request(self._last, frame, backoff)
        return self._last

    def cancel(self, number: int) -> None:
        """Forget a request; an answer that still comes is dropped."""
        request = self._open.get(number)
        if request is None:
            return
        if request.flying:
            request.wanted = False
        else:
            del self._open[number]

    def get(self, number: int) -> Request:
        """Return an open request."""
        return self._open[number]

    def next_ready(self) -> Request | None:
        """Return a request to send now, or None. The caller sends it at once."""
        for request in self._open.values():
            if not request.flying and request.retry_s is None:
                request.flying = True
                return request
        return None

    def answered(self, request: Request, frame: Frame, frame_bytes: int) -> bool:
        """Take one frame of an answer; return whether the answer is complete.

        Raises:
            RemoteProtocolError: the frame does not answer the request, or the answer is too large.
        """
        if type(frame) not in ANSWERS[type(request.frame)]:
            detail = f"{type(frame).__name__} answers {type(request.frame).__name__}"
            raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, detail)
        request.part_bytes += frame_bytes
        if request.part_bytes > self._limits.answer_bytes_max:
            raise RemoteProtocolError(ErrorCode.FRAME_TOO_LARGE, "answer")
        request.parts.append(frame)
        if type(frame) in _PARTS:
            return False
        del self._open[request.number]
        return True

    def refused(self, request: Request) -> None:
        """Drop a request that was refused for good."""
        del self._open[request.number]

    def refused_for_now(self, request: Request, retry_after_ms: int, now_s: float) -> None:
        """Keep a request for later."""
        request.flying = False
        request.parts.clear()
        request.part_bytes = 0
        request.retry_s = now_s + request.backoff.next_s(retry_after_ms / 1000)
        if not request.wanted:
            del self._open[request.number]

    def connection_lost(self) -> None:
        """Make everything that was sent ready again; unwanted requests end here."""
        for request in tuple(self._open.values()):
            if not request.wanted:
                del self._open[request.number]
                continue
            request.flying = False
            request.parts.clear()
            request.part_bytes = 0

    @property
    def deadline_s(self) -> float | None:
        """Return when a request may be tried again, or None."""
        times = [r.retry_s for r in self._open.values() if r.retry_s is not None]
        return min(times, default=None)

    def on_time(self, now_s: float) -> None:
        """Let requests go whose wait is over."""
        for request in self._open.values():
            if request.retry_s is not None and request.retry_s <= now_s:
                request.retry_s = None

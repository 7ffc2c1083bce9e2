"""What the server answers on the streams of our requests."""

from typing import NamedTuple

from wxclient._protocol import frames as f
from wxclient._protocol.connection import Received
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import RemoteProtocolError
from wxclient._protocol.identifiers import op_id, sender_of
from wxclient.events import OpAccepted, OpRefused, RequestAnswered, RequestRefused
from wxclient.records import Outcome
from wxclient.refusals import refusal_from

from .device import Device
from .streams import Streams


class OpOwner(NamedTuple):
    """A stream on which an operation is answered."""

    counter: int


class RequestOwner(NamedTuple):
    """A stream on which a request is answered."""

    number: int


class SyncOwner(NamedTuple):
    """The stream on which SYNC is answered."""


Owner = OpOwner | RequestOwner | SyncOwner


class Answers:
    """Brings each answer to its operation or request."""

    __slots__ = ("_device", "floor_wanted", "streams", "sync_refused")

    def __init__(self, device: Device) -> None:
        self._device = device
        self.streams: Streams[Owner] = Streams()
        self.floor_wanted = False
        self.sync_refused: f.Error | None = None

    def take(self, event: Received, frame_bytes: int) -> None:
        """Take one frame that came on a stream.

        Raises:
            RemoteProtocolError: it answers nothing that was asked.
        """
        owner, frame = self.streams.owner(event.stream), event.frame
        match owner, frame:
            case OpOwner(counter), f.Accepted():
                self.streams.close(event.stream)
                self._accepted(counter, frame, event.flags)
            case OpOwner(counter), f.Error():
                self.streams.close(event.stream)
                self._op_refused(counter, frame)
            case RequestOwner(number), f.Error():
                self.streams.close(event.stream)
                self._request_refused(number, frame)
            case RequestOwner(number), _:
                self._request_answered(number, event, frame_bytes)
            case SyncOwner(), f.Changes():
                self._device.changes(frame)
                if not frame.more:
                    self.streams.close(event.stream)
            case SyncOwner(), f.Error():
                self.sync_refused = frame
            case _:
                detail = f"{type(frame).__name__} answers nothing"
                raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, detail)

    def _accepted(self, counter: int, frame: f.Accepted, flags: int) -> None:
        device, identity = self._device, self._device.identity
        assert identity.account is not None, "operations come after WELCOME"
        assert identity.device is not None, "operations come after WELCOME"
        row, own = device.outbox.row(counter), op_id(identity.device, counter)
        if frame.op != own:
            raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, "acceptance of another operation")
        if flags & f.CURRENT and isinstance(row.frame, f.Send):
            sender = sender_of(identity.account, identity.device)
            device.reception.own(frame, row.frame.envelope, sender, device.batch)
        device.outbox.resolved(counter)
        device.tally.accepted += 1
        device.batch.outcomes.append(Outcome(counter, own, frame, None))
        device.batch.events.append(OpAccepted(own, frame))
        if flags & f.CURRENT and not isinstance(row.frame, f.Send):
            # The server wrote that entry, so only a DELIVER can bring it. A new connection gets it.
            detail = "acceptance in place of an entry that is not ours"
            raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, detail)

    def _op_refused(self, counter: int, frame: f.Error) -> None:
        device = self._device
        if frame.temporary:
            self.floor_wanted |= frame.code == ErrorCode.OPS_IN_FLIGHT
            device.outbox.refused_for_now(counter, frame, device.clock())
            return
        assert device.identity.device is not None, "operations come after WELCOME"
        own = op_id(device.identity.device, counter)
        device.outbox.resolved(counter)
        device.tally.refused += 1
        device.batch.outcomes.append(Outcome(counter, own, None, frame))
        device.batch.events.append(OpRefused(own, refusal_from(frame)))

    def _request_refused(self, number: int, frame: f.Error) -> None:
        requests = self._device.requests
        request = requests.get(number)
        if frame.temporary:
            requests.refused_for_now(request, frame.retry_after_ms, self._device.clock())
            return
        requests.refused(request)
        if request.wanted:
            self._device.events.append(RequestRefused(number, refusal_from(frame)))

    def _request_answered(self, number: int, event: Received, frame_bytes: int) -> None:
        device, frame = self._device, event.frame
        request = device.requests.get(number)
        if not device.requests.answered(request, frame, frame_bytes):
            return
        self.streams.close(event.stream)
        if isinstance(frame, f.Register):
            device.register(frame)
        if request.wanted:
            answer = RequestAnswered(number, tuple(request.parts))
            durable = isinstance(frame, f.Register)
            (device.batch.events if durable else device.events).append(answer)

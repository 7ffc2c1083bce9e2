"""One connection as the client sees it: incoming frames, what goes out, and when."""

from wxclient._protocol import frames as f
from wxclient._protocol.connection import Received
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import RemoteProtocolError
from wxclient._protocol.transcript import Binding
from wxclient.events import (
    ConnectionState,
    EphemeralReceived,
    StateChanged,
    SyncedThrough,
)
from wxclient.exceptions import ConnectionReplaced, EntriesMissing
from wxclient.records import Batch
from wxclient.refusals import ProtocolViolation, SessionRefused, VersionUnsupported, refusal_from

from .acknowledging import Acknowledger, CreditWindow
from .answers import Answers, OpOwner, RequestOwner, SyncOwner
from .device import Device
from .handshake import Handshake
from .heartbeat import Beat, Heartbeat
from .reception import MissingEntryError
from .wire import Ending, Wire


class Welcomed:
    """What a connection has once WELCOME came."""

    __slots__ = ("acknowledger", "credit", "ops_in_flight_max")

    def __init__(self, welcome: f.Welcome, device: Device) -> None:
        limits = device.limits
        floor = max(welcome.op_floor, 1)
        self.acknowledger = Acknowledger(limits.ack_delay_s, limits.ack_entries_max, floor)
        self.acknowledger.ops_done(device.outbox.floor(), device.clock())
        self.credit = CreditWindow(welcome)
        self.ops_in_flight_max = welcome.ops_in_flight_max


class Session:
    """Bytes in, bytes out; everything that must outlive the connection goes to the ``Device``."""

    def __init__(self, device: Device, heartbeat: Heartbeat, number: int, binding: Binding) -> None:
        self._device = device
        self._heartbeat = heartbeat
        self._wire = Wire()
        self._handshake = Handshake(device, self._wire, binding)
        self._answers = Answers(device)
        self._welcomed: Welcomed | None = None
        self._handshake_s = device.clock() + device.limits.handshake_deadline_s
        self._drain_s: float | None = None
        self._drain_retry_s = 0.0
        self.number = number
        self.synced = False
        self.ending: Ending | None = None
        self._handshake.start()

    # -- bytes ---------------------------------------------------------------------------------

    @property
    def has_outgoing(self) -> bool:
        """Whether bytes wait to be written."""
        return self._wire.outgoing_bytes > 0

    def receive(self, data: bytes) -> None:
        """Take bytes from the server; what is wrong with them ends the connection."""
        self._device.tally.bytes_in += len(data)
        self._heartbeat.received(self._device.clock())
        try:
            for event, frame_bytes in self._wire.frames(data):
                if event.stream:
                    self._answers.take(event, frame_bytes)
                else:
                    self._take(event, frame_bytes)
                if self.ending is not None:
                    break
        except MissingEntryError as error:
            self._missing(error)
        except RemoteProtocolError as error:
            self._device.tally.violations += 1
            self.end(Ending(error))
        self._after_answers()

    def take(self) -> bytes:
        """Return the bytes to write now."""
        data = self._wire.take()
        if data:
            self._device.tally.bytes_out += len(data)
            self._heartbeat.sent(self._device.clock())
            self.pump()
        return data

    def end(self, ending: Ending) -> None:
        """Note that the connection is over; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            if ending.silent:
                self._heartbeat.died()

    def _missing(self, error: MissingEntryError) -> None:
        """Ask again on a new connection; if the same entry is missing again, it is our file."""
        device = self._device
        device.tally.violations += 1
        again = device.missing == error.place
        device.missing = error.place
        self.end(Ending(EntriesMissing(*error.place), final=True) if again else Ending(error))

    # -- incoming ------------------------------------------------------------------------------

    def _take(self, event: Received, frame_bytes: int) -> None:
        device, frame = self._device, event.frame
        match frame:
            case f.Deliver():
                self._charge(frame_bytes)
                assert device.identity.device is not None, "entries come after WELCOME"
                device.reception.deliver(frame, device.identity.device, device.batch)
            case f.Skip():
                self._charge(0)
                device.reception.skip(frame, device.batch)
            case f.TooFar():
                self._charge(0)
                device.reception.too_far(frame, device.batch)
            case f.Synced():
                self._synced(frame, device.batch)
            case f.Register():
                device.register(frame)
            case f.Ephemeral(conversation, kind, body, sender):
                device.events.append(EphemeralReceived(conversation, kind, body, sender))
            case _:
                self._control(frame)

    def _charge(self, frame_bytes: int) -> None:
        """Count against the window, which is widened again when the batch is durable."""
        self._device.batch.credit_bytes += frame_bytes
        self._device.batch.credit_entries += 1
        self._device.batch_bytes += frame_bytes

    def _synced(self, frame: f.Synced, batch: Batch) -> None:
        device = self._device
        if frame.position > device.position:
            device.position = batch.position = frame.position
        batch.events.append(SyncedThrough(frame.position))
        if not self.synced:
            self.synced = True
            device.events.append(StateChanged(ConnectionState.ONLINE))

    def _control(self, frame: f.Frame) -> None:
        match frame:
            case f.Challenge():
                self._handshake.challenged()
            case f.Welcome():
                self._open(frame)
            case f.Ping():
                self._wire.write(f.Pong())
            case f.Pong():
                pass
            case f.GoAway(deadline_ms, retry_after_ms):
                self._drain(deadline_ms / 1000, retry_after_ms / 1000)
            case f.Replaced():
                self.end(Ending(ConnectionReplaced("a newer connection took over"), final=True))
            case f.Error():
                self._failed(frame)
            case _:
                raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, type(frame).__name__)

    def _open(self, welcome: f.Welcome) -> None:
        device = self._device
        ending = self._handshake.welcomed(welcome)
        if ending is not None:
            self.end(ending)
            return
        self._welcomed = Welcomed(welcome, device)
        self._heartbeat.opened(device.clock(), welcome.heartbeat_min_s, welcome.heartbeat_max_s)
        device.tally.reconnects += device.tally.connects > 0
        device.tally.connects += 1
        device.events.append(StateChanged(ConnectionState.SYNCING))
        sync = f.Sync(device.position, device.limits.sync_page)
        self._wire.write(sync, self._answers.streams.open(SyncOwner()))

    def _failed(self, frame: f.Error) -> None:
        error = refusal_from(frame)
        final = isinstance(error, SessionRefused | VersionUnsupported) and not frame.temporary
        self._device.tally.violations += isinstance(error, ProtocolViolation)
        self.end(Ending(error, final, frame.retry_after_ms / 1000))

    def _drain(self, deadline_s: float, retry_s: float) -> None:
        """Send nothing new; hang up when everything is answered, or at the deadline."""
        self._drain_retry_s = retry_s
        self._drain_s = self._device.clock() + deadline_s
        if not self._wire.open:
            self.end(Ending(None, retry_after_s=retry_s))

    def _after_answers(self) -> None:
        if self._answers.sync_refused is not None:
            self._failed(self._answers.sync_refused)
        if self._answers.floor_wanted and self.ending is None:
            self._answers.floor_wanted = False
            self._acknowledge()

    # -- outgoing ------------------------------------------------------------------------------

    def pump(self) -> None:
        """Put onto the wire what may go now: operations first, then requests."""
        if self._welcomed is None or self.ending is not None:
            return
        if self._drain_s is not None:
            self._finish_draining()
            return
        while self._wire.outgoing_bytes < self._device.limits.outgoing_bytes_max:
            if not self._send_op(self._welcomed) and not self._send_request():
                break

    def _send_op(self, welcomed: Welcomed) -> bool:
        outbox = self._device.outbox
        if outbox.in_flight >= welcomed.ops_in_flight_max:
            return False
        ceiling = welcomed.acknowledger.floor + welcomed.ops_in_flight_max
        if outbox.held_back(ceiling) and outbox.floor() > welcomed.acknowledger.floor:
            self._acknowledge()
            ceiling = welcomed.acknowledger.floor + welcomed.ops_in_flight_max
        row = outbox.next_ready(ceiling)
        if row is None:
            return False
        self._wire.write(row.frame, self._answers.streams.open(OpOwner(row.counter)), row.flags)
        return True

    def _send_request(self) -> bool:
        request = self._device.requests.next_ready()
        if request is None:
            return False
        stream = self._answers.streams.open(RequestOwner(request.number))
        self._wire.write(request.frame, stream)
        return True

    def _finish_draining(self) -> None:
        welcomed = self._welcomed
        idle = not len(self._answers.streams) and self._device.batch.empty
        if idle and welcomed is not None and welcomed.acknowledger.deadline_s is not None:
            self._acknowledge()
        if idle and not self.has_outgoing:
            self.end(Ending(None, retry_after_s=self._drain_retry_s))

    def send_ephemeral(self, frame: f.Ephemeral, flags: int) -> bool:
        """Send something that is never stored; return False if it was dropped."""
        if (
            not self.synced
            or self.ending is not None
            or self._wire.outgoing_bytes >= self._device.limits.outgoing_bytes_max
        ):
            return False
        self._wire.write(frame, 0, flags)
        return True

    def close(self) -> None:
        """Put the last acknowledgement onto the wire."""
        if self._welcomed is not None and self.ending is None:
            self._acknowledge()

    def committed(self, batch: Batch) -> None:
        """Acknowledge and grant again what this connection brought and is durable now."""
        welcomed = self._welcomed
        if welcomed is None or self.ending is not None:
            return
        now_s = self._device.clock()
        welcomed.acknowledger.ops_done(self._device.outbox.floor(), now_s)
        if batch.session != self.number:
            return
        welcomed.acknowledger.durable(batch.seen, now_s)
        credit = welcomed.credit.durable(batch.credit_bytes, batch.credit_entries)
        if credit is not None:
            self._wire.write(credit)

    def _acknowledge(self) -> None:
        assert self._welcomed is not None, "nothing is acknowledged before WELCOME"
        acknowledger = self._welcomed.acknowledger
        before = acknowledger.sent_count
        for frame in acknowledger.take(self._device.outbox.floor()):
            self._wire.write(frame)
        self._device.tally.acked += acknowledger.sent_count - before

    # -- time ----------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when ``on_time`` has something to do, or None."""
        if self.ending is not None:
            return None
        if self._welcomed is None:
            return self._handshake_s
        times = (self._heartbeat.deadline_s, self._welcomed.acknowledger.deadline_s, self._drain_s)
        return min(time for time in times if time is not None)

    def on_time(self) -> None:
        """Do what is due."""
        now_s = self._device.clock()
        if self.ending is not None:
            return
        if self._welcomed is None:
            if now_s >= self._handshake_s:
                self.end(Ending(TimeoutError("no WELCOME in time")))
            return
        if self._drain_s is not None and now_s >= self._drain_s:
            self.end(Ending(None, retry_after_s=self._drain_retry_s))
            return
        ack_s = self._welcomed.acknowledger.deadline_s
        if ack_s is not None and now_s >= ack_s:
            self._acknowledge()
        beat = self._heartbeat.due(now_s)
        if beat is Beat.PING:
            self._wire.write(f.Ping())
        elif beat is Beat.DEAD:
            self.end(Ending(TimeoutError("the server fell silent"), silent=True))

"""``ClientCore``: everything a client does, for whoever owns the socket, the clock and the file.

The driver's loop, whatever it is made of::

    core.connected(binding)                 # the socket is there
    core.receive_data(data)                 # bytes came
    while (batch := core.take_batch()):     # something must become durable
        state.commit(batch)                 # one transaction
        core.batch_committed(batch)         # now it may be acknowledged, sent, told
    socket.send(core.data_to_send())
    for event in core.take_events(): ...
    core.on_time()                          # at core.next_deadline()
    core.connection_lost()                  # the socket is gone; dial again at core.dial_at

A batch may be committed elsewhere (in a thread) while more data is received; batches are committed
in the order in which they were taken, and at most one is out at a time. A crash between any two of
these steps loses nothing and doubles nothing.
"""

from wxclient._protocol import frames as f
from wxclient._protocol.frames import Frame
from wxclient._protocol.identifiers import ConversationId, OpId, op_counter
from wxclient._protocol.transcript import Binding
from wxclient.events import ConnectionState, Event, Failed, StateChanged
from wxclient.exceptions import ClientClosed
from wxclient.limits import CoreLimits
from wxclient.records import Batch, Identity, OutboxRow, Snapshot

from .backoff import Backoff
from .checking import check_frame
from .device import Device
from .heartbeat import Heartbeat
from .ports import Clock, Entropy
from .session import Session
from .tally import Tally
from .wire import Ending

DEFAULT_LIMITS = CoreLimits()


class ClientCore:
    """The sans-I/O client. Not thread-safe: one owner calls it.

    Args:
        snapshot: what the state file holds.
        clock: monotonic seconds.
        entropy: unpredictable bytes, for the handshake's nonce and for jitter.
        limits: every bound.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        clock: Clock,
        entropy: Entropy,
        limits: CoreLimits = DEFAULT_LIMITS,
    ) -> None:
        self._device = Device(snapshot, clock, entropy, limits)
        self._heartbeat = Heartbeat()
        self._reconnect = Backoff(limits.reconnect_min_s, limits.reconnect_max_s, entropy)
        self._session: Session | None = None
        self._session_last = 0
        self._batch_out: Batch | None = None
        self._dial_at: float | None = clock()
        self.failure: Exception | None = None

    # -- what it knows -------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """Return who this device is."""
        return self._device.identity

    @property
    def tally(self) -> Tally:
        """Return the counters; they are the core's own, not a copy."""
        return self._device.tally

    @property
    def outbox_size(self) -> int:
        """Return how many operations have no durable outcome yet."""
        return len(self._device.outbox)

    @property
    def position(self) -> int:
        """Return the commit position through which everything was received."""
        return self._device.position

    @property
    def heartbeat_s(self) -> float:
        """Return the present heartbeat interval in seconds."""
        return self._heartbeat.interval_s

    @property
    def op_next(self) -> int:
        """Return the counter of the next operation."""
        return self._device.outbox.op_next

    def waits_for(self, op: OpId) -> bool:
        """Whether the outcome of an own operation is still open."""
        return op_counter(op) in self._device.outbox

    # -- the connection ------------------------------------------------------------------------

    @property
    def dial_at(self) -> float | None:
        """Return when to open the next connection, or None while there is one, or never again."""
        return self._dial_at

    def dialling(self) -> None:
        """Note that a connection is being opened."""
        self._device.events.append(StateChanged(ConnectionState.CONNECTING))

    def connected(self, binding: Binding) -> None:
        """Begin on a new connection.

        Args:
            binding: the hash of the server's pinned key, or none on loopback.

        Raises:
            ClientClosed: the client stopped for good.
        """
        if self.failure is not None:
            raise ClientClosed("the client stopped") from self.failure
        assert self._session is None, "the former connection is lost first"
        self._session_last += 1
        self._dial_at = None
        self._session = Session(self._device, self._heartbeat, self._session_last, binding)

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the server."""
        if self._session is not None and self._session.ending is None:
            self._session.receive(data)
            if self._session.synced:
                self._reconnect.reset()
            self._session.pump()

    @property
    def has_data_to_send(self) -> bool:
        """Whether ``data_to_send`` has something."""
        return self._session is not None and self._session.has_outgoing

    def data_to_send(self) -> bytes:
        """Return the bytes to write now; call it when the former ones are written."""
        return self._session.take() if self._session is not None else b""

    @property
    def hang_up(self) -> bool:
        """Whether the driver must close the connection, after writing what there is."""
        return self._session is not None and self._session.ending is not None

    def connection_lost(self, reason: Exception | None = None) -> None:
        """Note that the connection is gone, or could not be opened.

        Args:
            reason: what the network said; the core's own reason goes before it.
        """
        ending = Ending(reason)
        if self._session is not None:
            ending = self._session.ending or ending
            self._session = None
            self._device.outbox.connection_lost()
            self._device.requests.connection_lost()
            self._drop_session_part(self._device.batch)
        if ending.final and ending.reason is not None:
            self.stop(ending.reason)
        elif self.failure is None:
            wait_s = self._reconnect.next_s(ending.retry_after_s)
            self._dial_at = self._device.clock() + wait_s
            change = StateChanged(ConnectionState.WAITING, ending.reason, wait_s)
            self._device.events.append(change)

    @staticmethod
    def _drop_session_part(batch: Batch) -> None:
        """Forget what was to be acknowledged on a connection that is gone."""
        batch.seen.clear()
        batch.credit_bytes = batch.credit_entries = 0

    def stop(self, reason: Exception) -> None:
        """Stop for good; what is durable stays."""
        if self.failure is None:
            self.failure = reason
            self._dial_at = None
            self._device.events.append(StateChanged(ConnectionState.STOPPED, reason))
            self._device.events.append(Failed(reason))

    def close(self) -> None:
        """Put the last acknowledgement onto the wire, before the driver closes the socket."""
        if self._session is not None:
            self._session.close()

    # -- durability ----------------------------------------------------------------------------

    @property
    def has_batch(self) -> bool:
        """Whether ``take_batch`` would return one."""
        return self._batch_out is None and not self._device.batch.empty

    @property
    def crowded(self) -> bool:
        """Whether the driver should commit before it receives more."""
        return self._device.batch_bytes >= self._device.limits.batch_bytes_max

    def take_batch(self) -> Batch | None:
        """Return what must become durable now; None if nothing, or if a batch is still out."""
        if not self.has_batch:
            return None
        self._batch_out = self._device.take_batch(self._session_last)
        return self._batch_out

    def batch_committed(self, batch: Batch) -> None:
        """Note that a batch is durable: what waited for that goes out."""
        assert batch is self._batch_out, "batches are committed one at a time, in order"
        self._batch_out = None
        outbox = self._device.outbox
        outbox.written([row.counter for row in batch.ops], batch.op_next)
        outbox.forget([outcome.counter for outcome in batch.outcomes])
        self._device.events.extend(batch.events)
        if self._session is not None:
            self._session.committed(batch)
            self._session.pump()

    def clipped(self, snapshot: Snapshot) -> None:
        """Take what is left after ``TimelineChanged`` made the driver clip the state file."""
        assert self._session is None, "the connection ended with the event"
        self._device.clipped(snapshot)

    # -- time ----------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when ``on_time`` has something to do, or None. Dialling is apart: ``dial_at``."""
        if self._session is None:
            return None
        times = (
            self._session.next_deadline(),
            self._device.outbox.deadline_s,
            self._device.requests.deadline_s,
        )
        return min((time for time in times if time is not None), default=None)

    def on_time(self) -> None:
        """Do what is due; calling it too early does nothing."""
        now_s = self._device.clock()
        self._device.outbox.on_time(now_s)
        self._device.requests.on_time(now_s)
        if self._session is not None:
            self._session.on_time()
            self._session.pump()

    # -- what it is asked to do ----------------------------------------------------------------

    def next_op(self, body_bytes: int = 0) -> OpId:
        """Name a new operation; names are never used twice, used or not.

        Raises:
            NotEnrolled: there is no device id yet.
            OutboxFull: a limit is reached.
        """
        return self._device.next_op(body_bytes)

    def row(
        self, op: OpId, conversation: ConversationId, frame: Frame, flags: int = 0
    ) -> OutboxRow:
        """Return an operation as it goes into the outbox.

        Args:
            op: from ``next_op``.
            conversation: in which the server keeps its order.
            frame: the request that carries ``op``.
            flags: header flags.

        Raises:
            InvalidArgument: the server would not take it.
        """
        return self._device.row(op_counter(op), conversation, frame, flags)

    def enqueue(self, row: OutboxRow) -> None:
        """Take an operation; it is sent when the batch that holds it is durable."""
        self._device.enqueue(row)

    def enqueue_durable(self, rows: tuple[OutboxRow, ...], op_next: int) -> None:
        """Take operations that somebody else's transaction has made durable."""
        self._device.outbox.add_durable(rows, op_next)
        if self._session is not None:
            self._session.pump()

    def request(self, frame: Frame) -> int:
        """Ask something; return the number that the answer's event carries.

        Raises:
            InvalidArgument: the server would not take it.
            TooManyRequests: a limit is reached.
        """
        number = self._device.requests.add(frame)
        if self._session is not None:
            self._session.pump()
        return number

    def cancel_request(self, number: int) -> None:
        """Stop waiting for an answer."""
        self._device.requests.cancel(number)

    def send_ephemeral(
        self, conversation: ConversationId, kind: int, body: bytes, flags: int = 0
    ) -> bool:
        """Send something that is never stored; return False if it was dropped.

        Args:
            conversation: whose members are to see it.
            kind: 1 typing, 2 presence, 3 ringing, 4 delivered mark.
            body: opaque.
            flags: header flags.

        Raises:
            InvalidArgument: the server would not take it.
        """
        frame = f.Ephemeral(conversation, kind, body, None)
        check_frame(frame)
        return self._session is not None and self._session.send_ephemeral(frame, flags)

    def take_events(self) -> tuple[Event, ...]:
        """Return what happened since the last call."""
        events = tuple(self._device.events)
        self._device.events.clear()
        return events

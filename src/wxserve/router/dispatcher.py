"""From a frame to its handler: one table, built once."""

from collections.abc import Callable
from typing import Any, Final

import trio

from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.connection import Received
from wxserve.protocol.envelope import Kind, decode_envelope
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal, RemoteProtocolError
from wxserve.protocol.frames import CURRENT, SILENT, URGENT, Accepted
from wxserve.protocol.identifiers import OpId, split_op
from wxserve.protocol.rows import make
from wxserve.store.state import Append, Entry
from wxserve.store.store import Store

from .admission import Admission
from .bus import Bus
from .delivery import Delivery
from .limits import RouterLimits
from .session import Session

CREDIT_MAX = 1 << 31
_MESSAGE: Final = int(Kind.MESSAGE)
Handler = Callable[[Session, Any, int], None]
"""Takes (session, frame, stream); raises Refusal to answer with ERROR."""


class Dispatcher:
    """Hands frames to handlers, and handles the message path itself.

    Attributes:
        handlers: frame class to handler; features add theirs before the first connection.
        draining: new work is refused.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        delivery: Delivery,
        bus: Bus,
        limits: RouterLimits,
    ) -> None:
        self._store = store
        self._admission = admission
        self._delivery = delivery
        self._bus = bus
        self._limits = limits
        self._clock = trio.lowlevel.current_clock()
        self.draining = False
        self.handlers: dict[type[f.Frame], Handler] = {
            f.Send: self._send,
            f.Ack: self._ack,
            f.Credit: self._credit,
        }

    def dispatch(self, session: Session, event: Received) -> None:
        """Handle one frame of an open session.

        Raises:
            RemoteProtocolError: the connection must end.
        """
        frame, stream, flags = event
        try:
            if flags and isinstance(frame, f.Send):
                self._send(session, frame, stream, flags)
            else:
                self.handlers[type(frame)](session, frame, stream)
        except Refusal as refusal:
            if stream:
                session.link.write(encode(refusal.reply, stream))

    def admit(self, session: Session, action: str) -> Refusal | None:
        """Charge an action of a session; return the refusal when a budget is used up."""
        if self.draining:
            return Refusal(ErrorCode.SHUTTING_DOWN, retry_after_ms=1000)
        return self._admission.check(
            action, self._clock.current_time(), device=session.buckets, account=session.account
        )

    # -- the message path ----------------------------------------------------------------------

    def _admit_send(self, session: Session) -> Refusal | None:
        """Charge a message that was not paid for together with an earlier one, and later ones."""
        refusal = self.admit(session, "send")
        if refusal is None:
            session.sends_prepaid = self._admission.prepay(
                "send",
                self._clock.current_time(),
                device=session.buckets,
                account=session.account,
            )
        return refusal

    def _send(self, session: Session, frame: f.Send, stream: int, flags: int = 0) -> None:
        data = frame.envelope
        _, kind, conversation, _, _, _, op, ttl_s, _, _, _, _ = decode_envelope(data)
        counter = check_op(session, op)
        if kind != _MESSAGE:
            raise Refusal(ErrorCode.KIND_NOT_ALLOWED)
        if session.sends_prepaid and not self.draining:
            session.sends_prepaid -= 1
            unadmitted = None
        else:
            unadmitted = self._admit_send(session)
        append = make(
            Append,
            session.account,
            session.device,
            counter,
            op,
            conversation,
            data,
            ttl_s,
            flags & (SILENT | URGENT),
            unadmitted,
            session,
            stream,
            self._sent,
        )
        self._store.append(append)
        session.submitted_bytes += len(data)
        if session.submitted_bytes > self._limits.submitted_bytes_max:
            session.link.pause(paused=True)

    def _sent(self, append: Append, outcome: Entry | Accepted | Refusal) -> None:
        """Answer the sender and hand the entry to the bus; called in commit order."""
        _, _, _, _, _, data, _, _, _, session, stream, _ = append
        before = session.submitted_bytes
        session.submitted_bytes = before - len(data)
        if session.submitted_bytes <= self._limits.submitted_bytes_max < before:
            session.link.pause(paused=False)
        if isinstance(outcome, Entry):
            current = self._delivery.accept_own(session, outcome)
            session.link.write(encode(outcome.accepted, stream, CURRENT if current else 0))
            self._bus.publish(outcome)
        else:
            session.link.write(encode(answer_of(outcome), stream))

    def _ack(self, session: Session, frame: f.Ack, stream: int) -> None:
        del stream
        sent, acknowledge, device = session.sent, self._store.acknowledge, session.device
        for conversation, seq in frame.cursors:
            if seq <= max(sent.get(conversation, 0), session.sent_before.get(conversation, 0)):
                acknowledge(device, conversation, seq)
            else:
                self._ack_earlier(session, conversation, seq)
        if frame.ops_done_below:
            self._store.raise_floor(device, frame.ops_done_below)

    def _ack_earlier(self, session: Session, conversation: f.Conversation, seq: int) -> None:
        """Take an acknowledgement of what an earlier connection was sent.

        How far that was is not remembered, only how far the log goes. The client may have it while
        this session has only begun to send it again. Of a conversation that is not in memory it is
        ignored, which costs a redelivery; so is one of a conversation that is not the account's: a
        stranger must not learn from the end of its connection whether there is one.

        Raises:
            RemoteProtocolError: ACK_BEYOND_SENT, nobody can have been sent that.
        """
        state = self._store.cached(conversation)
        if state is None or session.account not in state.members:
            return
        if seq > state.head:
            raise RemoteProtocolError(ErrorCode.ACK_BEYOND_SENT)
        self._store.acknowledge(session.device, conversation, seq)

    def _credit(self, session: Session, frame: f.Credit, stream: int) -> None:
        del stream
        session.credit_bytes += frame.bytes_more
        session.credit_entries += frame.entries_more
        if max(session.credit_bytes, session.credit_entries) > CREDIT_MAX:
            raise RemoteProtocolError(ErrorCode.CREDIT_OVERFLOW)
        if session.lagging:
            self._delivery.refill(session)


def answer_of(outcome: f.Frame | Refusal) -> f.Frame:
    """Return the frame that answers a request."""
    return outcome.reply if isinstance(outcome, Refusal) else outcome


def check_op(session: Session, op: OpId) -> int:
    """Return the counter of an operation that belongs to the session's device.

    Raises:
        Refusal: OP_FOREIGN.
    """
    device, counter = split_op(op)
    if device != session.device or not 0 < counter < 1 << 63:
        raise Refusal(ErrorCode.OP_FOREIGN)
    return counter

"""One connection without its socket: bytes in, bytes out, everything at once and never raising."""

from typing import Final, Protocol

from wxserve.protocol.codec import encode
from wxserve.protocol.connection import Connection, Received
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import RemoteProtocolError, error_frame
from wxserve.protocol.frames import Error, Frame
from wxserve.protocol.states import Role
from wxserve.protocol.transcript import Binding

from .dirty import Dirty
from .session import Session

PAUSE_BYTES: Final = 512 * 1024
"""Waiting output above which a peer that asks and never reads is not listened to."""


class LinkOwner(Protocol):
    """What a link tells, and whom; ``router.Router`` is the one there is."""

    def received(self, link: "Link", event: Received) -> None:
        """Take one frame of a handshake. Raises RemoteProtocolError to end the connection."""
        ...

    def dispatch(self, session: Session, event: Received) -> None:
        """Take one frame of a session. Raises RemoteProtocolError to end the connection."""
        ...

    def drained(self, link: "Link") -> None:
        """Everything that waited was taken to be written."""
        ...

    def ended(self, link: "Link") -> None:
        """The link sends and receives nothing any more."""
        ...


class Link:
    """One connection, from its first byte to its last.

    Attributes:
        address: the peer's, as text, for limits only.
        binding: what ties the handshake to the channel below.
        connection: the protocol state machine.
        session: after authentication.
        authenticated: it had a session, also when that is over.
        closing: when what waits is written, hang up.
        outgoing_bytes: how many bytes wait to be written; 0 if there is nothing for ``take``.
        paused: the transport must not read from the socket now.
        heard: something was received since this was last cleared.
        deadline_s: when the link ends unless something happens.
        busy: an asynchronous step of the handshake is under way.
    """

    __slots__ = (
        "_dirty", "_held", "_outgoing", "_owner", "address", "authenticated", "binding", "busy",
        "closing", "connection", "deadline_s", "heard", "outgoing_bytes", "over", "paused", "session",
    )  # fmt: skip

    def __init__(
        self, owner: LinkOwner, dirty: "Dirty[Link]", address: str, binding: Binding
    ) -> None:
        self._owner = owner
        self._dirty = dirty
        self._outgoing: list[bytes] = []
        self._held = False
        self.paused = False
        self.address = address
        self.binding = binding
        self.connection = Connection(Role.SERVER)
        self.session: Session | None = None
        self.authenticated = False
        self.closing = False
        self.over = False
        self.outgoing_bytes = 0
        self.heard = False
        self.deadline_s = 0.0
        self.busy = False

    # -- for the transport ---------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes as the network delivered them."""
        if self.closing or self.over:
            return
        self.heard = True
        connection, owner = self.connection, self._owner
        next_event, dispatch = connection.next_event, owner.dispatch
        try:
            connection.receive_data(data)
            event = next_event()
            while event is not None and not self.closing:
                session = self.session
                if session is not None:
                    dispatch(session, event)
                else:
                    owner.received(self, event)
                event = next_event()
        except RemoteProtocolError as error:
            self.fail(error.reply)

    def take(self) -> bytes:
        """Return everything that waits to be written, and forget it.

        Whoever reads while it is not listened to is not silent.
        """
        if not self.heard:
            self.heard = self.paused
        data = self._outgoing[0] if len(self._outgoing) == 1 else b"".join(self._outgoing)
        self._outgoing.clear()
        self.outgoing_bytes = 0
        self.paused = self._held
        self._owner.drained(self)
        return data

    def lost(self) -> None:
        """The socket is gone."""
        self._finish()

    # -- for the router ------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Add encoded frames to what waits; dropped when the link is over."""
        if self.over:
            return
        if not self._outgoing:
            self._dirty.add(self)
        self._outgoing.append(data)
        self.outgoing_bytes += len(data)
        if self.outgoing_bytes > PAUSE_BYTES:
            self.paused = True

    def send(self, frame: Frame, stream: int = 0, flags: int = 0) -> None:
        """Encode a frame that the connection's state allows, and write it."""
        if not self.over and not self.closing:
            self.write(self.connection.send(frame, stream, flags))

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading from the socket."""
        if paused is not self._held:
            self._held = paused
            self.paused = paused or self.outgoing_bytes > PAUSE_BYTES
            self._dirty.add(self)

    def fail(self, reply: Error) -> None:
        """Tell the peer why, then hang up."""
        if not self.closing:
            self.write(encode(reply))
            self.close()

    def refuse(self, code: ErrorCode) -> None:
        """End the connection with an error code."""
        self.fail(error_frame(code))

    def close(self) -> None:
        """Hang up after what waits is written."""
        if not self.closing:
            self.closing = True
            self._dirty.add(self)
            self._owner.ended(self)

    def _finish(self) -> None:
        if not self.over:
            self.over = True
            self._outgoing.clear()
            self.outgoing_bytes = 0
            if not self.closing:
                self.closing = True
                self._owner.ended(self)

"""Who may come in: accepting sockets, and turning away those above a limit."""

import logging
import socket
from typing import TYPE_CHECKING, Protocol

from wxserve.protocol.codec import encode
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal

from .limits import TransportLimits
from .listener import DescriptorsExhaustedError, Listener
from .poller import READ
from .stream import Phase, Stream, reset

if TYPE_CHECKING:
    from .streams import StreamSet

_log = logging.getLogger("wxserve.transport")


class Host(Protocol):
    """Who carries on with a socket that came in."""

    def open(self, stream: Stream) -> None:
        """Let it speak."""

    def hang_up(self, stream: Stream, last: bytes = b"") -> None:
        """Send it last bytes and close it politely."""


class Entrance:
    """The listeners of one process and the limits at the door."""

    def __init__(
        self, streams: "StreamSet", host: Host, limits: TransportLimits, *, tls: bool
    ) -> None:
        self._streams = streams
        self._host = host
        self._limits = limits
        self._tls = tls
        self._listeners: dict[int, Listener] = {}
        self._resume_at: float | None = None
        self.accepted = 0
        self.refused = 0
        self.descriptors_exhausted = 0

    def listen(self, listener: Listener) -> None:
        """Accept from a listener, which belongs to the entrance from now on."""
        descriptor = listener.socket.fileno()
        self._listeners[descriptor] = listener
        self._streams.strangers.add(descriptor, READ)

    def stop(self) -> None:
        """Close the listeners."""
        for descriptor, listener in self._listeners.items():
            if self._resume_at is None:
                self._streams.strangers.remove(descriptor)
            listener.close()
        self._listeners.clear()

    def accept(self, descriptor: int, now: float, *, crowded: bool) -> None:
        """Take in what waits at a listener, if ``descriptor`` is one and is not resting.

        Args:
            descriptor: reported as ready.
            now: monotonic seconds.
            crowded: those taken in before have more to say than they are heard; few come in then.
        """
        listener = self._listeners.get(descriptor)
        if listener is None or self._resume_at is not None:
            return
        limits = self._limits
        accepts_max = limits.accepts_crowded_max if crowded else limits.accepts_per_step_max
        try:
            for sock, address in listener.accept(accepts_max):
                self.accepted += 1
                self._admit(sock, address, now)
        except DescriptorsExhaustedError as error:
            self._rest(now, str(error))

    def _rest(self, now: float, reason: str) -> None:
        self.descriptors_exhausted += 1
        self._resume_at = now + self._limits.accept_pause_s
        for descriptor in self._listeners:
            self._streams.strangers.remove(descriptor)
        _log.error("accept.descriptors_exhausted", extra={"reason": reason})

    def sweep(self, now: float) -> None:
        """Accept again after a rest.

        Args:
            now: monotonic seconds.
        """
        if self._resume_at is not None and self._resume_at <= now:
            self._resume_at = None
            for descriptor in self._listeners:
                self._streams.strangers.add(descriptor, READ)

    def _admit(self, sock: socket.socket, address: str, now: float) -> None:
        if not self._streams.book.admit(address, now):
            self._refuse(sock)
        elif len(self._streams) >= self._limits.connections_max and not self._evict_handshake():
            self._refuse_full(sock)
        elif not self._tls:
            self._host.open(self._streams.add(sock, address, Phase.OPEN))
        elif self._streams.book.begin_handshake(address):
            self._await_handshake(sock, address, now)
        else:
            self._refuse(sock)

    def _await_handshake(self, sock: socket.socket, address: str, now: float) -> None:
        if self._streams.handshakes >= self._limits.handshakes_max:
            self._evict_handshake()
        stream = self._streams.add(sock, address, Phase.HANDSHAKE)
        self._streams.begin_handshake(stream, now)

    def _evict_handshake(self) -> bool:
        evicted = self._streams.evict_handshake()
        self.refused += evicted
        return evicted

    def _refuse(self, sock: socket.socket) -> None:
        self.refused += 1
        reset(sock)

    def _refuse_full(self, sock: socket.socket) -> None:
        """Say that there are too many; in TLS a handshake only for that would cost too much."""
        over = len(self._streams) - self._limits.connections_max
        if self._tls or over >= self._limits.refusals_max:
            self._refuse(sock)
            return
        self.refused += 1
        reply = Refusal(ErrorCode.TOO_MANY_CONNECTIONS).reply
        self._host.hang_up(self._streams.add(sock, "", Phase.CLOSING), encode(reply))

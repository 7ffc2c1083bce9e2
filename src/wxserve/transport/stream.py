"""One connection: a socket, perhaps TLS, and the link that the router gave it. It has no task."""

import socket
import struct
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Final

from .tls import has_greeting

if TYPE_CHECKING:
    from .ports import Link
    from .tls import TlsChannel

_RESET: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds


class Phase(Enum):
    """What a connection is doing."""

    HANDSHAKE = "tls handshake"
    OPEN = "open"
    CLOSING = "writing its last bytes"
    LINGERING = "waiting for the peer to close"


class Stream:
    """State of one connection; the pump moves it.

    An instance and its socket object take about 300 bytes, and nothing is buffered while idle.

    Attributes:
        socket: non-blocking.
        address: of the peer; forgotten (empty) once the handshake is over.
        phase: what it is doing.
        link: the router's end; None before the handshake is done and after hanging up.
        tls: the TLS channel; None for plain TCP, until the peer's first record, and when it ended.
        greeting: what there is of the peer's first record.
        unsent: what the socket did not take yet; nothing else is taken or encrypted before it.
        more: whether the link kept bytes back although the socket took everything.
        interest: the events that the poller watches.
        stranger: nobody is logged in on it, as far as it was looked at.
        known_s: monotonic seconds at which somebody was found to be.
    """

    __slots__ = (
        "address", "greeting", "interest", "known_s", "link", "more", "phase", "socket", "stranger",
        "tls", "unsent",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, address: str, phase: Phase) -> None:
        self.socket = sock
        self.address = address
        self.phase = phase
        self.link: Link | None = None
        self.tls: TlsChannel | None = None
        self.greeting = b""
        self.unsent: bytes | memoryview = b""
        self.more = False
        self.interest = 0
        self.stranger = True
        self.known_s = 0.0

    def greet(self, data: memoryview) -> bytes:
        """Gather the peer's first record, which may come byte by byte.

        Returns:
            Everything that came so far, once; empty until the record is whole.
        """
        greeting = self.greeting + data
        whole = has_greeting(greeting)
        self.greeting = b"" if whole else greeting
        return greeting if whole else b""

    def write(self, *, ready: bool) -> bool:
        """Hand the socket what it did not take before, then what the link has to say since.

        Args:
            ready: the socket was reported to take more; else nothing is tried while something waits.

        Returns:
            Whether everything was taken.

        Raises:
            OSError: the socket is broken.
            ssl.SSLError: the TLS channel is broken.
        """
        if self.unsent and not (ready and self._send(self.unsent)):
            return False
        link, tls = self.link, self.tls
        data = link.take() if link is not None and link.outgoing_bytes else b""
        if tls is not None:
            data = tls.encrypt(data) if data else tls.drain()
        return not data or self._send(data)

    def _send(self, data: bytes | memoryview) -> bool:
        """Hand bytes to the socket with one call, and keep what it does not take."""
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            self.unsent = b""
            return True
        self.unsent = memoryview(data)[sent:]
        return False

    def reset(self) -> None:
        """Close the socket at once and free what the kernel holds for it."""
        reset(self.socket)


def reset(sock: socket.socket) -> None:
    """Close a socket with a reset: no lingering state stays in the kernel."""
    with suppress(OSError):  # already reset by the peer
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()

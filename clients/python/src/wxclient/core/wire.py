"""The bytes of one connection: checked frames in, encoded frames out."""

from collections.abc import Iterator
from typing import NamedTuple

from wxclient._protocol.connection import Connection, Received
from wxclient._protocol.frames import Frame
from wxclient._protocol.states import Role, State
from wxclient._protocol.transcript import Transcript


class Ending(NamedTuple):
    """Why a connection is over.

    Attributes:
        reason: for people and logs; None if the server just drained.
        final: no other connection is to be tried.
        retry_after_s: what the server asked for.
        silent: it died without a byte.
    """

    reason: Exception | None
    final: bool = False
    retry_after_s: float = 0.0
    silent: bool = False


class Wire:
    """A client's protocol connection with a buffer of what waits to be written."""

    __slots__ = ("_connection", "_outgoing", "outgoing_bytes")

    def __init__(self) -> None:
        self._connection = Connection(Role.CLIENT)
        self._outgoing: list[bytes] = []
        self.outgoing_bytes = 0

    @property
    def transcript(self) -> Transcript:
        """Return what the signature covers."""
        return self._connection.transcript

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._connection.state is State.OPEN

    def frames(self, data: bytes) -> Iterator[tuple[Received, int]]:
        """Yield the frames that are complete now, each with its length on the wire in bytes.

        Raises:
            RemoteProtocolError: the server broke a rule; nothing more will be read.
        """
        self._connection.receive_data(data)
        while True:
            waiting = self._connection.pending_bytes
            event = self._connection.next_event()
            if event is None:
                return
            yield event, waiting - self._connection.pending_bytes

    def write(self, frame: Frame, stream: int = 0, flags: int = 0) -> None:
        """Append a frame to what waits to be written."""
        data = self._connection.send(frame, stream, flags)
        self._outgoing.append(data)
        self.outgoing_bytes += len(data)

    def take(self) -> bytes:
        """Return what waits to be written, and forget it."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self.outgoing_bytes = 0
        return data

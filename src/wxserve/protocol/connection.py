"""One connection, as either end sees it: bytes in, frames out, and the other way round."""

from itertools import product
from typing import Final, NamedTuple

from .codec import BY_NUMBER, HEADER, HEADER_BYTES, FrameType, decode_body, encode
from .errors import ErrorCode
from .exceptions import LocalProtocolError, RemoteProtocolError
from .frames import SKIPPABLE, SKIPPABLE_BYTES_MAX, TYPES, Challenge, Error, Frame, Hello
from .rows import Table
from .states import TRANSITIONS, Role, State, next_state, stream_rule
from .transcript import Transcript
from .versions import MINOR, peer_minor


class Received(NamedTuple):
    """One frame from the peer.

    Attributes:
        frame: the typed frame.
        stream: the request it belongs to, 0 for none.
        flags: the header's flags.
    """

    frame: Frame
    stream: int
    flags: int


class _Legal:
    """A frame that may come now: its type, the rule of its stream, whether it moves the state."""

    __slots__ = ("kind", "moves", "stream_wrong")

    def __init__(self, state: State, sender: Role, kind: FrameType) -> None:
        self.kind = kind
        needs_stream = stream_rule(sender, kind.frame)
        self.stream_wrong = None if needs_stream is None else not needs_stream
        after = TRANSITIONS[state, sender, kind.frame]
        self.moves = after is not state or kind.frame is Error


_LEGAL: Final[dict[tuple[State, Role], dict[int, _Legal]]] = {
    (state, sender): {
        number: _Legal(state, sender, kind)
        for number, kind in BY_NUMBER.items()
        if (state, sender, kind.frame) in TRANSITIONS
    }
    for state, sender in product(State, Role)
}
"""The table of states once more, by type number: one look-up for each received frame."""
_TABLES: Final = {
    place: Table(
        Received,
        {
            number: (one.kind.shape, one.kind.body_bytes_max, one.stream_wrong)
            for number, one in legal.items()
            if not one.moves
        },
    )
    for place, legal in _LEGAL.items()
}
"""What is taken at once: the frames that leave the state as it is."""
_CLOSED: Final = State.CLOSED


class Connection:
    """Holds no socket, clock or lock.

    ``receive_data`` feeds it, ``next_event`` drains it, ``send`` turns one frame into wire bytes.
    Wired back to back, a client and a server connection never raise. After a
    ``RemoteProtocolError`` it is closed: it takes and gives nothing any more.
    """

    __slots__ = (
        "_buffer",
        "_legal",
        "_needed",
        "_offset",
        "_role",
        "_sendable",
        "_state",
        "_take",
        "_tolerant",
        "transcript",
    )

    def __init__(self, role: Role) -> None:
        self._role = role
        self._buffer: bytes | bytearray = b""
        self._offset = 0
        self._needed = HEADER_BYTES
        self._tolerant = False
        self._enter(State.HELLO)
        self.transcript = Transcript()

    @property
    def state(self) -> State:
        """Return what the connection waits for."""
        return self._state

    @property
    def pending_bytes(self) -> int:
        """How many received bytes wait for the rest of their frame, or for ``next_event``."""
        return len(self._buffer) - self._offset

    def receive_data(self, data: bytes) -> None:
        """Take bytes as the network delivered them, whole frames or not.

        At most one frame limit plus ``data`` is kept, if every event is drained in between. The
        work is linear in the bytes, in whatever pieces they come.
        """
        if self._state is _CLOSED:
            return
        if self._offset == len(self._buffer):
            self._buffer = data
        else:
            if type(self._buffer) is not bytearray:
                self._buffer = bytearray(self._buffer)
            # Deleting at the front and appending both only move the ends of a bytearray.
            del self._buffer[: self._offset]
            self._buffer += data
        self._offset = 0

    def next_event(self) -> Received | None:
        """Return the next frame, or None when more bytes are needed.

        Raises:
            RemoteProtocolError: the peer broke a rule; nothing more will be read.
        """
        buffer = self._buffer
        if not buffer:
            return None
        taken = self._take(buffer, self._offset)
        if taken is not None:
            received: Received | None
            received, self._offset = taken
            self._needed = HEADER_BYTES
            if self._offset == len(buffer):
                self._buffer, self._offset = b"", 0
            return received
        try:
            while len(self._buffer) - self._offset >= self._needed:
                received = self._next_frame()
                if received is not None:
                    return received
        except RemoteProtocolError:
            self._close()
            raise
        if self._offset == len(self._buffer):
            self._buffer, self._offset = b"", 0  # an idle connection keeps no memory
        return None

    def _next_frame(self) -> Received | None:
        """Take one frame, or skip it, or note how many bytes it needs."""
        buffer, offset = self._buffer, self._offset
        packed, number, stream = HEADER.unpack_from(buffer, offset)
        legal = self._legal.get(number)
        if legal is None:
            self._check_skippable(number, packed >> 8)
        elif (stream != 0) is legal.stream_wrong:
            raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, legal.kind.frame.__name__)
        elif packed >> 8 > legal.kind.body_bytes_max:
            raise RemoteProtocolError(ErrorCode.FRAME_TOO_LARGE, legal.kind.frame.__name__)
        start = offset + HEADER_BYTES
        end = start + (packed >> 8)
        if end > len(buffer):
            self._needed = end - offset
            return None
        self._offset = end
        self._needed = HEADER_BYTES
        if legal is None:
            return None
        body = buffer[start:end]
        frame = decode_body(legal.kind, body, tolerant=self._tolerant)
        if legal.moves:
            self._advance(self._role.peer, frame, body, stream)
        return Received(frame, stream, packed & 0xFF)

    def _check_skippable(self, number: int, length: int) -> None:
        """Pass a type that is ignored when unknown.

        Raises:
            RemoteProtocolError: any other frame that may not come now.
        """
        known = BY_NUMBER.get(number)
        if known is not None:
            raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, known.frame.__name__)
        if number not in SKIPPABLE or self._state is not State.OPEN:
            raise RemoteProtocolError(ErrorCode.UNKNOWN_FRAME, f"type {number:#06x}")
        if length > SKIPPABLE_BYTES_MAX:
            raise RemoteProtocolError(ErrorCode.FRAME_TOO_LARGE, f"type {number:#06x}")

    def send(self, frame: Frame, stream: int = 0, flags: int = 0) -> bytes:
        """Return the wire bytes of a frame that our side may send now.

        Raises:
            LocalProtocolError: the state or the size limit forbids it.
        """
        number, _ = TYPES[type(frame)]
        legal = self._sendable.get(number)
        if legal is None or (stream != 0) is legal.stream_wrong:
            name = f"{type(frame).__name__} on stream {stream} in state {self._state.name}"
            raise LocalProtocolError(ErrorCode.UNEXPECTED_FRAME, name)
        data = encode(frame, stream, flags)
        if legal.moves:
            self._advance(self._role, frame, data[HEADER_BYTES:], stream)
        return data

    def _advance(self, sender: Role, frame: Frame, body: bytes | bytearray, stream: int) -> None:
        """Go to the next state, and keep what the signature covers.

        Raises:
            RemoteProtocolError: VERSION_UNSUPPORTED.
        """
        if isinstance(frame, Hello):
            self.transcript.hello(body)
            if sender is not self._role:
                self._agree(frame.versions)
        elif isinstance(frame, Challenge):
            self.transcript.challenge(body)
            if sender is not self._role:
                self._agree(((frame.major, frame.minor),))
        after = next_state(self._state, sender, type(frame), stream)
        assert after is not None, "the caller has looked it up"
        self._enter(after)
        if after is State.CLOSED:
            self._close()

    def _agree(self, offered: tuple[tuple[int, int], ...]) -> None:
        """Decide from the peer's versions how its frames are read.

        Raises:
            RemoteProtocolError: VERSION_UNSUPPORTED, there is no common major version.
        """
        minor = peer_minor(offered)
        if minor is None:
            raise RemoteProtocolError(ErrorCode.VERSION_UNSUPPORTED)
        self._tolerant = minor > MINOR

    def _enter(self, state: State) -> None:
        self._state = state
        self._legal = _LEGAL[state, self._role.peer]
        self._sendable = _LEGAL[state, self._role]
        self._take = _TABLES[state, self._role.peer].take

    def _close(self) -> None:
        self._enter(State.CLOSED)
        self._buffer = b""
        self._offset = 0
        self._needed = HEADER_BYTES

"""A network in memory that delays, splits, joins, holds and loses, as a seed determines.

It keeps what TCP keeps: bytes arrive in order and once, or the connection ends. Everything else
happens: a piece of one byte, silence in one direction, an end that only one side hears of.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

from wxserve.protocol.exceptions import Refusal
from wxserve.router.link import Link

from .agenda import Agenda
from .memory import MemoryServer


class Pieces(Enum):
    """In what pieces bytes arrive."""

    WHOLE = "whole"
    ANY = "any"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Weather:
    """How bytes travel on one connection.

    Attributes:
        delay_s: the longest time on the way.
        pieces: in what pieces they arrive.
        window_bytes: on their way at most; a writer waits for room.
    """

    delay_s: float = 0.02
    pieces: Pieces = Pieces.WHOLE
    window_bytes: int = 65_536


class Pipe:
    """One direction of a connection.

    Attributes:
        deliver: takes what arrives.
        ready: whether the reader reads now.
        on_arrived: something was delivered, in one piece or many.
        on_room: a writer may go on.
        on_end: the writer has hung up and everything before that has arrived.
        held: nothing moves until ``release``.
        dead: nothing will ever arrive any more, the end included.
    """

    def __init__(self, agenda: Agenda, random: Random, weather: Weather) -> None:
        self._agenda = agenda
        self._random = random
        self._weather = weather
        self._waiting = bytearray()
        self._due = False
        self._finished = False
        self.deliver: Callable[[bytes], None] = lambda _: None
        self.ready: Callable[[], bool] = lambda: True
        self.on_arrived: Callable[[], None] = lambda: None
        self.on_room: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None
        self.held = False
        self.dead = False

    @property
    def has_room(self) -> bool:
        """Whether a writer may write."""
        return len(self._waiting) < self._weather.window_bytes and not self._finished

    def write(self, data: bytes) -> None:
        """Send bytes; they are lost when the pipe is dead, which nobody tells."""
        if not self.dead and not self._finished:
            self._waiting += data
            self.resume()

    def finish(self) -> None:
        """Hang up: the end arrives after what is on its way."""
        self._finished = True
        self.resume()

    def lose(self, share: float) -> None:
        """Lose the last part of what is on its way: all but ``share`` of it, then the end."""
        del self._waiting[int(len(self._waiting) * share) :]
        self.finish()

    def kill(self) -> None:
        """Lose everything, for ever, in silence."""
        self.dead = True
        self._waiting.clear()

    def release(self) -> None:
        """Let the bytes go on that were held."""
        self.held = False
        self.resume()

    def resume(self) -> None:
        """Go on, if there is anything and the reader reads."""
        if self._due or self.dead or not (self._waiting or self._finished):
            return
        self._due = True
        self._agenda.after(self._random.random() * self._weather.delay_s, self._arrive)

    def _arrive(self) -> None:
        self._due = False
        if self.dead or self.held:
            return
        if not self._waiting:
            if self._finished:
                self.dead = True
                self.on_end()
            return
        if not self.ready():
            return
        if self._weather.pieces is Pieces.BYTES:
            self._deliver_bytes()
        else:
            self._deliver(self._size())
        self.on_arrived()
        self.on_room()
        self.resume()

    def _deliver_bytes(self) -> None:
        for _ in range(self._size()):
            if self.dead or self.held or not self._waiting or not self.ready():
                return
            self._deliver(1)

    def _deliver(self, size: int) -> None:
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        self.deliver(piece)

    def _size(self) -> int:
        size = len(self._waiting)
        if self._weather.pieces is Pieces.WHOLE:
            return size
        return self._random.randint(1, size)


class Wire:
    """A connection between a client and a server's link.

    Attributes:
        number: names it in traces.
        up: from the client to the server.
        down: from the server to the client.
        link: the server's end; None once the server has let go of it.
        on_said: told what each side writes, before it is on its way: (up or down, bytes).
    """

    def __init__(self, number: int, up: Pipe, down: Pipe, link: Link) -> None:
        self.number = number
        self.up = up
        self.down = down
        self.link: Link | None = link
        self.on_said: Callable[[Pipe, bytes], None] = lambda *_: None
        up.deliver = link.receive
        up.ready = lambda: not link.paused
        up.on_end = self.lose_link
        down.on_room = self.flush

    # -- the server's end ----------------------------------------------------------------------

    def flush(self) -> None:
        """Carry on what the link wrote, and hang up where it wishes to."""
        link = self.link
        if link is None:
            return
        if link.outgoing_bytes and self.down.has_room:
            data = link.take()
            self.on_said(self.down, data)
            self.down.write(data)
        if link.closing and not link.outgoing_bytes:
            self.lose_link()
            self.down.finish()
        else:
            self.up.resume()

    def lose_link(self) -> None:
        """End the server's part: the link hears that its socket is gone."""
        link, self.link = self.link, None
        if link is not None:
            self.up.kill()
            link.lost()

    def abandon_link(self) -> None:
        """The server is gone, and its link with it, without a word."""
        self.link = None
        self.up.kill()

    # -- the client's end ----------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes from the client."""
        self.on_said(self.up, data)
        self.up.write(data)

    def hang_up(self) -> None:
        """The client hangs up; what it wrote before still arrives."""
        self.down.kill()
        self.up.finish()

    def vanish(self) -> None:
        """The client is gone, and the server will hear nothing of it."""
        self.down.kill()
        self.up.kill()

    @property
    def over(self) -> bool:
        """Whether nothing can arrive any more, in either direction."""
        return self.up.dead and self.down.dead


class Carrier:
    """Stands where the transport stands: carries bytes between one life's links and their wires."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server
        self._wires: dict[Link, Wire] = {}

    @property
    def wires(self) -> list[Wire]:
        """Return the connections that the server knows of."""
        return [wire for wire in self._wires.values() if wire.link is not None]

    def connect(self, number: int, up: Pipe, down: Pipe) -> Wire | None:
        """Open a connection; None when the server takes no more.

        Args:
            number: names it.
            up: a new pipe, from the client.
            down: a new pipe, to the client.
        """
        try:
            link = self._server.connect()
        except Refusal:
            return None
        wire = self._wires[link] = Wire(number, up, down, link)
        return wire

    async def run(self) -> None:
        """Carry what the links write, for ever.

        Cancellation: what was not carried yet stays behind.
        """
        dirty = self._server.router.dirty
        while True:
            await dirty.wait()
            for link in dirty.take():
                wire = self._wires.get(link)
                if wire is not None:
                    wire.flush()
                    if wire.link is None:
                        del self._wires[link]

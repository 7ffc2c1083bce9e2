"""The set of open sockets, and which of them have a deadline."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .addresses import AddressBook
from .limits import TransportLimits
from .poller import READ, WRITE, Poller
from .stream import Phase, Stream

if TYPE_CHECKING:
    import socket

    from .ports import Link
    from .tls import TlsChannel


class StreamSet:
    """Keeps every index of the open sockets in step.

    A socket is in here from the moment it is accepted until its descriptor is closed; its link
    leaves earlier, when the connection hangs up.

    Attributes:
        poller: watches the sockets, and ``strangers``.
        strangers: watches the listeners and the sockets on which nobody is logged in, not yet or
            because the peer hung up; they are served last.
        book: what each address uses of its allowance.
        when_empty: called when the last socket is closed.
        by_descriptor: returns the stream of a descriptor, if it is one.
        by_link: returns the stream of a link, unless it hung up.
    """

    def __init__(self, limits: TransportLimits) -> None:
        self.poller = Poller()
        self.strangers = Poller()
        self.poller.add(self.strangers.fileno(), READ)
        self.book = AddressBook(limits)
        self.when_empty: Callable[[], None] | None = None
        self._handshake_s = limits.tls_handshake_deadline_s
        self._begun_max = limits.handshakes_begun_max
        self._turn_s = limits.handshake_turn_s
        self._begun: dict[Stream, float] = {}  # when the TLS channel was made, oldest first
        self._by_descriptor: dict[int, Stream] = {}
        self._by_link: dict[Link, Stream] = {}
        self._handshakes: dict[Stream, float] = {}  # when accepted, oldest first
        self._deadlines: dict[Stream, float] = {}  # of handshakes and of closing only
        self.by_descriptor: Callable[[int], Stream | None] = self._by_descriptor.get
        self.by_link: Callable[[Link], Stream | None] = self._by_link.get

    def __len__(self) -> int:
        return len(self._by_descriptor)

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._by_descriptor.values()))

    @property
    def handshakes(self) -> int:
        """How many TLS handshakes are unfinished."""
        return len(self._handshakes)

    def add(self, sock: "socket.socket", address: str, phase: Phase) -> Stream:
        """Take in an accepted socket.

        Args:
            sock: non-blocking.
            address: of the peer.
            phase: with which it begins.

        Returns:
            The new stream, watched for reading.
        """
        stream = Stream(sock, address, phase)
        stream.interest = READ
        self._by_descriptor[sock.fileno()] = stream
        self.strangers.add(sock.fileno(), READ)
        return stream

    def move(self, stream: Stream, *, stranger: bool) -> None:
        """Serve an open stream with the strangers from now on, or with the others."""
        descriptor = stream.socket.fileno()
        self._poller_of(stream).remove(descriptor)
        stream.stranger = stranger
        self._poller_of(stream).add(descriptor, stream.interest)

    def watch_strangers(self, *, wanted: bool) -> None:
        """Let ``poller`` report that a stranger is ready, or not."""
        self.poller.change(self.strangers.fileno(), READ if wanted else 0)

    def _poller_of(self, stream: Stream) -> Poller:
        return self.strangers if stream.stranger else self.poller

    def begin_handshake(self, stream: Stream, now: float) -> None:
        """Count a handshake, already admitted by the book, and limit its time."""
        self._handshakes[stream] = now
        self._deadlines[stream] = now + self._handshake_s

    def end_handshake(self, stream: Stream) -> float:
        """Count a handshake as finished, and forget the peer's address.

        Returns:
            When the socket was accepted.
        """
        accepted_s = self._handshakes.pop(stream)
        self._begun.pop(stream, None)
        del self._deadlines[stream]
        self.book.end_handshake(stream.address)
        stream.address = ""
        return accepted_s

    def begin_channel(self, stream: Stream, tls: "TlsChannel", now: float) -> None:
        """Give a handshake its TLS channel."""
        stream.tls = tls
        self._begun[stream] = now

    def excess(self, now: float) -> Stream | None:
        """Return the oldest handshake with a TLS channel if there are too many and it is slow."""
        if len(self._begun) < self._begun_max:
            return None
        oldest, begun_s = next(iter(self._begun.items()))
        return oldest if begun_s + self._turn_s <= now else None

    def attach(self, stream: Stream, link: "Link") -> None:
        """Give a stream its link."""
        stream.link = link
        self._by_link[link] = stream

    def limit(self, stream: Stream, deadline: float) -> None:
        """Reset the stream at ``deadline``, unless it has an earlier one."""
        self._deadlines.setdefault(stream, deadline)

    def watch(self, stream: Stream) -> None:
        """Tell the poller what the stream waits for, if that changed."""
        link = stream.link
        wanted = 0 if link is not None and link.paused else READ
        if stream.unsent or stream.more:
            wanted |= WRITE
        if wanted == stream.interest:
            return
        stream.interest = wanted
        descriptor = stream.socket.fileno()
        if descriptor >= 0:
            self._poller_of(stream).change(descriptor, wanted)

    def detach(self, stream: Stream) -> None:
        """Take a stream out of everything but the set of open sockets; its link learns it.

        A stranger keeps its deadline: what it was granted for closing is not granted twice.
        """
        if stream in self._handshakes:
            self.end_handshake(stream)
        link, stream.link = stream.link, None
        if link is not None:
            if link.authenticated:
                self._deadlines.pop(stream, None)
            del self._by_link[link]
            link.lost()

    def close(self, stream: Stream, *, reset: bool = False) -> None:
        """Close the socket, if it is still open.

        Args:
            stream: of this set.
            reset: leave nothing in the kernel, not even bytes that are on their way.
        """
        descriptor = stream.socket.fileno()
        if descriptor < 0:
            return
        self.detach(stream)
        self._deadlines.pop(stream, None)
        del self._by_descriptor[descriptor]
        self._poller_of(stream).remove(descriptor)
        if reset:
            stream.reset()
        else:
            stream.socket.close()
        if not self._by_descriptor and self.when_empty is not None:
            self.when_empty()

    def close_all(self) -> None:
        """Close every socket at once, and stop watching."""
        for stream in self:
            self.close(stream)
        self.strangers.close()
        self.poller.close()

    def evict_handshake(self) -> bool:
        """Reset the oldest unfinished handshake.

        Returns:
            Whether there was one.
        """
        oldest = next(iter(self._handshakes), None)
        if oldest is not None:
            self.close(oldest, reset=True)
        return oldest is not None

    def sweep(self, now: float) -> int:
        """Reset every stream whose deadline has passed.

        Args:
            now: monotonic seconds.

        Returns:
            How many there were.
        """
        late = [stream for stream, deadline in self._deadlines.items() if deadline <= now]
        for stream in late:
            self.close(stream, reset=True)
        self.book.sweep(now)
        return len(late)

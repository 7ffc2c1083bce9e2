"""What the transport needs of the room below it; the router fits these as it stands."""

from collections.abc import Sequence
from typing import Protocol

from wxserve.protocol.transcript import Binding


class Link(Protocol):
    """One connection without its socket. Nothing here waits or raises."""

    @property
    def outgoing_bytes(self) -> int:
        """How much ``take`` has to give."""
        ...

    @property
    def closing(self) -> bool:
        """Whether to hang up once everything taken is written."""

    @property
    def authenticated(self) -> bool:
        """Whether the peer has proved who it is; a stranger is granted less time to go."""

    @property
    def paused(self) -> bool:
        """Whether to leave the socket unread; the link becomes dirty when this ends."""

    def receive(self, data: bytes) -> None:
        """Take bytes of the peer, cut anywhere."""

    def take(self) -> bytes:
        """Give everything that waits to be written."""

    def lost(self) -> None:
        """Learn that the socket is gone."""


class Dirty(Protocol):
    """The links that want something of their socket."""

    def take(self) -> Sequence[Link]:
        """Return and forget them."""

    async def wait(self) -> None:
        """Return when there are any."""


class Router(Protocol):
    """The room below: it gives a link to each connection."""

    @property
    def dirty(self) -> Dirty:
        """The links that want something of their socket."""

    def open_link(self, address: str, binding: Binding, accepted_s: float) -> Link:
        """Return a link for a new connection.

        Args:
            address: of the peer, without its port.
            binding: what ties the login to the TLS channel.
            accepted_s: monotonic seconds at which the socket came, from which its time to log in
                counts.

        Raises:
            Refusal: there are too many already; its reply tells the peer.
        """

"""Where a server is, and an open connection to it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from anyio.abc import ByteStream

from ._protocol.transcript import Binding


class Address(NamedTuple):
    """Where the server is, and whom to trust there.

    Attributes:
        host: name or address.
        port: 1 … 65535.
        tls: False only on loopback.
        pins: SHA-256 of each acceptable SubjectPublicKeyInfo.
    """

    host: str
    port: int
    tls: bool
    pins: tuple[bytes, ...]


class Dialled(NamedTuple):
    """An open connection, and what ties the handshake to it."""

    stream: ByteStream
    binding: Binding


Dial = Callable[[Address], Awaitable[Dialled]]
"""Opens a connection; raises ``OSError`` and the like for what may be different next time."""

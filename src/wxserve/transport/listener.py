"""Listening sockets: binding them, and accepting without ever spinning."""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Final

from .stream import reset

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""The process or the kernel has nothing left to accept with."""
_PORT_TRIES: Final = 8


class DescriptorsExhaustedError(Exception):
    """There is no descriptor left to accept with; what waited was turned away."""


def bind_tcp(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Bind and listen on every address that ``host`` means.

    Args:
        host: a name, an address, or empty for all addresses. ``::`` alone also takes IPv4.
        port: 0 chooses a free one, the same for all addresses.
        backlog: see ``TransportLimits.backlog_max``.

    Returns:
        Non-blocking sockets, at least one.

    Raises:
        OSError: the name means nothing, or an address cannot be bound.
    """
    family, kind = socket.AF_UNSPEC, socket.SOCK_STREAM
    found = socket.getaddrinfo(host or None, port, family, kind, 0, socket.AI_PASSIVE)
    addresses = sorted({(entry[0], str(entry[4][0])) for entry in found})
    for _ in range(_PORT_TRIES if port == 0 else 0):
        try:
            return _bind_all(addresses, port, backlog)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise  # else: the port chosen for one address is taken on another
    return _bind_all(addresses, port, backlog)


def _bind_all(
    addresses: Sequence[tuple[socket.AddressFamily, str]], port: int, backlog: int
) -> list[socket.socket]:
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            try:
                sock = _bind_one(family, address, port, backlog, alone=len(addresses) == 1)
            except OSError as error:
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise
                missing = error  # a machine without IPv6 still has a name for ::1
                continue
            bound.append(sock)
            port = sock.getsockname()[1]
    except OSError:
        for sock in bound:
            sock.close()
        raise
    if not bound:
        raise missing or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return bound


def _bind_one(
    family: socket.AddressFamily, address: str, port: int, backlog: int, *, alone: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it: frames are small and must not wait for Nagle's algorithm.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not alone))
        sock.bind((address, port))
        sock.listen(backlog)
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """One listening socket, with a spare descriptor for the day there is none left."""

    __slots__ = ("_spare", "socket")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._spare: int | None = _open_spare()

    def accept(self, accepts_max: int) -> Iterator[tuple[socket.socket, str]]:
        """Yield at most ``accepts_max`` waiting connections as (socket, address of the peer).

        Raises:
            DescriptorsExhaustedError: rest before the next call; level-triggered polling would
                report the listener for ever.
        """
        for _ in range(accepts_max):
            try:
                sock, peer = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._shed(accepts_max)
                    raise DescriptorsExhaustedError(os.strerror(error.errno or 0)) from error
                continue  # the peer left before we came: ECONNABORTED and the like
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            yield sock, peer[0]

    def _shed(self, sockets_max: int) -> None:
        """Reset what waits, so that peers learn it now instead of hanging in the backlog."""
        if self._spare is None:
            return
        os.close(self._spare)
        self._spare = None
        try:
            for _ in range(sockets_max):
                reset(self.socket.accept()[0])
        except OSError:
            pass  # nothing waits any more, or somebody took the descriptor
        self._spare = _open_spare()

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None


def _open_spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None

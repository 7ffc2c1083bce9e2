"""A server that is to be hurt: ours or a peer, killed and started again on what it has kept."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.cast import Cast, WireCast
from bench.journal import measured_revision
from bench.peers import ours
from bench.peers.cast import PeerCast
from bench.peers.launching import Place, Running, free_port
from bench.peers.registry import BY_NAME, server_of
from bench.server import OURS, Server


class Subject:
    """A server that runs in a place, whichever it is.

    Attributes:
        name: of the server.
        version: of it, in words.
        server: as scenarios take it.
        cast: where devices come from.
    """

    def __init__(self, name: str, place: Place) -> None:
        """Start it.

        Raises:
            PeerError: it does not start.
            ServerError: ours gives no invites.
        """
        self.name = name
        self.version = measured_revision() if name == OURS else BY_NAME[name].told_version
        self._place = place
        self._running = self._start()
        self.server: Server = (
            ours.server_of(self._running)
            if name == OURS
            else server_of(BY_NAME[name], self._running)
        )
        self.cast: Cast = WireCast(self.server) if name == OURS else PeerCast()

    def _start(self) -> Running:
        start = ours.start if self.name == OURS else BY_NAME[self.name].start
        return start(self._place)

    def archived(self, readers: Sequence[int]) -> int | None:
        """Return how many messages its archive has for accounts; None if it has no archive.

        Raises:
            PeerError: the archive does not answer.
        """
        count = None if self.name == OURS else BY_NAME[self.name].archived
        return None if count is None else count(self._place, readers)

    def kill(self) -> None:
        """End all its processes as ``kill -9`` does."""
        self._running.kill()

    def start_again(self) -> None:
        """Start it on what it has kept.

        Raises:
            PeerError: it does not start.
        """
        self._running = self._start()
        first, *also = self._running.pids
        self.server = self.server._replace(pid=first, also=tuple(also))


@contextlib.contextmanager
def subject(name: str, directory: Path, core: int | None, accounts: int) -> Iterator[Subject]:
    """Run a server; it is gone when this ends.

    Args:
        name: ours, or a peer's.
        directory: for its place; made here, must not exist.
        core: the processor to run on, None for any.
        accounts: that it must know, or invites that it must give.

    Raises:
        PeerError: it does not start.
        ServerError: ours gives no invites.
    """
    directory.mkdir()
    found = Subject(name, Place(directory, free_port(), core, accounts))
    try:
        yield found
    finally:
        found.kill()

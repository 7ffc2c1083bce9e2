"""The peers that are known, each with what its receipt means."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.peers import archives, ejabberd, floor, mosquitto, nats, prosody
from bench.peers.launching import HOST, Place, Running, free_port, stopped_at_end
from bench.peers.packages import debian_version, install
from bench.rows import revision
from bench.server import Server

MEMORY: Final = "in memory only"
CACHED: Final = "with the operating system, not synced: a power cut loses it"


class Peer(NamedTuple):
    """A server in one configuration.

    Attributes:
        name: in tables and on the command line.
        dialect: the generator's name of its protocol.
        start: starts it in a place, afresh or on what is there.
        receipt: what the sender's receipt means; a count of its sync calls stands beside it.
        packages: of Debian that it needs, the one whose version is told first.
        version: where it does not come from Debian.
        archived: counts the messages that its archive has for some accounts; None: it has none.
    """

    name: str
    dialect: str
    start: Callable[[Place], Running]
    receipt: str
    packages: tuple[str, ...] = ()
    version: str = ""
    archived: Callable[[Place, Sequence[int]], int] | None = None

    def install(self) -> None:
        """Install what it needs and is missing.

        Raises:
            PeerError: that is not possible here.
        """
        install(self.packages)

    @property
    def told_version(self) -> str:
        """Its version in words; empty if it is not installed."""
        if self.version:
            return self.version
        if not self.packages:
            return revision()
        version = debian_version(self.packages[0])
        return f"Debian's {version}" if version else ""


_NATS_CURRENT: Final = f"{nats.CURRENT[1]} (current)"

PEERS: Final = (
    Peer("relay", "floor", floor.start, "passed on, stored nowhere"),
    Peer("relay-synced", "floor", floor.start_synced, "synced before it (fdatasync per batch)"),
    Peer("mosquitto", "mqtt", mosquitto.start, MEMORY, mosquitto.PACKAGES),
    Peer("mosquitto-mqtt5", "mqtt5", mosquitto.start, MEMORY, mosquitto.PACKAGES),
    Peer(
        "mosquitto-autosave",
        "mqtt",
        partial(mosquitto.start, every_change=True),
        "in memory; all is written out after each change",
        mosquitto.PACKAGES,
    ),
    Peer("nats", "nats", nats.start, CACHED, nats.PACKAGES),
    Peer("nats-current", "nats", nats.start_current, CACHED, version=_NATS_CURRENT),
    Peer(
        "nats-synced",
        "nats",
        nats.start_synced,
        "synced before it (sync_interval: always)",
        version=_NATS_CURRENT,
    ),
    Peer(
        "prosody",
        "xmpp",
        prosody.start,
        f"archive in files; {CACHED}",
        prosody.PACKAGES,
        archived=archives.in_files,
    ),
    Peer(
        "prosody-no-archive",
        "xmpp",
        prosody.start_without_archive,
        "passed on; stored only for who is away, not synced",
        prosody.PACKAGES,
    ),
    Peer(
        "ejabberd",
        "xmpp",
        ejabberd.start,
        "passed on; stored only for who is away, not synced",
        ejabberd.PACKAGES,
    ),
    Peer(
        "ejabberd-archive",
        "xmpp",
        ejabberd.start_with_archive,
        "synced before it (PostgreSQL, synchronous_commit=on), two rows for a message",
        ejabberd.PACKAGES_WITH_ARCHIVE,
        archived=archives.in_postgres,
    ),
)
BY_NAME: Final = {peer.name: peer for peer in PEERS}
EXTRAS: Final = ("mosquitto-mqtt5", "mosquitto-autosave", "nats-current", "nats-synced")
"""Variants that are measured when they are asked for."""


@contextlib.contextmanager
def running_peer(peer: Peer, directory: Path, core: int | None, accounts: int) -> Iterator[Running]:
    """Run a peer in a fresh place.

    Args:
        peer: which.
        directory: for its place; made here, must not exist.
        core: the processor to run on, None for any.
        accounts: that it must know.

    Raises:
        PeerError: it does not start.
    """
    directory.mkdir()
    place = Place(directory, free_port(), core, accounts)
    with stopped_at_end(peer.start(place)) as running:
        yield running


def server_of(peer: Peer, running: Running) -> Server:
    """Return a peer that runs, as scenarios take servers."""
    first, *also = running.pids
    return Server(
        host=HOST,
        port=running.place.port,
        pid=first,
        data=None,
        invites=(),
        tls=False,
        dialect=peer.dialect,
        version=peer.told_version,
        durability=peer.receipt,
        also=tuple(also),
    )

"""Our own server as one among the peers: started on a port that stays, killed, started again."""

from typing import Final

from bench.peers.launching import HOST, Place, Running, answers
from bench.server import DURABLE, Server, invite, program

DATA: Final = "data"


def start(place: Place) -> Running:
    """Start it.

    Raises:
        PeerError: it does not start.
    """
    command = [*program(), "serve", "--data", str(place.directory / DATA)]
    command += ["--listen", f"{HOST}:{place.port}", "--insecure-plaintext"]
    running = Running(place)
    running.launch([*command, "--log-level", "warning"])
    running.wait_ready(lambda: answers(place.port))
    return running


def server_of(running: Running) -> Server:
    """Return it as scenarios take servers, with invites for the accounts of its place.

    Raises:
        ServerError: it makes no invites.
    """
    place = running.place
    invites = invite(place.directory / DATA, max(1, place.accounts))
    pid = running.pids[0]
    return Server(
        HOST, place.port, pid, place.directory / DATA, invites, tls=False, durability=DURABLE
    )

"""A PostgreSQL of a peer's own: made, started and filled with a schema, its defaults kept."""

import os
import socket
import tempfile
from pathlib import Path
from typing import Final

from bench.peers.launching import HOST, PeerError, Place, Running, run

PACKAGES: Final = ("postgresql",)
USER: Final = "bench"
INSTALLED: Final = Path("/usr/lib/postgresql")


def binaries() -> Path:
    """Return the directory with the programs of the newest PostgreSQL here.

    Raises:
        PeerError: there is none.
    """
    found = sorted(INSTALLED.glob("*/bin"), key=lambda path: float(path.parent.name))
    if not found:
        raise PeerError("PostgreSQL is not installed")
    return found[-1]


def port_of(place: Place) -> int:
    """Return the port of the database that belongs to a peer in a place."""
    return place.port + 1 if place.port < 65535 else place.port - 1


def as_nobody_special(command: list[str]) -> list[str]:
    """Return a command that root may run too: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return command
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return [*become, "--pdeathsig", "KILL", *command]


def start(running: Running, schema: Path) -> None:
    """Start a database beside a peer that is about to start.

    Args:
        running: the peer.
        schema: SQL to fill a new database with.

    Raises:
        PeerError: it does not start.
    """
    place = running.place
    port = port_of(place)
    directory = place.directory / "postgres"
    fresh = not directory.exists()
    if fresh:
        _make(directory)
    (directory / "postmaster.pid").unlink(missing_ok=True)  # of one that was killed
    command = [str(binaries() / "postgres"), "-D", str(directory), "-p", str(port)]
    command += ["-k", str(directory), "-h", HOST]
    running.launch(as_nobody_special(command))
    running.wait_ready(lambda: _accepts(port))
    if fresh:
        _psql(port, "postgres", "-c", f"CREATE DATABASE {USER}")
        _psql(port, USER, "-f", str(schema))


def _let_through(directory: Path) -> None:
    """Let others pass through the temporary directories that lead to one; they may not look."""
    top = Path(tempfile.gettempdir())
    for parent in directory.parents:
        if parent != top and parent.is_relative_to(top):
            parent.chmod(parent.stat().st_mode | 0o011)


def _make(directory: Path) -> None:
    directory.mkdir()
    if os.geteuid() == 0:
        _let_through(directory)
        run(["chown", "postgres:", str(directory)])
    make = [str(binaries() / "initdb"), "-D", str(directory), "-U", USER, "-A", "trust"]
    run(as_nobody_special([*make, "-E", "UTF8", "--locale=C"]))


def _psql(port: int, database: str, *arguments: str) -> None:
    command = [str(binaries() / "psql"), "-h", HOST, "-p", str(port), "-U", USER, "-q"]
    run([*command, "-v", "ON_ERROR_STOP=1", "-d", database, *arguments])


def _accepts(port: int) -> bool:
    """Return whether it answers to the first message of its protocol, an SSLRequest."""
    try:
        with socket.create_connection((HOST, port), 1.0) as connection:
            connection.sendall(bytes.fromhex("0000000804d2162f"))
            if connection.recv(1) not in (b"N", b"S"):
                return False
        command = [str(binaries() / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
        run(command)
    except (OSError, PeerError):
        return False
    return True

"""The floor: a relay in C that does the least a server can do, with and without a log."""

import os
import shutil
from hashlib import sha256
from pathlib import Path

from bench.engine import CACHE, FLAGS
from bench.peers.launching import PeerError, Place, Running, answers, run

SOURCE = Path(__file__).with_name("relay.c")


def build() -> Path:
    """Return the compiled relay.

    Raises:
        PeerError: it cannot be compiled.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise PeerError("the relay needs a C compiler")
    binary = CACHE / f"relay-{sha256(SOURCE.read_bytes()).hexdigest()[:16]}"
    if not binary.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = binary.with_suffix(f".{os.getpid()}")
        run([compiler, *FLAGS, str(SOURCE), "-o", str(fresh)])
        fresh.rename(binary)
    return binary


def start(place: Place) -> Running:
    """Start it; what it passes on is stored nowhere. Raises PeerError: it does not start."""
    return _start(place)


def start_synced(place: Place) -> Running:
    """Start it with a log that is synced once for each batch. Raises PeerError: it does not."""
    return _start(place, str(place.directory / "messages"))


def _start(place: Place, *log: str) -> Running:
    running = Running(place)
    running.launch([str(build()), str(place.port), *log])
    running.wait_ready(lambda: answers(place.port))
    return running

"""What a reader would find who asks the archive too: messages that were archived for it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.peers import postgres
from bench.peers.launching import HOST, Place, run

BODY: Final = re.compile(r"\b[0-9a-f]{48}(?=[a-z]*\b)")
"""What every message of a run begins with: the run, the device, the flow and its number."""


def in_postgres(place: Place, readers: Sequence[int]) -> int:
    """Return how many messages ejabberd's archive has for readers.

    Raises:
        PeerError: the database does not answer.
    """
    names = ", ".join(f"'u{number}'" for number in readers)
    query = f"SELECT count(DISTINCT (username, txt)) FROM archive WHERE username IN ({names})"  # noqa: S608 - numbers
    psql = [str(postgres.binaries() / "psql"), "-h", HOST, "-p", str(postgres.port_of(place))]
    return int(run([*psql, "-U", postgres.USER, "-d", postgres.USER, "-At", "-c", query]))


def in_files(place: Place, readers: Sequence[int]) -> int:
    """Return how many messages Prosody's archive has for readers."""
    return sum(
        len(set(BODY.findall(path.read_text(errors="replace"))))
        for number in readers
        for path in _archives(place.directory / "data/localhost", number)
    )


def _archives(host: Path, number: int) -> list[Path]:
    return sorted(host.glob(f"archive*/u{number}.list"))

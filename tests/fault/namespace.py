"""A network of its own, in which the real kernel drops packets as told."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

ALIVE_S: Final = 7200
"""A namespace ends by itself if whoever made it was killed."""
TOOLS: Final = ("unshare", "nsenter", "ip", "nft")


class Namespace:
    """A network namespace with a loopback interface alone.

    Attributes:
        prefix: words before a command that is to run in it.
    """

    def __init__(self, holder: subprocess.Popen[bytes]) -> None:
        self._holder = holder
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        self.prefix = ("nsenter", f"--target={holder.pid}", *user, "--net", "--")

    def call(self, *command: str, text: str = "") -> None:
        """Run a command in it.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        subprocess.run(
            [*self.prefix, *command], check=True, capture_output=True, input=text.encode()
        )

    def drop(self, *matches: str) -> None:
        """Drop the packets that match one of nft's expressions, and no others."""
        rules = "\n".join(f"{match} drop" for match in matches)
        self.call(
            "nft", "-f", "-",
            text="flush ruleset\ntable inet faults {\nchain input {\n"
            f"type filter hook input priority 0;\n{rules}\n}}\n}}\n",
        )  # fmt: skip

    def established(self, port: int) -> int:
        """Return how many connections the listener of a port believes in."""
        table = Path(f"/proc/{self._holder.pid}/net/tcp").read_text().splitlines()[1:]
        rows = (line.split() for line in table)
        return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace; the test is skipped where that is not possible."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"NOT PROVED HERE: packet loss on a real network; not found: {missing}")
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    holder = subprocess.Popen(
        ["unshare", *user, "--net", "--", "sh", "-c", f"echo up; exec sleep {ALIVE_S}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert holder.stdout is not None
        made = holder.stdout.readline() == b"up\n"
        inside = Namespace(holder)
        try:
            inside.call("ip", "link", "set", "lo", "up")
            inside.drop("tcp dport 1 numgen random mod 100 < 1")
        except subprocess.CalledProcessError as error:
            pytest.skip(
                f"NOT PROVED HERE: packet loss on a real network ({made=}, {error.stderr!r})"
            )
        yield inside
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()

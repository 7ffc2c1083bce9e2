"""A real server process for tests: started, asked for invites, stopped or killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from wxserve.protocol.invites import InviteUri, parse_invite


class ServerProcess:
    """`wxserve serve` on a data directory that outlives it.

    Attributes:
        host: where it listens.
        port: where it listens.
        prefix: words before each command, to run it elsewhere than here.
    """

    def __init__(
        self,
        directory: Path,
        *,
        tls: bool = True,
        port: int = 0,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.directory = directory
        self.prefix = prefix
        self.tls = tls
        self.host = "127.0.0.1"
        self.port = port
        self.process: subprocess.Popen[str]

    def start(self) -> "ServerProcess":
        """Start it and wait for its line on standard output."""
        arguments = ["serve", "--data", str(self.directory), "--listen", f"{self.host}:{self.port}"]
        if not self.tls:
            arguments.append("--insecure-plaintext")
        with self._log_path.open("a") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "wxserve", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready tcp="), (line, self.log())
        self.port = int(line.split()[1].rpartition(":")[2])
        return self

    def invites(self, count: int) -> list[InviteUri]:
        """Return new invites, made by the command line while the server runs."""
        output = subprocess.run(
            [
                *self.prefix, sys.executable, "-m", "wxserve", "invite", "--data", str(self.directory),
                "--count", str(count), "--json",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout  # fmt: skip
        return [parse_invite(uri) for uri in json.loads(output)["invites"]]

    def rss_kib(self) -> int:
        """Return its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def kill(self) -> None:
        """SIGKILL it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM it; return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    @property
    def _log_path(self) -> Path:
        return self.directory.with_suffix(".log")

    def log(self) -> str:
        """Return what it logged in all its lives."""
        return self._log_path.read_text()

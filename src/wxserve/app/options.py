"""Options of the process itself; those of the rooms are the rooms' own limit classes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the server listens and how it ends."""

    listen: str = ":7700"
    """HOST:PORT. An empty host means all addresses, port 0 any free one. IPv6 in brackets."""
    advertise: str = ""
    """HOST:PORT that invites name, when clients reach the server by another one than it listens on:
    a public name, a forwarded port. Empty: what it listens on."""
    insecure_plaintext: bool = False
    """Serve without TLS; refused unless the host is this machine's loopback."""
    drain_deadline_s: float = 8.0
    """After SIGTERM, how long clients may take to finish before the rest is disconnected. Service
    managers commonly kill after 10 s or later."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What is written to standard error."""

    format: Literal["auto", "json", "human"] = "auto"
    """One JSON object or one line of text per event; auto: text on a terminal, else JSON."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Events below it are not written. No level writes contents, keys, codes or names."""

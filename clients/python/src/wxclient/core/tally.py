"""What the core counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counters since the client was opened.

    Attributes:
        connects: connections that reached WELCOME.
        reconnects: such connections after the first.
        entries_received: new entries.
        duplicates: entries, skips and the like that came again; raw, before they are ignored.
        skips: SKIP frames.
        too_far: TOO_FAR frames.
        acked: cursors acknowledged.
        accepted: operations accepted.
        refused: operations refused for good.
        retries: operations refused for now.
        resends: operations sent more than once.
        violations: connections given up because a rule of the wire was broken, by either side.
        bytes_in: received.
        bytes_out: handed to the socket.
    """

    connects: int = 0
    reconnects: int = 0
    entries_received: int = 0
    duplicates: int = 0
    skips: int = 0
    too_far: int = 0
    acked: int = 0
    accepted: int = 0
    refused: int = 0
    retries: int = 0
    resends: int = 0
    violations: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

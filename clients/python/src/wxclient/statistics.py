"""What a client has done so far, as one frozen value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counters since the client was opened.

    Attributes:
        connects: connections that reached WELCOME.
        reconnects: such connections after the first.
        entries_received: new entries.
        duplicates: what came again on the wire, before it was ignored.
        skips: SKIP frames.
        too_far: TOO_FAR frames.
        acked: cursors acknowledged.
        accepted: operations accepted.
        refused: operations refused for good.
        retries: operations refused for now.
        resends: operations sent more than once.
        violations: connections given up because a rule of the wire was broken, by either side;
            deadlines that passed are none.
        bytes_in: bytes received.
        bytes_out: bytes sent.
        outbox_size: operations without a durable outcome.
        commits: transactions of received and sent things.
        heartbeat_s: the present interval.
    """

    connects: int
    reconnects: int
    entries_received: int
    duplicates: int
    skips: int
    too_far: int
    acked: int
    accepted: int
    refused: int
    retries: int
    resends: int
    violations: int
    bytes_in: int
    bytes_out: int
    outbox_size: int
    commits: int
    heartbeat_s: float

"""Limits of the transport: every queue, buffer and deadline of sockets, with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """What one process grants to sockets before anybody has logged in, and to each of them after.

    An address is one IPv4 address or one IPv6 /64; a network is an IPv4 /24 or an IPv6 /56.
    """

    connections_max: int = 50_000
    """Open sockets; at start lowered to what the descriptor limit of the process allows."""
    backlog_max: int = 4096
    """Connections that the kernel completes before we accept them; it caps this at somaxconn."""
    recv_bytes: int = 16 * 1024
    """Read from one connection in one step, so that a flooding one cannot starve the others."""
    events_per_step_max: int = 256
    """Ready sockets served before other tasks run; about 5 ms of work."""
    gather_from: int = 16
    """When a step has served so many, those after them are let gather, which costs all of them less:
    the next step begins ``gather_s`` after the begin of this one (docs/decisions/0015)."""
    gather_s: float = 0.001
    """See ``gather_from``. The event loop rounds it up to whole milliseconds from the step's end; of a
    step that took longer than this nothing is waited after."""
    accepts_per_step_max: int = 16
    """New sockets taken in one step, so that a storm of them does not stop the traffic."""
    accepts_crowded_max: int = 2
    """The same while more is ready in handshakes than one step serves: what has begun is finished
    first, and the kernel keeps the others waiting."""
    strangers_per_step_max: int = 32
    """Connections served in one step on which nobody is logged in: handshakes, of TLS too, which cost
    up to 1 ms each, and what a peer that hung up leaves behind. Everybody else is served first, and
    each who was leaves room for one less, but for one at least. New sockets are one of them."""
    strangers_turn_s: float = 0.0001
    """While others speak no further stranger is served in a step after so much time for them."""
    strangers_rest: float = 4.5
    """And after a turn none for so many times as long as it took. More of it means a longer way back
    for a crowd (docs/decisions/0013)."""
    others_speak_s: float = 0.1
    """For how long after a word of somebody who is logged in the others count as speaking."""
    newcomer_s: float = 1.0
    """For how long after its log-in a device counts as one of the crowd and not of the others."""
    handshakes_max: int = 4096
    """Unfinished TLS handshakes; above it the oldest one is dropped, so that a flood of silent
    sockets loses its own places and not those of new clients."""
    handshakes_per_address_max: int = 512
    """Unfinished TLS handshakes of one address; enough for a hotel behind one address."""
    handshakes_per_network_max: int = 1024
    """Unfinished TLS handshakes of one network."""
    handshakes_begun_max: int = 1024
    """Unfinished TLS handshakes whose peer has said its first record: from there on one costs 46 KiB.
    Above it each new one drops the oldest, if that is older than ``handshake_turn_s``."""
    handshake_turn_s: float = 3.0
    """How long a peer may take for its last word in a TLS handshake when there are too many of them:
    a storm of honest clients that are slower than the server must not lose its own."""
    tls_handshake_deadline_s: float = 10.0
    """From accepting a socket to the end of its TLS handshake."""
    accepts_per_s: float = 1000.0
    """New sockets per second and address; as many as one core can shake hands with."""
    accepts_burst: int = 10_000
    """New sockets that one address may open at once after a quiet time: a whole campus behind one
    address comes back after a restart. What is slow at it is bounded by the handshake limits."""
    addresses_max: int = 65_536
    """Addresses whose rate is remembered; the rest share one allowance."""
    accept_pause_s: float = 1.0
    """How long accepting rests after the process ran out of descriptors."""
    close_deadline_s: float = 5.0
    """For a device that does not read, from the wish to close its connection to a reset; who has
    not logged in is granted ``linger_s`` instead, once."""
    linger_s: float = 2.0
    """How long a closed connection is read on, so that the last frame reaches a peer that was
    sending: closing with unread bytes would reset it."""
    refusals_max: int = 64
    """Sockets above the limit of connections that are told so; the rest are reset."""

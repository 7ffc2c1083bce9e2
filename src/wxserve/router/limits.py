"""Every bound of the router and of admission, with its default and its reason."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RouterLimits:
    """Bounds of sessions and delivery."""

    handshake_deadline_s: float = 10.0
    """From accepting the socket to WELCOME, the TLS handshake included; a slow stranger holds a
    place no longer."""
    heartbeat_min_s: int = 15
    """Clients ping no more often than this."""
    heartbeat_max_s: int = 60
    """Clients ping at least this often; silence of 2.5 times this ends the connection."""
    outgoing_bytes_max: int = 256 * 1024
    """Waiting output of one connection above which pushes are read from the log later."""
    outgoing_bytes_low: int = 64 * 1024
    """Waiting output below which the log is read on for a lagging session."""
    submitted_bytes_max: int = 1024 * 1024
    """Envelope bytes of one connection that wait for their commit; above it reading stops."""
    requests_pending_max: int = 128
    """Reads and administrative requests of one session under way; more are refused."""
    credit_bytes: int = 1024 * 1024
    """Push window a session starts with, in bytes; at least one largest entry fits."""
    credit_entries: int = 1024
    """Push window a session starts with, in entries."""
    read_entries: int = 128
    """Entries read from the log at once for a lagging session: fairness between conversations."""
    read_bytes: int = 64 * 1024
    """Bytes read from the log at once for a lagging session."""
    read_conversations: int = 32
    """Lagging conversations that share one read: many with a little each cost few round trips."""
    history_bytes: int = 128 * 1024
    """Bytes in one answer to HISTORY."""
    fanout_step_sessions: int = 512
    """Accounts served in one step of a large fan-out, so that others are served in between."""
    fanouts_waiting_max: int = 4096
    """Large fan-outs under way; above it the sessions concerned read from the log."""
    synced_interval_s: float = 1.0
    """How often SYNCED is told while traffic flows."""
    registers_pending_max: int = 256
    """Changed registers gathered for one session; what is above it is read from the table later."""
    announced_max: int = 64
    """Conversations in which one session may announce its presence."""
    connections_max: int = 50_000
    """Connections of this process."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: ``per_s`` tokens a second, at most ``burst`` of them."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True)
class Budget:
    """The rates of one action, for each thing that may be counted; None is not counted."""

    device: Rate | None = None
    account: Rate | None = None
    address: Rate | None = None


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Budgets by action. The defaults stop runaway programs; a public server wants lower ones."""

    send: Budget = field(
        default_factory=lambda: Budget(Rate(20_000, 40_000), Rate(40_000, 80_000), None)
    )
    """Messages."""
    administer: Budget = field(
        default_factory=lambda: Budget(Rate(200, 2_000), Rate(400, 4_000), None)
    )
    """Creating conversations, inviting, roles, redacting."""
    register: Budget = field(default_factory=lambda: Budget(Rate(200, 2_000), None, None))
    """Writing registers."""
    ephemeral: Budget = field(default_factory=lambda: Budget(Rate(100, 400), None, None))
    """Typing, presence, ringing; what is above it is dropped."""
    read: Budget = field(default_factory=lambda: Budget(Rate(500, 5_000), None, None))
    """Synchronising, history, lists."""
    login: Budget = field(default_factory=lambda: Budget(None, None, Rate(10_000, 40_000)))
    """Log-ins that succeed; a restart brings everybody back from one address."""
    login_failed: Budget = field(default_factory=lambda: Budget(None, None, Rate(1, 60)))
    """Log-ins that fail."""
    enrol: Budget = field(default_factory=lambda: Budget(None, None, Rate(1_000, 10_000)))
    """Enrolments by invite."""
    buckets_max: int = 100_000
    """Buckets kept for accounts and addresses; the longest unused go first."""

"""Every bound of the SDK, with its default and its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CoreLimits:
    """Bounds and times of the protocol core.

    Attributes:
        outbox_ops_max: operations that wait for acceptance; more is ``OutboxFull``.
        outbox_bytes_max: their bytes; 16 of the largest entries even if one never gets through.
        outcomes_max: outcomes of operations that are kept for ``wait_accepted`` after a restart.
        requests_max: requests that wait for an answer, so that a stream is always free.
        answer_bytes_max: what one answer of many frames may hold before the server is hung up on.
        outgoing_bytes_max: bytes ready to be written above which no further operation is encoded.
        batch_bytes_max: received bytes that wait to be made durable before reading pauses.
        sync_page: conversations in one page of SYNC.
        ack_delay_s: longest time a durable entry stays unacknowledged.
        ack_entries_max: entries after which an ACK is sent at once.
        handshake_deadline_s: from the connection to WELCOME.
        reconnect_min_s: first wait before a reconnect.
        reconnect_max_s: longest wait before a reconnect, unless the server asks for more.
        retry_min_s: first wait after a temporary refusal.
        retry_max_s: longest wait after a temporary refusal, unless the server asks for more.
    """

    outbox_ops_max: int = 10_000
    outbox_bytes_max: int = 64 * 1024 * 1024
    outcomes_max: int = 10_000
    requests_max: int = 256
    answer_bytes_max: int = 32 * 1024 * 1024
    outgoing_bytes_max: int = 256 * 1024
    batch_bytes_max: int = 4 * 1024 * 1024
    sync_page: int = 256
    ack_delay_s: float = 0.1
    ack_entries_max: int = 64
    handshake_deadline_s: float = 15.0
    reconnect_min_s: float = 0.5
    reconnect_max_s: float = 60.0
    retry_min_s: float = 0.2
    retry_max_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ShellLimits:
    """Bounds and times of the part that owns sockets, threads and tasks.

    Attributes:
        read_bytes: bytes taken from the socket at once.
        dial_deadline_s: TCP connect and TLS handshake together.
        close_deadline_s: for the last acknowledgement when the client is closed.
        ephemerals_max: ephemerals kept for a slow reader; the oldest are dropped.
        state_changes_max: state changes kept for a slow reader; the oldest are dropped.
        updates_max: updates kept for a slow reader; the oldest are dropped.
        handover_page: entries read from the file at once for ``entries()``.
        handed_max: conversations of which an entry was handed over and not handled; none is handed
            over beyond that.
        handover_retry_min_s: first wait before an entry comes again after its handler failed.
        handover_retry_max_s: longest such wait.
        rows_max: rows that one statement of an application's transaction may return.
        history_max: entries that one call of ``history`` returns.
        trim_every: handled entries after which the retention is applied.
    """

    read_bytes: int = 64 * 1024
    dial_deadline_s: float = 15.0
    close_deadline_s: float = 2.0
    ephemerals_max: int = 256
    state_changes_max: int = 64
    updates_max: int = 1_024
    handover_page: int = 64
    handed_max: int = 1_024
    handover_retry_min_s: float = 1.0
    handover_retry_max_s: float = 60.0
    rows_max: int = 10_000
    history_max: int = 1_000
    trim_every: int = 256


@dataclass(frozen=True, slots=True)
class Retention:
    """What the state file keeps of entries that were handled.

    Attributes:
        handled_entries_max: newest entries kept, or None to keep all.
    """

    handled_entries_max: int | None = None

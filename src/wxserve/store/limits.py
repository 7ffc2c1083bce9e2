"""Every bound of the store, with its default and its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """Bounds of the store room."""

    batch_units_max: int = 1024
    """Units of work in one commit: bounds the pause that a reader or a shutdown waits for."""
    queue_units_max: int = 32_768
    """Units that may wait for a commit; above it new ones are refused as OVERLOADED."""
    merge_entries: int = 16_000
    """Log rows gathered before their index rows are merged; measured flat at this size."""
    merge_slice_rows: int = 256
    """Index rows written per commit while merging, so that a merge never stalls acceptances."""
    conversations_cached_max: int = 65_536
    """Conversations whose members and heads are kept in memory (about 1 KiB each)."""
    conversations_recent_max: int = 65_536
    """Conversations whose last change is remembered, twice as many at most (about 100 B each): for
    a device that was away no longer, resuming costs what changed, not what there is."""
    devices_cached_max: int = 65_536
    """Devices whose open operations are kept in memory."""
    devices_waiting_max: int = 65_536
    """Devices with operations that were refused for now; of the longest waiting one the order is
    no longer kept above it."""
    accounts_changed_max: int = 1_000_000
    """Accounts whose last change is remembered, so that an idle resume costs nothing."""
    read_rows_max: int = 256
    """Rows of one read transaction, so that no reader holds the write-ahead log back."""
    reads_queued_max: int = 4096
    """Reads that may wait for one of the two read connections."""
    cursor_flush_s: float = 2.0
    """How often cursors are written; losing them costs a redelivery, never a message."""
    maintenance_s: float = 60.0
    """How often expired and acknowledged entries are looked for."""
    keep_acknowledged_s: float = 7 * 86_400.0
    """How long an entry is kept at least, acknowledged or not, for history."""
    keep_s_max: float = 90 * 86_400.0
    """How long an entry is kept at most, even for a device that never acknowledges."""
    dormant_s: float = 30 * 86_400.0
    """A device unseen for so long stops pinning the log."""
    ballast_bytes: int = 16 * 1024 * 1024
    """Space kept back, so that a full disk can still be read, drained and recovered."""
    devices_per_account_max: int = 64
    """Devices of one account, the revoked ones not counted."""
    conversations_per_account_max: int = 10_000
    """Conversations one account may be in; bounds the work of a first synchronisation."""
    intervals_max: int = 256
    """Times one account may join the same conversation anew."""
    registers_per_conversation_max: int = 64
    """Registers of one account in one conversation."""

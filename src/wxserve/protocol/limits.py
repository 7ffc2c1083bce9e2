"""Sizes and counts that every peer keeps to; they belong to the wire format."""

from typing import Final

CONTROL_BYTES_MAX: Final = 64 * 1024
"""Largest body of a control frame."""
ENTRY_BYTES_MAX: Final = 256 * 1024
"""Largest body of a frame that carries an entry (SEND, DELIVER)."""
HANDSHAKE_BYTES_MAX: Final = 4 * 1024
"""Largest body before authentication."""
DELIVER_OVERHEAD_BYTES: Final = 1024
"""What DELIVER adds around an envelope, so that what fits into SEND fits into DELIVER."""
ENVELOPE_BYTES_MAX: Final = ENTRY_BYTES_MAX - DELIVER_OVERHEAD_BYTES
"""Largest envelope: entry limit less the fields that DELIVER adds."""
ACK_CURSORS_MAX: Final = 1024
"""Cursors in one ACK; 19 to 27 bytes each, so a full one stays below half the control limit."""
PAGE_CONVERSATIONS_MAX: Final = 256
"""Conversations in one page; with the most intervals a page still fits a control frame."""
PAGE_INTERVALS_MAX: Final = 8
"""Newest visibility intervals of a conversation that a page lists."""
GROUP_ACCOUNTS_MAX: Final = 1000
"""Members and invited accounts of a group."""
PAGE_MEMBERS_MAX: Final = 256
"""Members in one page."""
INVITE_ACCOUNTS_MAX: Final = 100
"""Accounts in one INVITE: one transaction writes a notice to each."""
ACCOUNT_DEVICES_MAX: Final = 256
"""Devices of an account, the revoked ones included, so that one answer lists them all."""
SKIPPABLE_BYTES_MAX: Final = 4 * 1024
"""Largest body of a frame that the receiver does not know and skips."""
REGISTER_KEY_BYTES_MAX: Final = 64
"""Key of a register."""
REGISTER_VALUE_BYTES_MAX: Final = 4096
"""Value of a register: a draft fits, a document does not."""
EPHEMERAL_BYTES_MAX: Final = 4096
"""Body of an ephemeral frame."""
CREATE_BODY_BYTES_MAX: Final = 4096
"""Body of CREATE."""

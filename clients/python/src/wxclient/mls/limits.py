"""Upper bounds of what the engine keeps or does for one message, each with its reason."""

PAST_EPOCHS_MAX = 3
"""Epochs whose messages still open: a sender may be this far behind the commits."""

SKIPPED_KEYS_MAX = 1_000
"""Keys kept per sender and ratchet for messages that are late: 44 bytes each."""

FORWARD_GENERATIONS_MAX = 1_000
"""How far one message may move a ratchet: about 10 µs a generation, before anything is verified."""

SKIP_GENERATIONS_MAX = 1_000_000
"""How far ``skip`` may move one: nothing is kept, about 3 µs a generation."""

PROPOSALS_MAX = 256
"""Proposals kept until the commit of their epoch: anyone in the group can send some."""

RESUMPTION_PSKS_MAX = 8
"""Epochs whose resumption secret is kept (section 8.6); they are history of the group's own."""

LEAVES_MAX = 1 << 16
"""Leaves of a tree: what a stranger's Welcome can make us allocate."""

PADDING_BYTES = 32
"""Application messages are padded to a multiple of this; see ``pad``."""

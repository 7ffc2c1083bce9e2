"""Every bound of the terminal client, with its reason."""

from typing import Final

TEXT_BYTES_MAX: Final = 64 * 1024
"""Longest message that is sent, as UTF-8; well below the largest entry."""
NAME_BYTES_MAX: Final = 64
"""Longest name of an account or a device, as UTF-8; the protocol's."""
TITLE_CHARS_MAX: Final = 64
"""Longest title of a group, and longest name that is shown of one."""
SHOWN_CHARS_MAX: Final = 4_000
"""Characters of one message in the timeline; the rest is shown on request."""
SHOWN_LINES_MAX: Final = 60
"""Lines of one message in the timeline, before wrapping; the rest is shown on request."""
PAGE_ENTRIES: Final = 60
"""Entries that are loaded when a conversation is opened, and at each step back."""
WINDOW_ENTRIES_MAX: Final = 1_000
"""Entries in the timeline at once; the SDK returns no more."""
NOTES_MAX: Final = 20
"""Answers to commands kept in a timeline; the oldest go first."""
MEMBERS_ASKED_MAX: Final = 256
"""Conversations whose members wait to be asked for."""
MEMBERS_NAMED_MAX: Final = 3
"""Members that name a group without a title."""
MEMBERS_LISTED_MAX: Final = 200
"""Members that ``/members`` lists."""
TYPING_SHOWN_S: Final = 6.0
"""How long somebody is shown as typing without being heard of."""
TYPING_SENT_EVERY_S: Final = 3.0
"""How often others are told at most; less than half of the above."""
TYPISTS_MAX: Final = 32
"""People shown or remembered as typing."""
REFRESH_PAUSE_S: Final = 0.05
"""Shortest time between two looks at what changed: a catch-up redraws 20 times a second."""
JOIN_DEADLINE_S: Final = 20.0
"""How long joining waits for the server before it gives up; longer than the SDK dials."""
RECONNECT_MAX_S: Final = 15.0
"""Longest wait before a reconnect, unless the server asks for more; somebody looks on."""
SEND_DEADLINE_S: Final = 30.0
"""How long ``wx send`` waits for the acceptance unless it is told otherwise."""
COMPOSER_LINES_MAX: Final = 6
"""Lines of the input that are shown; more scroll."""

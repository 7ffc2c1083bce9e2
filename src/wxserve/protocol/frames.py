"""Every core frame of the protocol, as an immutable typed value.

The order of the fields is their order on the wire. ``TYPES`` gives each class its number and the
largest body it may have. Everything else about a frame (checks, documentation, vectors) is derived
from the annotations of its class. Source: docs/protocol.md, "Frames".
"""

from typing import Final

from .admin_frames import (
    Accept,
    Close,
    Conversations,
    Create,
    Devices,
    DeviceState,
    Invite,
    Leave,
    LinkCode,
    LinkDevice,
    ListConversations,
    ListDevices,
    Member,
    MemberList,
    Members,
    Redact,
    Remove,
    RenameDevice,
    RevokeDevice,
    SetRole,
)
from .entry_frames import (
    Accepted,
    Ack,
    Changes,
    ConversationState,
    Credit,
    Deliver,
    Ephemeral,
    History,
    Register,
    Send,
    SetRegister,
    Skip,
    States,
    Sync,
    Synced,
    TooFar,
)
from .limits import (
    ACCOUNT_DEVICES_MAX,
    ACK_CURSORS_MAX,
    CONTROL_BYTES_MAX,
    CREATE_BODY_BYTES_MAX,
    DELIVER_OVERHEAD_BYTES,
    ENTRY_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    EPHEMERAL_BYTES_MAX,
    GROUP_ACCOUNTS_MAX,
    HANDSHAKE_BYTES_MAX,
    INVITE_ACCOUNTS_MAX,
    PAGE_CONVERSATIONS_MAX,
    PAGE_INTERVALS_MAX,
    PAGE_MEMBERS_MAX,
    REGISTER_KEY_BYTES_MAX,
    REGISTER_VALUE_BYTES_MAX,
    SKIPPABLE_BYTES_MAX,
)
from .named_fields import (
    Account,
    Accounts,
    Conversation,
    Device,
    Name,
    Op,
    OptionalSender,
)
from .session_frames import (
    Auth,
    Challenge,
    Done,
    Error,
    GoAway,
    Hello,
    Ping,
    Pong,
    Replaced,
    Welcome,
)

__all__ = [
    "ACCOUNT_DEVICES_MAX",
    "ACK_CURSORS_MAX",
    "CONTROL_BYTES_MAX",
    "CREATE_BODY_BYTES_MAX",
    "CURRENT",
    "DELIVER_OVERHEAD_BYTES",
    "ENTRY_BYTES_MAX",
    "ENVELOPE_BYTES_MAX",
    "EPHEMERAL_BYTES_MAX",
    "GROUP_ACCOUNTS_MAX",
    "HANDSHAKE_BYTES_MAX",
    "INVITE_ACCOUNTS_MAX",
    "PAGE_CONVERSATIONS_MAX",
    "PAGE_INTERVALS_MAX",
    "PAGE_MEMBERS_MAX",
    "REGISTER_KEY_BYTES_MAX",
    "REGISTER_VALUE_BYTES_MAX",
    "SILENT",
    "SKIPPABLE",
    "SKIPPABLE_BYTES_MAX",
    "TYPES",
    "URGENT",
    "Accept",
    "Accepted",
    "Account",
    "Accounts",
    "Ack",
    "Auth",
    "Challenge",
    "Changes",
    "Close",
    "Conversation",
    "ConversationState",
    "Conversations",
    "Create",
    "Credit",
    "Deliver",
    "Device",
    "DeviceState",
    "Devices",
    "Done",
    "Ephemeral",
    "Error",
    "Frame",
    "GoAway",
    "Hello",
    "History",
    "Invite",
    "Leave",
    "LinkCode",
    "LinkDevice",
    "ListConversations",
    "ListDevices",
    "Member",
    "MemberList",
    "Members",
    "Name",
    "Op",
    "OptionalSender",
    "Ping",
    "Pong",
    "Redact",
    "Register",
    "Remove",
    "RenameDevice",
    "Replaced",
    "RevokeDevice",
    "Send",
    "SetRegister",
    "SetRole",
    "Skip",
    "States",
    "Sync",
    "Synced",
    "TooFar",
    "Welcome",
]

CURRENT: Final = 0x01
"""Header flag of ACCEPTED: this answer stands for the DELIVER of the same entry."""
SILENT: Final = 0x02
"""Header flag of SEND, repeated on DELIVER: no notification to sleeping devices."""
URGENT: Final = 0x04
"""Header flag of SEND, repeated on DELIVER: a call, wake sleeping devices at once."""

Frame = (
    Hello
    | Challenge
    | Auth
    | Welcome
    | Ping
    | Pong
    | Error
    | GoAway
    | Replaced
    | Done
    | Send
    | Accepted
    | Deliver
    | Skip
    | Ack
    | Credit
    | Sync
    | Changes
    | TooFar
    | Synced
    | History
    | SetRegister
    | Register
    | Ephemeral
    | Create
    | Invite
    | Accept
    | Leave
    | Remove
    | SetRole
    | Close
    | Redact
    | ListConversations
    | Conversations
    | Members
    | MemberList
    | ListDevices
    | Devices
    | RenameDevice
    | RevokeDevice
    | LinkDevice
    | LinkCode
)
"""Any core frame."""

TYPES: Final[dict[type[Frame], tuple[int, int]]] = {
    Hello: (0x0001, HANDSHAKE_BYTES_MAX),
    Challenge: (0x0002, HANDSHAKE_BYTES_MAX),
    Auth: (0x0003, HANDSHAKE_BYTES_MAX),
    Welcome: (0x0004, CONTROL_BYTES_MAX),
    Ping: (0x0010, 0),
    Pong: (0x0011, 0),
    Error: (0x0012, HANDSHAKE_BYTES_MAX),
    GoAway: (0x0013, HANDSHAKE_BYTES_MAX),
    Replaced: (0x0014, 0),
    Done: (0x0015, HANDSHAKE_BYTES_MAX),
    Send: (0x0020, ENTRY_BYTES_MAX),
    Accepted: (0x0021, CONTROL_BYTES_MAX),
    Deliver: (0x0022, ENTRY_BYTES_MAX),
    Skip: (0x0023, CONTROL_BYTES_MAX),
    Ack: (0x0024, CONTROL_BYTES_MAX),
    Credit: (0x0025, CONTROL_BYTES_MAX),
    Sync: (0x0026, CONTROL_BYTES_MAX),
    Changes: (0x0027, CONTROL_BYTES_MAX),
    TooFar: (0x0028, CONTROL_BYTES_MAX),
    Synced: (0x0029, CONTROL_BYTES_MAX),
    History: (0x002A, CONTROL_BYTES_MAX),
    SetRegister: (0x0030, CONTROL_BYTES_MAX),
    Register: (0x0031, CONTROL_BYTES_MAX),
    Ephemeral: (0x0038, CONTROL_BYTES_MAX),
    Create: (0x0040, CONTROL_BYTES_MAX),
    Invite: (0x0041, CONTROL_BYTES_MAX),
    Accept: (0x0042, CONTROL_BYTES_MAX),
    Leave: (0x0043, CONTROL_BYTES_MAX),
    Remove: (0x0044, CONTROL_BYTES_MAX),
    SetRole: (0x0045, CONTROL_BYTES_MAX),
    Close: (0x0046, CONTROL_BYTES_MAX),
    Redact: (0x0047, CONTROL_BYTES_MAX),
    ListConversations: (0x0048, CONTROL_BYTES_MAX),
    Conversations: (0x0049, CONTROL_BYTES_MAX),
    Members: (0x004A, CONTROL_BYTES_MAX),
    MemberList: (0x004B, CONTROL_BYTES_MAX),
    ListDevices: (0x0050, 0),
    Devices: (0x0051, CONTROL_BYTES_MAX),
    RenameDevice: (0x0052, CONTROL_BYTES_MAX),
    RevokeDevice: (0x0053, CONTROL_BYTES_MAX),
    LinkDevice: (0x0054, 0),
    LinkCode: (0x0055, CONTROL_BYTES_MAX),
}
SKIPPABLE: Final = range(0x0F00, 0x1000)
"""Types in this range are ignored by a receiver that does not know them."""

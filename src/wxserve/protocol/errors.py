"""Error codes; generated from errors.toml by tools/generate.py."""

# ruff: noqa: FBT003

from enum import IntEnum
from typing import Final, Literal, NamedTuple


class ErrorCode(IntEnum):
    """Number of every negative answer."""

    MALFORMED_FRAME = 1001
    FRAME_TOO_LARGE = 1002
    UNKNOWN_FRAME = 1003
    UNEXPECTED_FRAME = 1004
    VERSION_UNSUPPORTED = 1005
    ACK_BEYOND_SENT = 1006
    CREDIT_OVERFLOW = 1007
    HANDSHAKE_TIMEOUT = 1008
    IDLE_TIMEOUT = 1009
    AUTH_FAILED = 2001
    DEVICE_REVOKED = 2002
    INVITE_INVALID = 2003
    INVITE_USED = 2004
    INVITE_EXPIRED = 2005
    VERIFIER_UNKNOWN = 2006
    FORBIDDEN = 3001
    CONFLICT = 3002
    OP_EXPIRED = 3003
    OP_FOREIGN = 3004
    OPS_IN_FLIGHT = 3005
    RETRY_ORDER = 3006
    RATE_LIMITED = 3007
    CONVERSATION_CLOSED = 3008
    CONVERSATION_FULL = 3009
    KIND_NOT_ALLOWED = 3010
    ENVELOPE_INVALID = 3011
    OWNER_MUST_TRANSFER = 3012
    LIMIT_REACHED = 3013
    PLUGIN_UNAVAILABLE = 3014
    ENTRY_GONE = 3015
    STORAGE_FULL = 4001
    OVERLOADED = 4002
    SHUTTING_DOWN = 4003
    INTERNAL = 4004
    TOO_MANY_CONNECTIONS = 4005


class Meaning(NamedTuple):
    """What an error code means.

    Attributes:
        family: `protocol` and `session` end the connection, `refusal` answers one request.
        temporary: whether the same request may succeed later.
        means: for a developer.
        client: what a client should do.
    """

    family: Literal["protocol", "session", "refusal"]
    temporary: bool
    means: str
    client: str


MEANINGS: Final[dict[ErrorCode, Meaning]] = {
    ErrorCode.MALFORMED_FRAME: Meaning(
        "protocol",
        False,
        "Bytes that are no frame: broken header, wrong type, range, length or number of fields.",
        "A defect of the sender. Report it; reconnecting with the same bytes will not help.",
    ),
    ErrorCode.FRAME_TOO_LARGE: Meaning(
        "protocol",
        False,
        "A header announces a body above the limit of its frame type (4 KiB before authentication).",
        "Keep to the limits in WELCOME.",
    ),
    ErrorCode.UNKNOWN_FRAME: Meaning(
        "protocol",
        False,
        "A frame type that the receiver does not know and that is outside the skippable range.",
        "Send only frames of the negotiated version and of the plugins listed in WELCOME.",
    ),
    ErrorCode.UNEXPECTED_FRAME: Meaning(
        "protocol",
        False,
        "A known frame in a state, direction or on a stream in which it may not come.",
        "A defect of the sender; see the state table.",
    ),
    ErrorCode.VERSION_UNSUPPORTED: Meaning(
        "protocol",
        False,
        "None of the offered major versions is spoken here.",
        "Update the client or the server.",
    ),
    ErrorCode.ACK_BEYOND_SENT: Meaning(
        "protocol",
        False,
        "An acknowledgement of an entry that was never sent to this device. The numbers of earlier sessions are fine.",
        "A defect of the client: acknowledge only what was received and made durable.",
    ),
    ErrorCode.CREDIT_OVERFLOW: Meaning(
        "protocol",
        False,
        "The credit granted adds up to more than 2**31 bytes or entries.",
        "Grant credit only for what was received.",
    ),
    ErrorCode.HANDSHAKE_TIMEOUT: Meaning(
        "protocol",
        True,
        "The handshake was not finished within its deadline.",
        "Reconnect with backoff.",
    ),
    ErrorCode.IDLE_TIMEOUT: Meaning(
        "protocol",
        True,
        "Nothing was received for 2.5 heartbeat intervals.",
        "Reconnect and resume; nothing is lost.",
    ),
    ErrorCode.AUTH_FAILED: Meaning(
        "session",
        False,
        "The proof does not hold: unknown device, wrong key, wrong transcript, replay or downgrade. One answer for all.",
        "Do not retry with the same credential; enrol again.",
    ),
    ErrorCode.DEVICE_REVOKED: Meaning(
        "session",
        False,
        "This device was removed from its account.",
        "Stop; the device must be enrolled again.",
    ),
    ErrorCode.INVITE_INVALID: Meaning(
        "session",
        False,
        "The invite code was not issued by this server, or is damaged.",
        "Ask for a new invite.",
    ),
    ErrorCode.INVITE_USED: Meaning(
        "session",
        False,
        "The invite code was used by another key.",
        "Ask for a new invite.",
    ),
    ErrorCode.INVITE_EXPIRED: Meaning(
        "session",
        False,
        "The invite code is past its time.",
        "Ask for a new invite.",
    ),
    ErrorCode.VERIFIER_UNKNOWN: Meaning(
        "session",
        False,
        "This way of enrolling is not offered here.",
        "Use a verifier that the operator has enabled.",
    ),
    ErrorCode.FORBIDDEN: Meaning(
        "refusal",
        False,
        "The caller may not do this, or the thing does not exist for the caller. One answer for both, and for every reason (not a member, role, block, policy).",
        "Show that it was not permitted; do not retry.",
    ),
    ErrorCode.CONFLICT: Meaning(
        "refusal",
        False,
        "The operation id was already used with other content; `seq` names the existing entry.",
        "A defect of the client: never reuse an operation counter.",
    ),
    ErrorCode.OP_EXPIRED: Meaning(
        "refusal",
        False,
        "The operation is below the floor that the client itself declared done.",
        "A defect of the client, or a client restored from an old copy: enrol again.",
    ),
    ErrorCode.OP_FOREIGN: Meaning(
        "refusal",
        False,
        "The operation id does not begin with this session's device, or its counter is out of range.",
        "A defect of the client.",
    ),
    ErrorCode.OPS_IN_FLIGHT: Meaning(
        "refusal",
        True,
        "The operation counter is 1,024 or more above the declared floor.",
        "Send ACK with a higher ops_done_below, then try again.",
    ),
    ErrorCode.RETRY_ORDER: Meaning(
        "refusal",
        True,
        "An earlier operation of this device here was refused for now; this one would overtake it.",
        "Resend the earlier operation first, then this one.",
    ),
    ErrorCode.RATE_LIMITED: Meaning(
        "refusal",
        True,
        "A budget of the account, device or address is used up.",
        "Wait retry_after_ms, then try again.",
    ),
    ErrorCode.CONVERSATION_CLOSED: Meaning(
        "refusal",
        False,
        "The conversation was closed; its log can be read and not written.",
        "Show it as closed.",
    ),
    ErrorCode.CONVERSATION_FULL: Meaning(
        "refusal",
        False,
        "The group has 1,000 members and invited.",
        "Show it.",
    ),
    ErrorCode.KIND_NOT_ALLOWED: Meaning(
        "refusal",
        False,
        "This kind of conversation, entry or ephemeral cannot be made by this caller here.",
        "Do not retry.",
    ),
    ErrorCode.ENVELOPE_INVALID: Meaning(
        "refusal",
        False,
        "The envelope is not one of the version it names.",
        "A defect of the client; drop the operation and report it.",
    ),
    ErrorCode.OWNER_MUST_TRANSFER: Meaning(
        "refusal",
        False,
        "The only owner cannot leave while others remain.",
        "Give the owner role to a member first, or close the conversation.",
    ),
    ErrorCode.LIMIT_REACHED: Meaning(
        "refusal",
        False,
        "A count limit is reached: registers in a conversation, devices or conversations.",
        "Remove something first; conversations cannot be removed.",
    ),
    ErrorCode.PLUGIN_UNAVAILABLE: Meaning(
        "refusal",
        True,
        "The plugin that answers this frame is not running.",
        "Try again later; chat is not affected.",
    ),
    ErrorCode.ENTRY_GONE: Meaning(
        "refusal",
        False,
        "The content of the entry is already gone: redacted, expired, or deleted by age.",
        "Nothing is left to do.",
    ),
    ErrorCode.STORAGE_FULL: Meaning(
        "refusal",
        True,
        "The server has no space to store anything; reading goes on.",
        "Keep the operation and try again after retry_after_ms.",
    ),
    ErrorCode.OVERLOADED: Meaning(
        "refusal",
        True,
        "A bounded queue of the server is full.",
        "Try again after retry_after_ms.",
    ),
    ErrorCode.SHUTTING_DOWN: Meaning(
        "refusal",
        True,
        "The server is draining or has stopped writing.",
        "Keep the operation, reconnect after the time in GOAWAY.",
    ),
    ErrorCode.INTERNAL: Meaning(
        "refusal",
        True,
        "A defect of the server; the request was not carried out.",
        "Try again later; report it with the time.",
    ),
    ErrorCode.TOO_MANY_CONNECTIONS: Meaning(
        "session",
        True,
        "A limit on connections of this address or of the server is reached.",
        "Reconnect after retry_after_ms.",
    ),
}


def describe(code: ErrorCode) -> Meaning:
    """Return the meaning of a code."""
    return MEANINGS[code]

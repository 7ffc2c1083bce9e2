"""What the server refuses, as exceptions; generated from errors.toml by tools/generate.py.

Catch a base class to decide what to do, a class of its own to do something special:

* ``TemporaryRefusal``: the request is kept and tried again after ``retry_after_ms``;
* ``RequestRefused``: the request is over, the connection lives;
* ``SessionRefused``: the log-in is refused and the connection ended;
* ``ConnectionTimedOut``: a deadline passed and the connection ended; the client connects again;
* ``ProtocolViolation``: one side broke the rules of the wire and the connection ended.
"""

from typing import Final

from ._protocol.frames import Error


class ServerError(Exception):
    """The server answered with ERROR.

    Attributes:
        code: number from the error table; also those that this version does not know.
        detail: an explanation for a developer, in English, without any content of a message.
        temporary: whether the same request may succeed later.
        retry_after_ms: how long to wait before trying again, 0 for one's own choice.
        seq: the entry in question, 0 if there is none.
    """

    def __init__(self, error: Error) -> None:
        meaning = (type(self).__doc__ or "refused").splitlines()[0]
        super().__init__(f"{type(self).__name__} ({error.code}): {error.detail or meaning}")
        self.code = error.code
        self.detail = error.detail
        self.temporary = error.temporary
        self.retry_after_ms = error.retry_after_ms
        self.seq = error.seq


class ProtocolViolation(ServerError):
    """The rules of the wire were broken, and the connection ended."""


class ConnectionTimedOut(ServerError):
    """A deadline of the connection passed, and it ended; no rule was broken."""


class SessionRefused(ServerError):
    """The session was not opened, and the connection ended."""


class RequestRefused(ServerError):
    """One request was refused; the connection lives."""


class TemporaryRefusal(RequestRefused):
    """One request was refused for now; the same may succeed later."""


class MalformedFrame(ProtocolViolation):
    """Bytes that are no frame: broken header, wrong type, range, length or number of fields.

    Client: A defect of the sender. Report it; reconnecting with the same bytes will not help.
    """


class FrameTooLarge(ProtocolViolation):
    """A header announces a body above the limit of its frame type (4 KiB before authentication).

    Client: Keep to the limits in WELCOME.
    """


class UnknownFrame(ProtocolViolation):
    """A frame type that the receiver does not know and that is outside the skippable range.

    Client: Send only frames of the negotiated version and of the plugins listed in WELCOME.
    """


class UnexpectedFrame(ProtocolViolation):
    """A known frame in a state, direction or on a stream in which it may not come.

    Client: A defect of the sender; see the state table.
    """


class VersionUnsupported(ProtocolViolation):
    """None of the offered major versions is spoken here.

    Client: Update the client or the server.
    """


class AckBeyondSent(ProtocolViolation):
    """An acknowledgement of an entry that was never sent to this device.

    The numbers of earlier sessions are fine.

    Client: A defect of the client: acknowledge only what was received and made durable.
    """


class CreditOverflow(ProtocolViolation):
    """The credit granted adds up to more than 2**31 bytes or entries.

    Client: Grant credit only for what was received.
    """


class HandshakeTimeout(ConnectionTimedOut):
    """The handshake was not finished within its deadline.

    Client: Reconnect with backoff.
    """


class IdleTimeout(ConnectionTimedOut):
    """Nothing was received for 2.5 heartbeat intervals.

    Client: Reconnect and resume; nothing is lost.
    """


class AuthFailed(SessionRefused):
    """The proof does not hold: unknown device, wrong key, wrong transcript, replay or downgrade.

    One answer for all.

    Client: Do not retry with the same credential; enrol again.
    """


class DeviceRevoked(SessionRefused):
    """This device was removed from its account.

    Client: Stop; the device must be enrolled again.
    """


class InviteInvalid(SessionRefused):
    """The invite code was not issued by this server, or is damaged.

    Client: Ask for a new invite.
    """


class InviteUsed(SessionRefused):
    """The invite code was used by another key.

    Client: Ask for a new invite.
    """


class InviteExpired(SessionRefused):
    """The invite code is past its time.

    Client: Ask for a new invite.
    """


class VerifierUnknown(SessionRefused):
    """This way of enrolling is not offered here.

    Client: Use a verifier that the operator has enabled.
    """


class Forbidden(RequestRefused):
    """The caller may not do this, or the thing does not exist for the caller.

    One answer for both, and for every reason (not a member, role, block, policy).

    Client: Show that it was not permitted; do not retry.
    """


class Conflict(RequestRefused):
    """The operation id was already used with other content; `seq` names the existing entry.

    Client: A defect of the client: never reuse an operation counter.
    """


class OpExpired(RequestRefused):
    """The operation is below the floor that the client itself declared done.

    Client: A defect of the client, or a client restored from an old copy: enrol again.
    """


class OpForeign(RequestRefused):
    """The operation id does not begin with this session's device, or its counter is out of range.

    Client: A defect of the client.
    """


class OpsInFlight(TemporaryRefusal):
    """The operation counter is 1,024 or more above the declared floor.

    Client: Send ACK with a higher ops_done_below, then try again.
    """


class RetryOrder(TemporaryRefusal):
    """An earlier operation of this device here was refused for now; this one would overtake it.

    Client: Resend the earlier operation first, then this one.
    """


class RateLimited(TemporaryRefusal):
    """A budget of the account, device or address is used up.

    Client: Wait retry_after_ms, then try again.
    """


class ConversationClosed(RequestRefused):
    """The conversation was closed; its log can be read and not written.

    Client: Show it as closed.
    """


class ConversationFull(RequestRefused):
    """The group has 1,000 members and invited.

    Client: Show it.
    """


class KindNotAllowed(RequestRefused):
    """This kind of conversation, entry or ephemeral cannot be made by this caller here.

    Client: Do not retry.
    """


class EnvelopeInvalid(RequestRefused):
    """The envelope is not one of the version it names.

    Client: A defect of the client; drop the operation and report it.
    """


class OwnerMustTransfer(RequestRefused):
    """The only owner cannot leave while others remain.

    Client: Give the owner role to a member first, or close the conversation.
    """


class LimitReached(RequestRefused):
    """A count limit is reached: registers in a conversation, devices or conversations.

    Client: Remove something first; conversations cannot be removed.
    """


class PluginUnavailable(TemporaryRefusal):
    """The plugin that answers this frame is not running.

    Client: Try again later; chat is not affected.
    """


class EntryGone(RequestRefused):
    """The content of the entry is already gone: redacted, expired, or deleted by age.

    Client: Nothing is left to do.
    """


class StorageFull(TemporaryRefusal):
    """The server has no space to store anything; reading goes on.

    Client: Keep the operation and try again after retry_after_ms.
    """


class Overloaded(TemporaryRefusal):
    """A bounded queue of the server is full.

    Client: Try again after retry_after_ms.
    """


class ShuttingDown(TemporaryRefusal):
    """The server is draining or has stopped writing.

    Client: Keep the operation, reconnect after the time in GOAWAY.
    """


class Internal(TemporaryRefusal):
    """A defect of the server; the request was not carried out.

    Client: Try again later; report it with the time.
    """


class TooManyConnections(SessionRefused):
    """A limit on connections of this address or of the server is reached.

    Client: Reconnect after retry_after_ms.
    """


REFUSALS: Final[dict[int, type[ServerError]]] = {
    1001: MalformedFrame,
    1002: FrameTooLarge,
    1003: UnknownFrame,
    1004: UnexpectedFrame,
    1005: VersionUnsupported,
    1006: AckBeyondSent,
    1007: CreditOverflow,
    1008: HandshakeTimeout,
    1009: IdleTimeout,
    2001: AuthFailed,
    2002: DeviceRevoked,
    2003: InviteInvalid,
    2004: InviteUsed,
    2005: InviteExpired,
    2006: VerifierUnknown,
    3001: Forbidden,
    3002: Conflict,
    3003: OpExpired,
    3004: OpForeign,
    3005: OpsInFlight,
    3006: RetryOrder,
    3007: RateLimited,
    3008: ConversationClosed,
    3009: ConversationFull,
    3010: KindNotAllowed,
    3011: EnvelopeInvalid,
    3012: OwnerMustTransfer,
    3013: LimitReached,
    3014: PluginUnavailable,
    3015: EntryGone,
    4001: StorageFull,
    4002: Overloaded,
    4003: ShuttingDown,
    4004: Internal,
    4005: TooManyConnections,
}
"""Error code to exception class."""
_PROTOCOL, _SESSION = 1, 2


def refusal_from(error_frame: Error) -> ServerError:
    """Return the exception of an ERROR frame.

    A code that this version does not know is taken by its thousands (1 protocol, 2 session, all
    else a request) and its ``temporary`` field.
    """
    known = REFUSALS.get(error_frame.code)
    if known is not None:
        return known(error_frame)
    family, temporary = error_frame.code // 1000, error_frame.temporary
    if family == _PROTOCOL:
        return (ConnectionTimedOut if temporary else ProtocolViolation)(error_frame)
    if family == _SESSION:
        return SessionRefused(error_frame)
    return (TemporaryRefusal if temporary else RequestRefused)(error_frame)

"""One operation on a conversation inside a transaction: who asks, whether it may, its record."""

from typing import Final, NamedTuple

from wxserve.protocol.envelope import ConversationKind, Kind
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Accepted
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    OpId,
    op_counter,
    sender_of,
)

from .appends import admit, dedupe, repeated
from .limits import StoreLimits
from .state import Conversation, Device, Member, MemberState, Role, Turn
from .transaction import Transaction

NO_MEMBER: Final = Member(Role.NONE, MemberState.GONE, (), 0)


class Caller(NamedTuple):
    """Who asks, by which operation.

    Attributes:
        account: of the session.
        device: of the session.
        op: the operation id.
        digest: of the request's content, for deduplication.
        unadmitted: the refusal to give if the operation is neither known nor forbidden.
    """

    account: AccountId
    device: DeviceId
    op: OpId
    digest: bytes
    unadmitted: Refusal | None


class Request:
    """One administrative operation inside a transaction; see ``perform``."""

    def __init__(self, tx: Transaction, caller: Caller, limits: StoreLimits) -> None:
        self.tx = tx
        self.caller = caller
        self.limits = limits

    def known(self, conversation: ConversationId) -> Accepted | None:
        """Return the first answer if the operation was accepted before.

        Raises:
            Refusal: DEVICE_REVOKED, RETRY_ORDER, and those of ``dedupe`` and ``repeated``.
        """
        op = self.caller.op
        counter = op_counter(op)
        known = dedupe(self.tx, self._device(), op, counter)
        if known is not None:
            return repeated(self.tx, known, self.caller.digest)
        self.tx.turns.check(Turn(self.caller.device, conversation, counter))
        return None

    def _device(self) -> Device:
        device = self.tx.device(self.caller.device)
        if device is None or device.revoked:
            raise Refusal(ErrorCode.DEVICE_REVOKED)
        return device

    def admit(self) -> None:
        """Refuse for now what authorisation let pass, if a window, a budget or the disk is used up.

        Raises:
            Refusal: OPS_IN_FLIGHT, what admission said, STORAGE_FULL.
        """
        admit(self.tx, self._device(), op_counter(self.caller.op), self.caller.unadmitted)

    def own(self, conversation: ConversationId) -> tuple[Conversation, Member]:
        """Return a group or direct conversation with the caller's standing in it.

        Raises:
            Refusal: FORBIDDEN for a stranger, CONVERSATION_CLOSED.
        """
        state = self.tx.conversation(conversation)
        member = NO_MEMBER if state is None else state.members.get(self.caller.account, NO_MEMBER)
        if state is None or member.state == MemberState.GONE:
            raise Refusal(ErrorCode.FORBIDDEN)
        if state.closed:
            raise Refusal(ErrorCode.CONVERSATION_CLOSED)
        return state, member

    def group(self, conversation: ConversationId, role: Role) -> Conversation:
        """Return a group in which the caller has at least ``role``.

        Raises:
            Refusal: FORBIDDEN, CONVERSATION_CLOSED, KIND_NOT_ALLOWED.
        """
        state, member = self.own(conversation)
        if member.state != MemberState.JOINED or member.role < role:
            raise Refusal(ErrorCode.FORBIDDEN)
        if state.kind is not ConversationKind.GROUP:
            raise Refusal(ErrorCode.KIND_NOT_ALLOWED)
        return state

    def record(
        self,
        state: Conversation,
        kind: Kind,
        body: tuple[object, ...],
        also: AccountId | None = None,
    ) -> Accepted:
        """Append the entry that says what the operation did; return the answer."""
        entry = self.tx.append_server(
            state,
            kind,
            body,
            (self.caller.op, self.caller.digest),
            sender=sender_of(self.caller.account, self.caller.device),
            also=also,
        )
        return entry.accepted

    def membership(
        self,
        state: Conversation,
        change: int,
        accounts: tuple[AccountId, ...],
        role: int = 0,
        also: AccountId | None = None,
    ) -> Accepted:
        """Append a MEMBERSHIP entry; return the answer."""
        return self.record(state, Kind.MEMBERSHIP, (change, accounts, role), also)

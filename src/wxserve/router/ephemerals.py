"""Ephemeral frames: typing, presence, ringing. Never stored, dropped under pressure."""

from enum import IntEnum
from typing import Final

from wxserve.protocol.codec import encode
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Ephemeral
from wxserve.protocol.identifiers import ConversationId, sender_of
from wxserve.store.state import Conversation
from wxserve.store.store import Store

from .directory import Directory
from .dispatcher import Dispatcher
from .limits import RouterLimits
from .session import Following, Session

OFFLINE: Final = b"\0"
"""Presence the server announces for a device that announced itself and went away."""


class EphemeralKind(IntEnum):
    """What an ephemeral frame is."""

    TYPING = 1
    PRESENCE = 2
    RINGING = 3
    DELIVERED = 4


_KINDS: Final = frozenset(EphemeralKind)


class Ephemerals:
    """Forwards ephemeral frames to those who see the conversation and are online."""

    def __init__(
        self, store: Store, dispatcher: Dispatcher, directory: Directory, limits: RouterLimits
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._directory = directory
        self._limits = limits
        dispatcher.handlers[Ephemeral] = self._received

    def _received(self, session: Session, frame: Ephemeral, stream: int) -> None:
        del stream
        if frame.kind not in _KINDS:
            raise Refusal(ErrorCode.KIND_NOT_ALLOWED)
        if self._dispatcher.admit(session, "ephemeral") is not None:
            return
        if frame.kind == EphemeralKind.PRESENCE:
            self._note_presence(session, frame)
        self._forward(session, frame)

    def _note_presence(self, session: Session, frame: Ephemeral) -> None:
        if frame.body == OFFLINE:
            session.announced.discard(frame.conversation)
        elif len(session.announced) < self._limits.announced_max:
            session.announced.add(frame.conversation)

    def _forward(self, session: Session, frame: Ephemeral) -> None:
        sender = sender_of(session.account, session.device)
        data = encode(frame._replace(sender=sender))

        def found(state: Conversation | Refusal | None) -> None:
            if isinstance(state, Conversation) and _may_write(session, state):
                self._push(state, session, data)

        self._store.with_conversation(frame.conversation, found)

    def _push(self, state: Conversation, origin: Session, data: bytes) -> None:
        threshold = self._limits.outgoing_bytes_low
        for account in state.joined:
            for session in self._directory.of_account(account):
                if (
                    session is not origin
                    and session.following is not Following.NOTHING
                    and session.link.outgoing_bytes < threshold
                    and state.visible_to(account, session.device)
                ):
                    session.link.write(data)

    def announce_offline(self, session: Session) -> None:
        """Tell those to whom a device had announced itself that it is gone."""
        announced: set[ConversationId] = session.announced
        for conversation in announced:
            self._forward(session, Ephemeral(conversation, EphemeralKind.PRESENCE, OFFLINE, None))
        announced.clear()


def _may_write(session: Session, state: Conversation) -> bool:
    """Whether a device sees new entries of a conversation, and nobody there has blocked it."""
    return session.account not in state.blocked and state.visible_to(
        session.account, session.device
    )

"""Who is typing where, for as long as it is fresh."""

from collections.abc import Callable
from typing import Final

from wxclient import AccountId, ConversationId, EphemeralReceived
from wxclient._protocol.identifiers import sender_account
from wxclient.terminal.limits import TYPING_SENT_EVERY_S, TYPING_SHOWN_S, TYPISTS_MAX

_TYPING: Final = 1


class Typists:
    """Those whose "typing" was heard lately.

    Args:
        monotonic_s: the present time in seconds, of a clock that is never set.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._until_s: dict[tuple[ConversationId, AccountId], float] = {}
        self._told: tuple[ConversationId, float] | None = None

    def hear(self, ephemeral: EphemeralReceived) -> bool:
        """Take what somebody sent; return whether it changed who is typing."""
        if ephemeral.kind != _TYPING or ephemeral.sender is None:
            return False
        key = (ephemeral.conversation, sender_account(ephemeral.sender))
        if ephemeral.body == b"\x01":
            if len(self._until_s) < TYPISTS_MAX or key in self._until_s:
                self._until_s[key] = self._monotonic_s() + TYPING_SHOWN_S
            return True
        return self._until_s.pop(key, None) is not None

    def stop(self, conversation: ConversationId, account: AccountId) -> None:
        """Note that somebody's message came: the typing is over."""
        self._until_s.pop((conversation, account), None)

    def typing(self, conversation: ConversationId) -> list[AccountId]:
        """Return who is typing in a conversation now."""
        now_s = self._monotonic_s()
        self._until_s = {key: until for key, until in self._until_s.items() if until > now_s}
        return [account for where, account in self._until_s if where == conversation]

    def tell(self, conversation: ConversationId, *, on: bool) -> bool:
        """Return whether others are to be told now that one is typing, or stopped."""
        now_s = self._monotonic_s()
        before = self._told
        if not on:
            self._told = None
            return before is not None and before[0] == conversation
        if before is not None and before[0] == conversation:
            fresh_s = before[1] + TYPING_SENT_EVERY_S
            if now_s < fresh_s:
                return False
        self._told = (conversation, now_s)
        return True

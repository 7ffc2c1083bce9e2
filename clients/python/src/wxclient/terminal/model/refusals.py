"""What the server refuses, in words for the person who asked."""

from typing import Final

from wxclient import ServerError
from wxclient import refusals as r

_WORDS: Final[dict[type[ServerError], str]] = {
    r.Forbidden: "not permitted, or there is no such account or conversation",
    r.ConversationClosed: "the conversation is closed",
    r.ConversationFull: "the group is full",
    r.KindNotAllowed: "that is not possible in this kind of conversation",
    r.OwnerMustTransfer: "the only owner cannot leave while others remain",
    r.LimitReached: "a limit of the server is reached",
    r.EntryGone: "it is gone already",
    r.RateLimited: "too much at once; try again in a while",
    r.StorageFull: "the server has no space",
}


def refusal_words(error: Exception) -> str:
    """Return why something was refused, without what only a developer understands."""
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    return str(error)

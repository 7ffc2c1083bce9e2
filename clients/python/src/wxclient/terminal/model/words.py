"""What happened in a conversation, in words."""

from typing import Final, Protocol

from wxclient import (
    AccountId,
    Change,
    Closed,
    ConversationKind,
    Created,
    Fact,
    Gap,
    Invited,
    Membership,
    Notice,
)
from wxclient.terminal.bodies import Title, Unknown, read_body
from wxclient.terminal.limits import TITLE_CHARS_MAX
from wxclient.terminal.sanitising import clean_line

_EXPIRED: Final = 1
_REDACTED: Final = 2
_NOT_VISIBLE: Final = 3
_GONE_BY_AGE: Final = 255
_REASONS: Final = {
    _EXPIRED: "expired",
    _REDACTED: "deleted",
    _NOT_VISIBLE: "not visible to this device",
    _GONE_BY_AGE: "gone by age",
}
_ROLES: Final = {1: "a member", 2: "an administrator", 3: "the owner"}


class Names(Protocol):
    """Knows what to call accounts."""

    def name(self, account: AccountId) -> str:
        """Return what to call one."""
        ...

    def names(self, accounts: tuple[AccountId, ...]) -> str:
        """Return what to call several."""
        ...


def fact_words(fact: Fact, actor: AccountId | None, names: Names) -> str:
    """Return what the server says in an entry; empty for what is shown otherwise.

    Args:
        fact: of the entry.
        actor: who did it, None for the server.
        names: of the accounts.
    """
    who = "The server" if actor is None else names.name(actor)
    match fact:
        case Created():
            return _created(fact, who, names)
        case Membership():
            return _membership(fact, who, names)
        case Closed():
            return f"{who} closed the group: it can be read and not written"
        case Invited(_, by):
            return f"{names.name(by)} invited you to a group"
        case Notice(fields):
            return _notice(fields)
        case _:
            return ""


def _created(fact: Created, who: str, names: Names) -> str:
    if fact.kind is not ConversationKind.GROUP:
        return f"{who} opened this conversation"
    body = read_body(fact.body)
    title = f" “{clean_line(body.title, TITLE_CHARS_MAX)}”" if isinstance(body, Title) else ""
    invited = f" and invited {names.names(fact.members)}" if fact.members else ""
    return f"{who} created the group{title}{invited}"


def _membership(fact: Membership, who: str, names: Names) -> str:
    whom = names.names(fact.accounts)
    match fact.change:
        case Change.INVITED:
            return f"{who} invited {whom}"
        case Change.JOINED:
            return f"{whom} joined"
        case Change.LEFT:
            return f"{whom} left"
        case Change.REMOVED:
            return f"{who} removed {whom}"
        case Change.ROLE:
            role = _ROLES.get(fact.role, f"of role {fact.role}")
            return f"{who} made {whom} {role}"


def _notice(fields: tuple[object, ...]) -> str:
    match fields:
        case ("device-added", bytes(device), *_):
            return f"Device {device.hex()} joined your account"
        case ("device-revoked", bytes(device), *_):
            return f"Device {device.hex()} was removed from your account"
        case (str(kind), *_):
            return f"A notice that this version does not know: {clean_line(kind, TITLE_CHARS_MAX)}"
        case _:
            return "A notice that this version does not know"


def unknown_words(body: Unknown) -> str:
    """Return what to show for a message that is not understood."""
    if body.version:
        return f"a message of kind {body.version}.{body.kind}, which this version cannot show"
    return "a message in a form that this version cannot show"


def gap_words(gap: Gap) -> str:
    """Return what is missing, and why."""
    count = gap.through - gap.first + 1
    entries = "1 entry" if count == 1 else f"{count:,} entries"
    return f"{entries} {_REASONS.get(gap.reason, f'missing, reason {gap.reason}')}"

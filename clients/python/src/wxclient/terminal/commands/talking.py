"""Commands about conversations and who is in them."""

from wxclient import ConversationKind, RequestRefused
from wxclient.refusals import Forbidden
from wxclient.terminal.addresses import format_address
from wxclient.terminal.limits import MEMBERS_LISTED_MAX, TITLE_CHARS_MAX
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.model.people import JOINED
from wxclient.terminal.model.rows import Row
from wxclient.terminal.sanitising import clean_line

from .outcome import NOTHING, CommandError, Here, Outcome
from .parsing import name_and_people, people, person

_ROLES = {1: "", 2: ", administrator", 3: ", owner"}


async def chat(desk: Desk, _here: Here, text: str) -> Outcome:
    """Open the direct conversation with an address.

    Raises:
        CommandError: nobody is meant.
    """
    address, _, name = text.strip().partition(" ")
    if not address:
        raise CommandError("With whom? Give an address; /me shows your own.")
    try:
        account = desk.people.find(text)  # a known name of several words
        name = ""
    except ValueError:
        account = person(address, desk.people)
    if account == desk.client.account:
        return Outcome(opened=desk.client.self_conversation)
    if name.strip():
        await desk.rename(account, clean_line(name, TITLE_CHARS_MAX))
    return Outcome(opened=await desk.open_direct(account))


async def group(desk: Desk, _here: Here, text: str) -> Outcome:
    """Create a group with a title, and invite people.

    Raises:
        CommandError: there is no name, or an address is mistyped.
    """
    title, members = name_and_people(text, desk.people)
    title = clean_line(title, TITLE_CHARS_MAX)
    if not title:
        raise CommandError("A group needs a name: /group NAME ADDRESS…")
    conversation = await desk.create_group(title, members)
    invited = "Those you invited can join now." if members else "Now /invite others."
    return Outcome("Group", f"“{title}” is there. {invited}", opened=conversation)


def _group(here: Here) -> Row:
    row = here.open_row
    if row.kind is not ConversationKind.GROUP:
        raise CommandError("This is not a group.")
    return row


async def invite(desk: Desk, here: Here, text: str) -> Outcome:
    """Invite people into the open group."""
    row = _group(here)
    await desk.client.invite(row.conversation, people(text, desk.people))
    return NOTHING


async def accept(desk: Desk, here: Here, _text: str) -> Outcome:
    """Join the group of the open invitation.

    Raises:
        CommandError: it is no invitation, or not open any more.
    """
    row = here.open_row
    if not row.invitation:
        raise CommandError("This is not an invitation.")
    gone = False
    try:
        await desk.client.accept(row.conversation)
    except Forbidden:
        gone = True
    await desk.forget_invitation(row.conversation)
    if gone:
        raise CommandError("The invitation is not open any more.")
    return Outcome(opened=row.conversation)


async def leave(desk: Desk, here: Here, _text: str) -> Outcome:
    """Leave the open group, or decline the open invitation."""
    row = _group(here)
    try:
        await desk.client.leave(row.conversation)
    except RequestRefused:
        if not row.invitation:
            raise
    await desk.forget_invitation(row.conversation)
    return NOTHING


async def remove(desk: Desk, here: Here, text: str) -> Outcome:
    """Remove people from the open group."""
    row = _group(here)
    for account in people(text, desk.people):
        await desk.client.remove(row.conversation, account)
    return NOTHING


async def title(desk: Desk, here: Here, text: str) -> Outcome:
    """Give the open group a title that all members see.

    Raises:
        CommandError: there is no text, or no group.
    """
    row = _group(here)
    new = clean_line(text, TITLE_CHARS_MAX)
    if not new:
        raise CommandError("What title? /title TEXT")
    await desk.retitle(row.conversation, new)
    return NOTHING


async def members(desk: Desk, here: Here, _text: str) -> Outcome:
    """List who is in the open conversation."""
    found = await desk.people.ask(here.open_row.conversation)
    lines = [
        f"{desk.people.name(one.account)}{_ROLES.get(one.role, '')}"
        f"{'' if one.state == JOINED else ', invited'}\n    {format_address(one.account)}"
        for one in found[:MEMBERS_LISTED_MAX]
    ]
    if len(found) > MEMBERS_LISTED_MAX:
        lines.append(f"and {len(found) - MEMBERS_LISTED_MAX} more")
    return Outcome(f"{len(found)} members", "\n".join(lines), sheet=len(found) > 6)

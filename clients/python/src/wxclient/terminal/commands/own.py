"""Commands about oneself: address, names, devices, what one wrote and read."""

from datetime import datetime

from wxclient import DeviceId
from wxclient.terminal.addresses import format_address
from wxclient.terminal.limits import TITLE_CHARS_MAX
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.sanitising import clean_line

from .outcome import NOTHING, CommandError, Here, Outcome

_ACTIVE = 1


def me(desk: Desk, _here: Here, _text: str) -> Outcome:
    """Show and copy one's own address."""
    address = format_address(desk.client.account)
    return Outcome("Your address, to give to others", address, copied=address)


async def name(desk: Desk, here: Here, text: str) -> Outcome:
    """Give somebody, or the open conversation, a name that only this device shows."""
    first, _, rest = text.strip().partition(" ")
    if rest and desk.people.knows(first):
        await desk.rename(desk.people.find(first), clean_line(rest, TITLE_CHARS_MAX))
        return NOTHING
    row = here.open_row
    peer = desk.people.peer(row.conversation)
    subject = peer if peer is not None else row.conversation
    await desk.rename(subject, clean_line(text, TITLE_CHARS_MAX))
    return NOTHING


async def devices(desk: Desk, _here: Here, _text: str) -> Outcome:
    """List one's devices."""
    lines = []
    for one in await desk.client.devices():
        notes = ["this one"] if one.device == desk.client.device else []
        notes += [] if one.state == _ACTIVE else ["removed"]
        seen = datetime.fromtimestamp(one.seen_ms / 1000).astimezone().strftime("%d %b %Y %H:%M")
        remark = f" ({', '.join(notes)})" if notes else ""
        name_shown = clean_line(one.name, TITLE_CHARS_MAX) or "without a name"
        lines.append(f"{one.device.hex()}  {name_shown}{remark}, last seen {seen}")
    return Outcome("Your devices", "\n".join(lines))


async def link(desk: Desk, _here: Here, _text: str) -> Outcome:
    """Make an invite with which one more device joins one's account."""
    uri = await desk.client.link_device()
    return Outcome(
        "Invite for one more device of yours, valid for ten minutes", uri, copied=uri, sheet=True
    )


async def revoke(desk: Desk, _here: Here, text: str) -> Outcome:
    """Remove one of one's devices for ever.

    Raises:
        CommandError: there is no such device.
    """
    try:
        wanted = DeviceId(bytes.fromhex(text.strip()))
    except ValueError:
        wanted = DeviceId(b"")
    if wanted not in {one.device for one in await desk.client.devices()}:
        raise CommandError("Which device? /devices lists them with their ids.")
    await desk.client.revoke_device(wanted)
    return Outcome("Devices", f"Device {wanted.hex()} is removed from your account.")


async def redact(desk: Desk, here: Here, _text: str) -> Outcome:
    """Delete the selected message, or one's latest, for everybody.

    Raises:
        CommandError: there is no message to delete.
    """
    message = here.selected or here.latest_own
    if message is None or not message.seq:
        raise CommandError("Choose a message first: ↑ in the empty input.")
    await desk.client.redact(here.open_row.conversation, message.seq)
    return NOTHING


async def read(desk: Desk, here: Here, text: str) -> Outcome:
    """Mark the open conversation, or all, as read."""
    if text.strip() == "all":
        for view in await desk.client.conversations():
            if view.unread:
                await desk.read(view.conversation, view.received)
    elif here.newest:
        await desk.read(here.open_row.conversation, here.newest)
    return NOTHING


async def retry(desk: Desk, here: Here, _text: str) -> Outcome:
    """Send again what was refused in the open conversation.

    Raises:
        CommandError: nothing was refused.
    """
    if not await desk.sending.retry(here.open_row.conversation):
        raise CommandError("Nothing was refused here.")
    return NOTHING


async def discard(desk: Desk, here: Here, _text: str) -> Outcome:
    """Forget what was refused in the open conversation.

    Raises:
        CommandError: nothing was refused.
    """
    if not await desk.sending.discard(here.open_row.conversation):
        raise CommandError("Nothing was refused here.")
    return NOTHING


def show_help(_desk: Desk, _here: Here, _text: str) -> Outcome:
    """Open the help."""
    return Outcome(asked="help")


def leave_wx(_desk: Desk, _here: Here, _text: str) -> Outcome:
    """End the program."""
    return Outcome(quit=True)

"""All commands, and how a line finds its own."""

from typing import Final

from wxclient.terminal.model.desk import Desk

from . import own, talking
from .outcome import Command, CommandError, Here, Outcome

COMMANDS: Final = (
    Command("/me", "", "show and copy your address", own.me),
    Command("/chat", "ADDRESS [NAME]", "write to somebody", talking.chat),
    Command("/group", "NAME ADDRESS…", "create a group, invite people", talking.group),
    Command("/invite", "ADDRESS…", "invite people into this group", talking.invite),
    Command("/accept", "", "join the group of this invitation", talking.accept),
    Command("/leave", "", "leave this group, or decline this invitation", talking.leave),
    Command("/remove", "ADDRESS…", "remove people from this group", talking.remove),
    Command("/title", "TEXT", "rename this group for everybody", talking.title),
    Command("/name", "[ADDRESS] TEXT", "a name that only you see; empty removes", own.name),
    Command("/members", "", "who is in this conversation", talking.members),
    Command("/redact", "", "delete the chosen message, or your latest", own.redact),
    Command("/read", "[all]", "mark this, or all, as read", own.read),
    Command("/retry", "", "send again what was refused here", own.retry),
    Command("/discard", "", "forget what was refused here", own.discard),
    Command("/devices", "", "list your devices", own.devices),
    Command("/link", "", "an invite for one more device of yours", own.link),
    Command("/revoke", "DEVICE", "remove one of your devices for ever", own.revoke),
    Command("/help", "", "keys and commands", own.show_help),
    Command("/quit", "", "leave wx; nothing is lost", own.leave_wx),
)
_BY_NAME: Final = {command.name: command for command in COMMANDS}


def is_command(text: str) -> bool:
    """Whether a text is meant as a command: one slash, and one line."""
    return text.startswith("/") and not text.startswith("//") and "\n" not in text.strip()


def unescape(text: str) -> str:
    """Return a message as it is to be sent: two slashes at its beginning are one."""
    return text[1:] if text.startswith("//") else text


def matching(text: str) -> list[Command]:
    """Return the commands that a text may become, for a hint while it is typed."""
    if not is_command(text):
        return []
    name, space, _ = text.partition(" ")
    if space:
        return [_BY_NAME[name]] if name in _BY_NAME else []
    return [command for command in COMMANDS if command.name.startswith(name)]


async def run_command(desk: Desk, here: Here, text: str) -> Outcome:
    """Carry a command out.

    Raises:
        CommandError: it is unknown, or cannot be carried out.
        RequestRefused: the server refused it.
    """
    name, _, rest = text.strip().partition(" ")
    command = _BY_NAME.get(name.lower())
    if command is None:
        close = [one.name for one in COMMANDS if one.name.startswith(name.lower())]
        if len(close) != 1:
            hint = f" Did you mean {', '.join(close)}?" if close else " F1 lists them."
            raise CommandError(f"There is no command {name}.{hint}")
        command = _BY_NAME[close[0]]
    outcome = command.run(desk, here, rest.strip())
    return outcome if isinstance(outcome, Outcome) else await outcome

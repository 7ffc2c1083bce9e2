"""The lines around a conversation: its heading, the hint above the input, the status."""

from typing import Final, NamedTuple

from textual.content import Content

from wxclient import ConnectionState, ConversationKind
from wxclient.terminal.addresses import format_address
from wxclient.terminal.commands.table import matching
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.model.rows import Row

from .sidebar import glyph

_HINTS_MAX: Final = 8
_KINDS: Final = {
    ConversationKind.DIRECT: "direct",
    ConversationKind.GROUP: "group",
    ConversationKind.SELF: "your own devices",
    ConversationKind.NOTICE: "the server speaks",
}


class Connection(NamedTuple):
    """How the connection is, in words and a colour."""

    words: str
    colour: str


def connection_words(desk: Desk) -> Connection:
    """Return how the connection is."""
    change = desk.connection
    match change.state:
        case ConnectionState.ONLINE:
            return Connection("connected", "$success")
        case ConnectionState.SYNCING:
            return Connection("catching up", "$warning")
        case ConnectionState.CONNECTING:
            return Connection("connecting", "$warning")
        case ConnectionState.STOPPED:
            return Connection("offline", "$error")
        case ConnectionState.WAITING:
            return _waiting(desk)


def _waiting(desk: Desk) -> Connection:
    """Tell a server that said goodbye from one that is gone."""
    change = desk.connection
    if not change.retry_in_s:
        return Connection("connecting", "$warning")
    if change.reason is None:
        return Connection(f"draining, back in {desk.retry_in_s:.0f} s", "$warning")
    return Connection(f"reconnecting in {desk.retry_in_s:.0f} s", "$error")


def status_content(desk: Desk, address: str, width: int) -> Content:
    """Return the status bar: connection, latency and what waits; one's address at the right."""
    words, colour = connection_words(desk)
    parts = [words]
    if desk.online and desk.sending.latency_ms is not None:
        parts.append(f"{desk.sending.latency_ms:.0f} ms")
    if desk.sending.waiting:
        parts.append(f"{desk.sending.waiting} waiting")
    left_width = max(width - len(address) - 1, 8)
    left = Content.assemble(("● ", colour), " · ".join(parts))
    if width < len(address) + 24:
        return left.truncate(width, ellipsis=True)
    return left.truncate(left_width, ellipsis=True, pad=True) + Content.styled(
        f" {address}", "$foreground 60%"
    )


def heading_content(desk: Desk, row: Row | None, width: int) -> Content:
    """Return the heading of the open conversation."""
    if row is None:
        return Content("")
    kind = _KINDS.get(row.kind, "") if row.kind is not None else ""
    count = len(desk.people.members(row.conversation))
    if row.kind is ConversationKind.GROUP and count:
        kind = f"{count} members"
    peer = desk.people.peer(row.conversation)
    if peer is not None:
        kind = format_address(peer)
    if row.invitation:
        kind = ""
    return Content.assemble(
        (f"{glyph(row)} ", "$primary"),
        (row.name, "bold"),
        (f"  {kind}", "$foreground 50%"),
    ).truncate(width, ellipsis=True)


def hint_content(desk: Desk, row: Row | None, text: str, width: int) -> Content:
    """Return the hint: what a command does while it is typed, else who is typing."""
    commands = matching(text)
    if len(commands) == 1:
        one = commands[0]
        usage = f" {one.usage}" if one.usage else ""
        hint = Content.assemble(
            (one.name + usage, "$primary"), (f"  {one.summary}", "$foreground 60%")
        )
        return hint.truncate(width, ellipsis=True)
    if commands:
        names = "  ".join(one.name for one in commands[:_HINTS_MAX])
        more = " …" if len(commands) > _HINTS_MAX else ""
        return Content.styled(names + more, "$primary").truncate(width, ellipsis=True)
    typing = desk.typists.typing(row.conversation) if row is not None else []
    if typing:
        verb = "is" if len(typing) == 1 else "are"
        words = f"{desk.people.names(typing)} {verb} typing…"
        return Content.styled(words, "italic $foreground 60%").truncate(width, ellipsis=True)
    return Content("")

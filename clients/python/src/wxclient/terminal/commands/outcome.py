"""What a command is given, and what it leaves to the views."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from wxclient import ConversationId
from wxclient.terminal.model.desk import Desk
from wxclient.terminal.model.items import Message
from wxclient.terminal.model.rows import Row


class CommandError(Exception):
    """The command cannot be carried out; the text says why, for the person who typed it."""


class Here(NamedTuple):
    """Where a command was typed.

    Attributes:
        row: the open conversation.
        selected: the message under the cursor, if there is one.
        latest_own: the newest message of one's own in the log, if one is loaded.
        newest: sequence number of the newest entry that is loaded.
    """

    row: Row | None = None
    selected: Message | None = None
    latest_own: Message | None = None
    newest: int = 0

    @property
    def open_row(self) -> Row:
        """Return the open conversation.

        Raises:
            CommandError: there is none.
        """
        if self.row is None:
            raise CommandError("Open a conversation first.")
        return self.row


class Outcome(NamedTuple):
    """What is to be shown of a command.

    Attributes:
        title: of the answer.
        text: the answer, to be put below the conversation; empty for none.
        copied: to be put onto the clipboard.
        opened: a conversation to be opened.
        sheet: whether the answer is shown on a sheet of its own, whole.
        asked: a screen to open: "help"; empty for none.
        quit: whether to end.
    """

    title: str = ""
    text: str = ""
    copied: str = ""
    opened: ConversationId | None = None
    sheet: bool = False
    asked: str = ""
    quit: bool = False


NOTHING = Outcome()
Run = Callable[[Desk, Here, str], Awaitable[Outcome] | Outcome]


class Command(NamedTuple):
    """A command.

    Attributes:
        name: with the slash.
        usage: what stands after it; empty for nothing.
        summary: what it does, in a few words.
        run: carries it out.
    """

    name: str
    usage: str
    summary: str
    run: Run

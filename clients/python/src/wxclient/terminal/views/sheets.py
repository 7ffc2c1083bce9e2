"""Screens that lie over the conversation: help, first start, a whole text, the quick switcher."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from wxclient import ConversationId
from wxclient.terminal.commands.table import COMMANDS
from wxclient.terminal.model.rows import Row

from .sidebar import glyph

NOT_ENCRYPTED: Final = (
    "Conversations are not yet encrypted end to end: the connection to the server is, but whoever"
    " runs the server can read what you write."
)
_KEYS: Final = (
    ("Enter", "send"),
    ("Ctrl-J, Alt-Enter", "new line; what is pasted keeps its own"),
    ("Ctrl-K", "go to a conversation by name"),
    ("Ctrl-N, Ctrl-P", "next, previous conversation"),
    ("PgUp, PgDn", "scroll; older messages load by themselves"),
    ("Tab", "to the conversations, to the messages"),
    ("↑ (nothing typed)", "choose a message: Enter, Ctrl-C, /redact"),
    ("F2", "hide or show the conversations"),
    ("F3", "light or dark"),
    ("Esc", "back to the input and the newest message"),
    ("Ctrl-Q", "leave wx"),
)
_CLOSE: Final = Binding("escape", "dismiss", "Close", show=False)


class Sheet(ModalScreen[None]):
    """A text in full; a long one scrolls. It can be selected and copied."""

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE, Binding("f1", "dismiss", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title_text = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="sheet"):
            yield Static(Content(self._title_text), classes="sheet-title")
            yield TextArea(
                self._text, read_only=True, compact=True, soft_wrap=True,
                highlight_cursor_line=False, show_cursor=False, classes="sheet-text",
            )  # fmt: skip
            yield Static("Esc closes · select with the mouse, Ctrl-C copies", classes="sheet-foot")


class Help(ModalScreen[None]):
    """Keys, commands, and what is not there yet."""

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE, Binding("f1", "dismiss", show=False)]

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="sheet help"):
            yield Static("Keys and commands", classes="sheet-title")
            with VerticalScroll(classes="sheet-body"):
                yield Static(_table("Keys", _KEYS))
                commands = [(f"{one.name} {one.usage}".strip(), one.summary) for one in COMMANDS]
                yield Static(_table("\nCommands", commands))
                slash = "A message that begins with a slash is written with two.\n"
                yield Static(Content.styled(f"\n{slash}", "$foreground 60%"))
                yield Static(Content.styled(NOT_ENCRYPTED, "$warning"))
            yield Static("Esc closes", classes="sheet-foot")

    def on_mount(self) -> None:
        """Let the keys scroll it."""
        self.query_one(VerticalScroll).focus()


def _table(title: str, rows: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> Content:
    lines = [Content.styled(title, "bold")]
    lines += [Content.assemble((f"{left:<21} ", "$primary"), right) for left, right in rows]
    return Content("\n").join(lines)


class Greeting(ModalScreen[None]):
    """Shown once, on the first start."""

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE, Binding("enter", "dismiss", show=False)]

    def __init__(self, name: str, address: str) -> None:
        super().__init__()
        self._name_text = name
        self._address = address

    def compose(self) -> ComposeResult:
        """Lay it out."""
        welcome = f"Welcome, {self._name_text}" if self._name_text else "Welcome"
        with Vertical(classes="sheet greeting"):
            yield Static(Content(welcome), classes="sheet-title")
            yield Static("Your address, to give to others (/me shows and copies it):\n")
            yield Static(Content.styled(self._address, "bold $primary"), classes="address")
            yield Static(
                "\nWrite to somebody with  /chat ADDRESS\n"
                "Make a group with       /group NAME ADDRESS…\n"
                "Keys and commands:      F1\n"
            )
            yield Static(Content.styled(NOT_ENCRYPTED, "$warning"))
            yield Static("Enter begins", classes="sheet-foot")


class Switcher(ModalScreen[ConversationId | None]):
    """Goes to a conversation by a part of its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _CLOSE,
        Binding("ctrl+k", "dismiss", show=False),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, rows: Callable[[], list[Row]]) -> None:
        super().__init__()
        self._rows = rows

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="sheet switcher"):
            yield Input(placeholder="Go to…", compact=True)
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Show all conversations."""
        self._show("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show those that match."""
        self._show(event.value)

    def on_input_submitted(self) -> None:
        """Go to the highlighted one."""
        option = self.query_one(OptionList).highlighted_option
        self._go(option)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go to the one that was clicked."""
        self._go(event.option)

    def action_move(self, step: int) -> None:
        """Highlight another one."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def _show(self, text: str) -> None:
        options = self.query_one(OptionList)
        options.set_options([
            Option(_choice(row), row.conversation.hex())
            for row in sorted(self._rows(), key=lambda row: not row.unread)
            if text.strip().casefold() in row.name.casefold()
        ])
        options.highlighted = 0 if options.option_count else None

    def _go(self, option: Option | None) -> None:
        chosen = None if option is None or option.id is None else bytes.fromhex(option.id)
        _ = self.dismiss(ConversationId(chosen) if chosen is not None else None)


def _choice(row: Row) -> Content:
    unread = f"  {row.unread}" if row.unread else ""
    return Content.assemble((f"{glyph(row)} ", "$primary"), row.name, (unread, "bold $primary"))

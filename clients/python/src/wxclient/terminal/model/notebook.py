"""What the terminal client remembers beside the SDK's state: tables of its own in the same file.

Everything is written in the transaction that handles the entry it comes from, or that sends the
message it is about, so that a kill at any moment leaves both or neither.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from wxclient import AccountId, ConversationId, OpId
from wxclient.terminal.ports import Tx

_TABLES: Final = {
    "terminal_name": "subject BLOB PRIMARY KEY, given TEXT NOT NULL, seen TEXT NOT NULL",
    "terminal_conversation": """conversation BLOB PRIMARY KEY, peer BLOB, title TEXT NOT NULL,
        closed INTEGER NOT NULL""",
    "terminal_invitation": """conversation BLOB PRIMARY KEY, inviter BLOB NOT NULL,
        time_ms INTEGER NOT NULL""",
    "terminal_invited": "conversation BLOB, account BLOB, PRIMARY KEY (conversation, account)",
    "terminal_sent": """op BLOB PRIMARY KEY, conversation BLOB NOT NULL, time_ms INTEGER NOT NULL,
        body BLOB NOT NULL, refused TEXT NOT NULL""",
    "terminal_setting": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
}
"""Not named ``wx_…``: those are the SDK's own."""
_ROWS_MAX: Final = 10_000
"""Rows of each table that are read: what one statement may return. The newest count."""


class Named(NamedTuple):
    """Names of an account or a conversation.

    Attributes:
        given: by the user; empty for none.
        seen: the one it has on the server; empty if it is not known.
    """

    given: str = ""
    seen: str = ""


class About(NamedTuple):
    """What the entries told of a conversation.

    Attributes:
        peer: the other one of a direct conversation, if known.
        title: of a group; empty for none.
        closed: for writing.
    """

    peer: AccountId | None = None
    title: str = ""
    closed: bool = False


class Invitation(NamedTuple):
    """An invitation that was not answered."""

    conversation: ConversationId
    inviter: AccountId
    time_ms: int


class Sent(NamedTuple):
    """A message of this device that is not in the log yet.

    Attributes:
        op: its operation.
        conversation: where to.
        time_ms: when it was written.
        body: what it says.
        refused: why it was refused for good; empty while that is open.
        accepted_seq: where it will stand, once it was accepted; 0 before.
    """

    op: OpId
    conversation: ConversationId
    time_ms: int
    body: bytes
    refused: str = ""
    accepted_seq: int = 0


@dataclass(slots=True)
class Notebook:
    """The tables, as they are in memory; ``load`` first. Each method writes both."""

    names: dict[bytes, Named] = field(default_factory=dict)
    conversations: dict[ConversationId, About] = field(default_factory=dict)
    invitations: dict[ConversationId, Invitation] = field(default_factory=dict)
    invited: set[tuple[ConversationId, AccountId]] = field(default_factory=set)
    sent: dict[OpId, Sent] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    async def load(self, tx: Tx) -> None:
        """Make the tables if they are not there, and read them."""
        for table, columns in _TABLES.items():
            await tx.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns}) STRICT")
        for subject, given, seen in await tx.execute(_newest("terminal_name")):
            self.names[subject] = Named(given, seen)
        for row in await tx.execute(_newest("terminal_conversation")):
            self.conversations[row[0]] = About(row[1], row[2], bool(row[3]))
        for row in await tx.execute(_newest("terminal_invitation")):
            self.invitations[row[0]] = Invitation(*row)
        for row in await tx.execute(_newest("terminal_invited")):
            self.invited.add((row[0], row[1]))
        for row in reversed(await tx.execute(_newest("terminal_sent"))):
            self.sent[row[0]] = Sent(*row)
        for key, value in await tx.execute(_newest("terminal_setting")):
            self.settings[key] = value

    # -- names ---------------------------------------------------------------------------------

    async def name(self, tx: Tx, subject: bytes, named: Named) -> None:
        """Keep the names of an account or a conversation."""
        await tx.execute("INSERT OR REPLACE INTO terminal_name VALUES (?, ?, ?)", (subject, *named))
        self.names[subject] = named

    def named(self, subject: bytes) -> Named:
        """Return the names of an account or a conversation."""
        return self.names.get(subject, Named())

    async def describe(self, tx: Tx, conversation: ConversationId, about: About) -> None:
        """Keep what is known of a conversation."""
        await tx.execute(
            "INSERT OR REPLACE INTO terminal_conversation VALUES (?, ?, ?, ?)",
            (conversation, about.peer, about.title, int(about.closed)),
        )
        self.conversations[conversation] = about

    def about(self, conversation: ConversationId) -> About:
        """Return what is known of a conversation."""
        return self.conversations.get(conversation, About())

    async def set(self, tx: Tx, key: str, value: str) -> None:
        """Keep a setting."""
        await tx.execute("INSERT OR REPLACE INTO terminal_setting VALUES (?, ?)", (key, value))
        self.settings[key] = value

    # -- invitations ---------------------------------------------------------------------------

    async def be_invited(self, tx: Tx, invitation: Invitation) -> None:
        """Keep an invitation until it is answered."""
        await tx.execute("INSERT OR REPLACE INTO terminal_invitation VALUES (?, ?, ?)", invitation)
        self.invitations[invitation.conversation] = invitation

    async def answer(self, tx: Tx, conversation: ConversationId) -> None:
        """Drop an invitation."""
        if conversation in self.invitations:
            await tx.execute(
                "DELETE FROM terminal_invitation WHERE conversation = ?", (conversation,)
            )
            del self.invitations[conversation]

    async def invite(self, tx: Tx, conversation: ConversationId, account: AccountId) -> None:
        """Remember that this device invited an account."""
        row = (conversation, account)
        await tx.execute("INSERT OR IGNORE INTO terminal_invited VALUES (?, ?)", row)
        self.invited.add(row)

    async def uninvite(self, tx: Tx, conversation: ConversationId, account: AccountId) -> bool:
        """Forget that; return whether this device had invited it."""
        row = (conversation, account)
        if row not in self.invited:
            return False
        await tx.execute("DELETE FROM terminal_invited WHERE conversation = ? AND account = ?", row)
        self.invited.remove(row)
        return True

    # -- messages under way --------------------------------------------------------------------

    async def put_sent(self, tx: Tx, sent: Sent) -> None:
        """Keep a message until it is in the log."""
        await tx.execute("INSERT OR REPLACE INTO terminal_sent VALUES (?, ?, ?, ?, ?)", sent[:5])
        self.sent[sent.op] = sent

    async def drop_sent(self, tx: Tx, op: OpId) -> None:
        """Forget a message: it is in the log, or given up."""
        if op in self.sent:
            await tx.execute("DELETE FROM terminal_sent WHERE op = ?", (op,))
            del self.sent[op]


def _newest(table: str) -> str:
    return f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT {_ROWS_MAX}"  # noqa: S608 - constants

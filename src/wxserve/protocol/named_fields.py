"""Field types with a meaning: identifiers and names as frames carry them."""

from typing import Annotated

from .fields import Bytes, Many, Optional, Text
from .identifiers import AccountId, ConversationId, DeviceId, OpId, Sender
from .limits import GROUP_ACCOUNTS_MAX

Account = Annotated[AccountId, Bytes(16, 16)]
Device = Annotated[DeviceId, Bytes(8, 8)]
Conversation = Annotated[ConversationId, Bytes(16, 16)]
Op = Annotated[OpId, Bytes(16, 16)]
OptionalSender = Annotated[Sender | None, Optional(Bytes(24, 24))]
Name = Annotated[str, Text(64)]
Accounts = Annotated[tuple[AccountId, ...], Many(Bytes(16, 16), 0, GROUP_ACCOUNTS_MAX)]

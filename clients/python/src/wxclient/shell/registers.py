"""Registers: small values of one's own account, the newest wins; and what is never stored."""

from typing import Final

from wxclient._protocol import frames as f
from wxclient._protocol.identifiers import ConversationId
from wxclient.events import EphemeralReceived
from wxclient.state import reading
from wxclient.state.reading import READ_KEY, RegisterValue, read_marker

from .service import Service
from .signals import Subscription

TYPING: Final = 1
PRESENCE: Final = 2
READ_ATTEMPTS_MAX: Final = 16
"""Races that ``read_through`` may lose against one's other devices."""


class Registers(Service):
    """The part of ``Client`` for registers and ephemerals."""

    async def set_register(
        self, conversation: ConversationId, key: str, value: bytes
    ) -> RegisterValue:
        """Write a register of this account; the version is the stored one plus one.

        Args:
            conversation: which.
            key: at most 64 bytes of UTF-8.
            value: at most 4,096 bytes.

        Returns:
            What is stored now: another device's value if it was quicker.

        Raises:
            RequestRefused: Forbidden, LimitReached.

        Cancellation: written or not.
        """
        stored = await self._file.read(lambda sql: reading.register(sql, conversation, key))
        version = 1 if stored is None else stored.version + 1
        frame = f.SetRegister(conversation, key, version, value)
        answer = await self._ask(frame, f.Register)
        return RegisterValue(answer.key, answer.version, answer.value)

    async def registers(self, conversation: ConversationId) -> list[RegisterValue]:
        """Return the registers of a conversation as this device knows them."""
        return await self._file.read(lambda sql: reading.registers(sql, conversation))

    async def read_through(self, conversation: ConversationId, seq: int) -> int:
        """Note for all devices of the account that it has read through ``seq``; never backwards.

        Returns:
            The marker that holds now, at least ``seq``.

        Raises:
            RequestRefused: Forbidden, or lost too many races.

        Cancellation: written or not.
        """
        stored = await self._file.read(lambda sql: reading.register(sql, conversation, READ_KEY))
        marker = read_marker(stored.value) if stored is not None else 0
        for _attempt in range(READ_ATTEMPTS_MAX):
            if marker >= seq:
                break
            value = seq.to_bytes(8, "big")
            marker = read_marker((await self.set_register(conversation, READ_KEY, value)).value)
        return marker

    # -- never stored --------------------------------------------------------------------------

    def typing(self, conversation: ConversationId, *, on: bool) -> bool:
        """Tell others that one is typing, or stopped; return False if it was dropped.

        Delivery: at most once.
        """
        return self.send_ephemeral(conversation, TYPING, bytes([on]))

    def presence(self, conversation: ConversationId, state: int) -> bool:
        """Tell others that one is there (1 … 255, as clients agree; 0 is away).

        The server says "away" by itself when the connection ends.

        Delivery: at most once.
        """
        return self.send_ephemeral(conversation, PRESENCE, bytes([state]))

    def send_ephemeral(self, conversation: ConversationId, kind: int, body: bytes) -> bool:
        """Send something that is never stored; return False if it was dropped, as when offline.

        Delivery: at most once.
        """
        self._check()
        sent = self._engine.core.send_ephemeral(conversation, kind, body)
        self._engine.touch()
        return sent

    def ephemerals(self) -> Subscription[EphemeralReceived]:
        """Return an iterator over what others send from now on; the oldest are dropped if slow.

        Delivery: at most once.
        """
        return self._reporter.ephemerals.subscribe()

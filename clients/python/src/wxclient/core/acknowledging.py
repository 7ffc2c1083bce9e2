"""When to say what is durable here, and when to widen the window again."""

from wxclient._protocol.frames import ACK_CURSORS_MAX, Ack, Credit, Welcome
from wxclient._protocol.identifiers import ConversationId


class Acknowledger:
    """Coalesces acknowledgements of one connection: by time, or by count."""

    __slots__ = (
        "_acked", "_count", "_delay_s", "_dirty", "_due_s", "_entries_max", "floor", "sent_count"
    )  # fmt: skip

    def __init__(self, delay_s: float, entries_max: int, floor: int) -> None:
        self._delay_s = delay_s
        self._entries_max = entries_max
        self._dirty: dict[ConversationId, int] = {}
        self._acked: dict[ConversationId, int] = {}
        self._count = 0
        self._due_s: float | None = None
        self.floor = floor
        self.sent_count = 0

    @property
    def deadline_s(self) -> float | None:
        """Return when the next ACK is due, or None."""
        return self._due_s

    def durable(self, seen: dict[ConversationId, int], now_s: float) -> None:
        """Note what may be acknowledged: it is durable, and came in this connection."""
        for conversation, seq in seen.items():
            before = max(self._dirty.get(conversation, 0), self._acked.get(conversation, 0))
            if seq > before:
                self._dirty[conversation] = seq
                self._count += seq - before if before else 1
        self._schedule(now_s, bool(self._dirty))

    def ops_done(self, floor: int, now_s: float) -> None:
        """Note that operations below ``floor`` will never be sent again."""
        if floor > self.floor:
            self._count += 1
            self._schedule(now_s, dirty=True)

    def _schedule(self, now_s: float, dirty: bool) -> None:  # noqa: FBT001 - one caller's fact
        if not dirty:
            return
        if self._count >= self._entries_max:
            self._due_s = now_s
        elif self._due_s is None:
            self._due_s = now_s + self._delay_s

    def take(self, floor: int) -> list[Ack]:
        """Return the frames to send now and start anew."""
        cursors = tuple(self._dirty.items())
        self._acked.update(self._dirty)
        self._dirty = {}
        self._count = 0
        self._due_s = None
        self.floor = max(floor, self.floor)
        self.sent_count += len(cursors)
        chunks = range(0, max(len(cursors), 1), ACK_CURSORS_MAX)
        return [Ack(cursors[start : start + ACK_CURSORS_MAX], self.floor) for start in chunks]


class CreditWindow:
    """Grants again what became durable, when half of the window is used."""

    __slots__ = ("_bytes_max", "_bytes_used", "_entries_max", "_entries_used")

    def __init__(self, welcome: Welcome) -> None:
        self._bytes_max = welcome.credit_bytes
        self._entries_max = welcome.credit_entries
        self._bytes_used = 0
        self._entries_used = 0

    def durable(self, frame_bytes: int, entries: int) -> Credit | None:
        """Note what left the window; return the frame to send now, if one is due."""
        self._bytes_used += frame_bytes
        self._entries_used += entries
        half = (
            self._bytes_used * 2 >= self._bytes_max or self._entries_used * 2 >= self._entries_max
        )
        if not half or not self._entries_used:
            return None
        frame = Credit(self._bytes_used, self._entries_used)
        self._bytes_used = self._entries_used = 0
        return frame

"""The order of a device's operations: after one was refused for now, later ones wait for it."""

import threading
from typing import Final

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import ConversationId, DeviceId

from .state import Turn

WAITING_MAX: Final = 1024
"""Operations of one device that are known to wait; a client has no more of them open at once."""


class _Waiting:
    """What waits of one device: per conversation the operations that were refused for now."""

    __slots__ = ("count", "lanes")

    def __init__(self) -> None:
        self.count = 0
        self.lanes: dict[ConversationId, set[int]] = {}

    def add(self, turn: Turn) -> None:
        if self.count < WAITING_MAX and turn.counter not in self.lanes.get(turn.conversation, ()):
            self.lanes.setdefault(turn.conversation, set()).add(turn.counter)
            self.count += 1

    def keep(self, conversation: ConversationId, kept: set[int]) -> None:
        self.count += len(kept) - len(self.lanes.pop(conversation))
        if kept:
            self.lanes[conversation] = kept


class Turns:
    """Which operations hold back the later ones of their device in their conversation.

    Each operation that is refused for now holds back what comes after it, one that is refused for
    no other reason than its order as well: else the next one would pass it when the first is
    accepted. Used by the writer's thread and by the event loop. Nothing here is durable: a new
    session of a device begins with its order free.

    Attributes:
        waiting: of which devices any operation holds others back; empty on most days.
    """

    def __init__(self, devices_max: int) -> None:
        self._devices_max = max(1, devices_max)
        self._lock = threading.Lock()
        self.waiting: dict[DeviceId, _Waiting] = {}

    def check(self, turn: Turn) -> None:
        """Refuse an operation that would overtake an earlier one.

        Raises:
            Refusal: RETRY_ORDER.
        """
        with self._lock:
            waiting = self.waiting.get(turn.device)
            lane = None if waiting is None else waiting.lanes.get(turn.conversation)
            if lane and min(lane) < turn.counter:
                raise Refusal(ErrorCode.RETRY_ORDER)

    def decide(self, turn: Turn, refusal: Refusal | None) -> None:
        """Note what became of an operation: refused for now it holds later ones back."""
        if refusal is not None and refusal.temporary:
            self._hold(turn)
        elif self.waiting:
            self._let_go(turn)

    def _hold(self, turn: Turn) -> None:
        with self._lock:
            waiting = self.waiting.get(turn.device)
            if waiting is None:
                while len(self.waiting) >= self._devices_max:
                    del self.waiting[next(iter(self.waiting))]
                waiting = self.waiting[turn.device] = _Waiting()
            waiting.add(turn)

    def _let_go(self, turn: Turn) -> None:
        """Only the operation itself ends its hold: an older one may have been queued before it."""
        with self._lock:
            waiting = self.waiting.get(turn.device)
            lane = None if waiting is None else waiting.lanes.get(turn.conversation)
            if waiting is not None and lane is not None:
                waiting.keep(turn.conversation, lane - {turn.counter})
                self._tidy(turn.device, waiting)

    def give_up(self, device: DeviceId, floor: int) -> None:
        """Note that a device will not send its operations below ``floor`` again."""
        with self._lock:
            waiting = self.waiting.get(device)
            if waiting is not None:
                for conversation, lane in list(waiting.lanes.items()):
                    waiting.keep(conversation, {one for one in lane if one >= floor})
                self._tidy(device, waiting)

    def _tidy(self, device: DeviceId, waiting: _Waiting) -> None:
        if not waiting.lanes:
            del self.waiting[device]

    def begin(self, device: DeviceId) -> None:
        """Forget everything about a device, whose new session starts afresh."""
        if self.waiting:
            with self._lock:
                self.waiting.pop(device, None)

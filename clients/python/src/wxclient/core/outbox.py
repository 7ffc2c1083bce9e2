"""Operations on their way: in order within a conversation, side by side between them.

An operation is sent for the first time when it is durable, and again after every reconnect, until
the server accepts it or refuses it for good. A temporary refusal holds back its conversation (its
*lane*) and no other. The server refuses later operations of that lane with RETRY_ORDER, so
pipelining never overtakes.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush

from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.frames import Error
from wxclient._protocol.identifiers import ConversationId
from wxclient.exceptions import OutboxFull
from wxclient.limits import CoreLimits
from wxclient.records import OutboxRow

from .backoff import Backoff
from .ports import Entropy
from .tally import Tally


class Stage(Enum):
    """How far an operation is."""

    UNWRITTEN = "unwritten"
    READY = "ready"
    IN_FLIGHT = "in flight"
    RESOLVED = "resolved"


@dataclass(slots=True)
class Lane:
    """The operations of one conversation.

    ``unwritten`` is in the order of the counters: operations are enqueued as they are named.
    """

    backoff: Backoff
    unwritten: deque[int]
    counters: set[int] = field(default_factory=set)
    parked: list[int] = field(default_factory=list)
    retry_s: float | None = None

    def overtakes(self, counter: int) -> bool:
        """Whether an earlier operation is not durable yet, as during another's transaction."""
        return bool(self.unwritten) and self.unwritten[0] < counter


@dataclass(slots=True)
class Pending:
    """One operation."""

    row: OutboxRow
    stage: Stage
    sent: bool = False


class Outbox:
    """Every operation from its creation until its outcome is durable."""

    __slots__ = (
        "_entropy", "_flying", "_lanes", "_limits", "_lowest", "_ops", "_ready", "_tally",
        "_waiting", "bytes", "op_next", "op_next_durable",
    )  # fmt: skip

    def __init__(
        self,
        rows: tuple[OutboxRow, ...],
        op_next: int,
        limits: CoreLimits,
        entropy: Entropy,
        tally: Tally,
    ) -> None:
        self._limits = limits
        self._entropy = entropy
        self._tally = tally
        self._ops: dict[int, Pending] = {}
        self._lanes: dict[ConversationId, Lane] = {}
        self._ready: list[int] = []
        self._lowest: list[int] = []
        self._waiting: set[ConversationId] = set()
        self._flying = 0
        self.bytes = 0
        self.op_next = op_next
        self.op_next_durable = op_next
        self.add_durable(rows, op_next)

    def __len__(self) -> int:
        return len(self._ops)

    def __contains__(self, counter: int) -> bool:
        return counter in self._ops

    @property
    def in_flight(self) -> int:
        """Return how many operations wait for the server's answer."""
        return self._flying

    @property
    def op_last(self) -> int:
        """Return the highest counter that may ever have been sent."""
        return self.op_next_durable - 1

    # -- new operations ------------------------------------------------------------------------

    def allocate(self, body_bytes: int) -> int:
        """Return the counter of a new operation.

        Raises:
            OutboxFull: a limit is reached.
        """
        if (
            len(self._ops) >= self._limits.outbox_ops_max
            or self.bytes + body_bytes > self._limits.outbox_bytes_max
        ):
            raise OutboxFull(f"{len(self._ops)} operations of {self.bytes} bytes wait")
        counter = self.op_next
        self.op_next += 1
        return counter

    def add(self, row: OutboxRow) -> None:
        """Take an operation that is not durable yet."""
        lane = self._lanes.get(row.conversation)
        if lane is None:
            backoff = Backoff(self._limits.retry_min_s, self._limits.retry_max_s, self._entropy)
            unwritten: deque[int] = deque(maxlen=self._limits.outbox_ops_max)
            lane = self._lanes[row.conversation] = Lane(backoff, unwritten)
        lane.counters.add(row.counter)
        lane.unwritten.append(row.counter)
        self._ops[row.counter] = Pending(row, Stage.UNWRITTEN)
        heappush(self._lowest, row.counter)
        self.bytes += row.body_bytes

    def written(self, counters: list[int], op_next: int) -> None:
        """Note that these are durable and may be sent."""
        for counter in counters:
            pending = self._ops[counter]
            assert pending.stage is Stage.UNWRITTEN, "an operation is written once"
            pending.stage = Stage.READY
            lane = self._lanes[pending.row.conversation]
            lane.unwritten.remove(counter)
            heappush(lane.parked, counter)
            self._release(lane)
        self.op_next_durable = max(self.op_next_durable, op_next)

    def add_durable(self, rows: tuple[OutboxRow, ...], op_next: int) -> None:
        """Take operations that somebody else made durable."""
        for row in rows:
            self.add(row)
        self.written([row.counter for row in rows], op_next)

    # -- sending -------------------------------------------------------------------------------

    def next_ready(self, ceiling: int) -> OutboxRow | None:
        """Return the operation to send now, if one below ``ceiling`` may go.

        The caller sends it at once.
        """
        while self._ready and self._ready[0] < ceiling:
            counter = heappop(self._ready)
            pending = self._ops[counter]
            lane = self._lanes[pending.row.conversation]
            if lane.retry_s is not None or lane.overtakes(counter):
                heappush(lane.parked, counter)
                continue
            self._tally.resends += pending.sent
            pending.stage, pending.sent = Stage.IN_FLIGHT, True
            self._flying += 1
            return pending.row
        return None

    def held_back(self, ceiling: int) -> bool:
        """Whether an operation waits only because its counter is not below ``ceiling``."""
        return bool(self._ready) and self._ready[0] >= ceiling

    def connection_lost(self) -> None:
        """Make everything in flight ready again; order is that of the counters."""
        self._flying = 0
        for counter, pending in self._ops.items():
            if pending.stage is Stage.IN_FLIGHT:
                pending.stage = Stage.READY
                heappush(self._ready, counter)

    # -- answers -------------------------------------------------------------------------------

    def row(self, counter: int) -> OutboxRow:
        """Return an operation that is in flight."""
        return self._ops[counter].row

    def resolved(self, counter: int) -> None:
        """Note the outcome of an operation; it counts as open until that is durable."""
        pending = self._ops[counter]
        pending.stage = Stage.RESOLVED
        self._flying -= 1
        lane = self._lanes[pending.row.conversation]
        lane.backoff.reset()
        lane.counters.discard(counter)
        if not lane.counters:
            self._waiting.discard(pending.row.conversation)
            del self._lanes[pending.row.conversation]

    def forget(self, counters: list[int]) -> None:
        """Drop operations whose outcome is durable."""
        for counter in counters:
            self.bytes -= self._ops.pop(counter).row.body_bytes

    def refused_for_now(self, counter: int, error: Error, now_s: float) -> None:
        """Keep an operation for later."""
        self._tally.retries += 1
        self._flying -= 1
        pending = self._ops[counter]
        pending.stage = Stage.READY
        lane = self._lanes[pending.row.conversation]
        follows = error.code == ErrorCode.RETRY_ORDER and min(lane.counters) < counter
        if follows:
            target = self._ready if lane.retry_s is None else lane.parked
            heappush(target, counter)
            return
        heappush(lane.parked, counter)
        wait_s = lane.backoff.next_s(error.retry_after_ms / 1000)
        lane.retry_s = max(lane.retry_s or 0.0, now_s + wait_s)
        self._waiting.add(pending.row.conversation)

    # -- time ----------------------------------------------------------------------------------

    @property
    def deadline_s(self) -> float | None:
        """Return when a lane may go on, or None."""
        times = [self._lanes[conversation].retry_s for conversation in self._waiting]
        return min((time for time in times if time is not None), default=None)

    def on_time(self, now_s: float) -> None:
        """Let lanes go on whose wait is over."""
        for conversation in tuple(self._waiting):
            lane = self._lanes[conversation]
            if lane.retry_s is not None and lane.retry_s <= now_s:
                lane.retry_s = None
                self._waiting.discard(conversation)
                self._release(lane)

    def _release(self, lane: Lane) -> None:
        """Let the parked operations of a lane go on, unless it waits for its time."""
        if lane.retry_s is None:
            for counter in lane.parked:
                heappush(self._ready, counter)
            lane.parked.clear()

    def floor(self) -> int:
        """Return the counter below which nothing will ever be sent again.

        Only what is durable counts: after a crash an unwritten operation's counter is used anew.
        """
        while self._lowest and self._lowest[0] not in self._ops:
            heappop(self._lowest)
        lowest = self._lowest[0] if self._lowest else self.op_next
        return min(lowest, self.op_next_durable)

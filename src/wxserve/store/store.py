"""The store as other rooms see it: submit work, read ranges, ask what is committed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import trio

from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Accepted, Register
from wxserve.protocol.frames import Member as MemberRow
from wxserve.protocol.identifiers import AccountId, ConversationId, DeviceId

from . import reading
from .conversations import AdminFrame, perform, turn_of
from .cursors import Cursors, note_awake, note_seen
from .directory import Ballast
from .driver import Driver
from .errors import StoreFailedError
from .limits import StoreLimits
from .memory import Memory
from .operations import Caller, Request
from .ports import Clock
from .reading import Piece, Range
from .space import Space
from .standings import Standings
from .starting import Timeline
from .state import Append, Conversation, Device, Entry, Intervals
from .transaction import Transaction
from .units import Look, Outcome, Unit, Work
from .upkeep import Upkeep
from .writer import Writer

T = TypeVar("T")


class View(NamedTuple):
    """What a device may see of a conversation, and how much of it to read at once.

    Attributes:
        intervals: of its account.
        first_position: entries before it are not visible to the device; 0 for no such limit.
        rows_max: how many entries at most.
        bytes_max: after how many bytes of frames to stop; one entry always comes.
    """

    intervals: Intervals
    first_position: int
    rows_max: int
    bytes_max: int


class Store:
    """Durable state. Everything here is called in the event loop and returns at once.

    Attributes:
        limits: its bounds.
        timeline: which history of the log is in force.
        cursors: what devices have acknowledged and is not written yet.
        writer: runs what is submitted.
        standings: reads an account's conversations.
        append: appends a message with the next commit; its ``done`` is called after it.
    """

    def __init__(
        self, driver: Driver, memory: Memory, timeline: Timeline, clock: Clock, limits: StoreLimits
    ) -> None:
        self._driver = driver
        self._memory = memory
        self._clock = clock
        self._reads_waiting = 0
        self.limits = limits
        self.timeline = timeline
        self.cursors = Cursors()
        self.writer = Writer(driver, memory, clock, limits)
        self.append: Callable[[Append], None] = self.writer.submit
        self.standings = Standings(self.read, self.writer, memory, self.cursors, limits)
        self._failed = trio.Event()
        self._settled = trio.Event()
        self.writer.on_failed = self._failed.set
        self.writer.on_settled = self._tell_settled
        self._upkeep: Upkeep | None = None

    # -- what is committed ---------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The last committed position."""
        return self._memory.position

    def cached(self, conversation: ConversationId) -> Conversation | None:
        """Return a conversation if it is in memory; it is the committed truth then."""
        return self._memory.conversations.get(conversation)

    def device(self, device: DeviceId) -> Device | None:
        """Return a device if it is in memory."""
        return self._memory.devices.get(device)

    def with_conversation(
        self, conversation: ConversationId, done: Callable[[Conversation | Refusal | None], None]
    ) -> None:
        """Call ``done`` with a conversation, at once if it is in memory.

        None if there is none; a refusal, always temporary, if it could not be loaded now.
        """
        state = self.cached(conversation)
        if state is not None:
            done(state)
            return

        def loaded(value: Conversation | Refusal | None, entries: tuple[Entry, ...]) -> None:
            del entries
            done(value)

        self.look(lambda tx: tx.conversation(conversation), loaded)

    def with_device(
        self, device: DeviceId, done: Callable[[Device | Refusal | None], None]
    ) -> None:
        """Call ``done`` with a device as all that was submitted before has left it.

        None if there is none; a refusal, always temporary, if it could not be loaded now.
        """

        def loaded(value: Device | Refusal | None, entries: tuple[Entry, ...]) -> None:
            del entries
            done(value)

        self.look(lambda tx: tx.device(device), loaded)

    def changed_after(self, account: AccountId, position: int) -> bool:
        """Whether anything the account sees may have changed after a position; costs nothing."""
        return self._memory.changed_after(account, position)

    # -- writing -------------------------------------------------------------------------------

    def look(self, work: Work[T], done: Outcome[T]) -> None:
        """Look at the state after all that was submitted before; see ``units.Look``."""
        self.writer.submit(Look(work, done))

    def submit(self, work: Work[T], done: Outcome[T]) -> None:
        """Run a unit of work with the next commit; ``done`` is called after it.

        Args:
            work: the function.
            done: gets its value, or the refusal.
        """
        self.writer.submit(Unit(work, done))

    def administer(self, caller: Caller, frame: AdminFrame, done: Outcome[Accepted]) -> None:
        """Carry out an operation on a conversation with the next commit."""

        def work(tx: Transaction) -> Accepted:
            return perform(Request(tx, caller, self.limits), frame)

        turn = turn_of(frame, caller)
        self.writer.submit(Unit(work, done, always=True, turn=turn))

    async def run(self, work: Work[T]) -> T:
        """Run a unit of work and return its value.

        Raises:
            Refusal: the unit refused, or the store could not take it.

        Cancellation: the unit may or may not be committed.
        """
        finished = trio.Event()
        results: list[T | Refusal] = []

        def done(value: T | Refusal, entries: tuple[Entry, ...]) -> None:
            del entries
            results.append(value)
            finished.set()

        self.submit(work, done)
        await finished.wait()
        (result,) = results
        if isinstance(result, Refusal):
            raise result
        return result

    def acknowledge(self, device: DeviceId, conversation: ConversationId, seq: int) -> None:
        """Raise a device's cursor; written with the next flush."""
        self.cursors.waiting.raise_to(device, conversation, seq)

    def raise_floor(self, device: DeviceId, floor: int) -> None:
        """Note that a device will never again send an operation below ``floor``."""
        state = self._memory.devices.get(device)
        if state is not None:
            self._raise_floor(state, floor)
            return

        def loaded(value: Device | Refusal | None) -> None:
            if isinstance(value, Device):
                self._raise_floor(value, floor)

        self.with_device(device, loaded)

    def begin_order(self, device: DeviceId) -> None:
        """Let the order of a device's operations begin afresh, with the session that begins now.

        As a unit of its own, because units run in order: what the device's earlier connection sent
        until it was replaced still keeps the order that it had there.
        """
        if self._memory.turns.waiting:
            self.look(lambda tx: tx.turns.begin(device), lambda _, __: None)

    def _raise_floor(self, state: Device, floor: int) -> None:
        """Believe it even above the last accepted operation: refused ones are done with, too."""
        self._memory.turns.give_up(state.id, floor)
        if floor > state.op_floor:
            state.op_floor = floor
            state.ops = {c: accepted for c, accepted in state.ops.items() if c >= floor}
            self.cursors.waiting.floors[state.id] = floor

    def note_log_in(self, device: Device) -> None:
        """Note that a device logged in now."""
        note_seen(self.cursors, device, self._clock.now_ms())
        note_awake(self._memory, self.cursors, device.id)

    def note_awake(self, device: DeviceId) -> None:
        """Note that a device is connected: only one that stays away goes dormant."""
        note_awake(self._memory, self.cursors, device)

    def flush_cursors(self) -> None:
        """Write the cursors now, not with the next regular flush."""
        if self._upkeep is not None:
            self._upkeep.flush_cursors()

    # -- reading -------------------------------------------------------------------------------

    def read(
        self, work: Callable[[sqlite3.Connection], T], done: Callable[[T | None], None]
    ) -> bool:
        """Run a read; ``done`` gets its value, or None when it failed.

        Returns:
            False when too many reads wait; ``done`` is not called then.
        """
        if self._reads_waiting >= self.limits.reads_queued_max:
            return False
        self._reads_waiting += 1

        def finished(value: T | None, error: BaseException | None) -> None:
            self._reads_waiting -= 1
            if error is not None:
                self.writer.on_defect(error)
            done(value)

        self._driver.read(work, finished)
        return True

    def read_range(self, wanted: Range, done: Callable[[list[Piece] | None], None]) -> bool:
        """Read entries of one conversation; see ``reading.read_range``."""
        return self.read(lambda sql: reading.read_range(sql, wanted), done)

    def read_ranges(
        self, wanted: list[Range], done: Callable[[list[list[Piece]] | None], None]
    ) -> bool:
        """Read entries of several conversations in one read transaction."""
        return self.read(lambda sql: [reading.read_range(sql, one) for one in wanted], done)

    def range_of(self, conversation: ConversationId, first: int, last: int, view: View) -> Range:
        """Describe a read of committed entries ``first`` … ``last`` for ``read_range``."""
        unmerged = tuple(self._memory.tail.find(conversation, first, last))
        return Range(
            conversation,
            first,
            last,
            view.intervals,
            view.first_position,
            last - len(unmerged) + 1,
            unmerged,
            view.rows_max,
            view.bytes_max,
            self._memory.running.now_ms(),
        )

    def read_registers(
        self, account: AccountId, after: int, done: Callable[[list[Register] | None], None]
    ) -> bool:
        """Read a slice of an account's registers changed after a position."""
        rows_max = self.limits.read_rows_max
        return self.read(lambda sql: reading.read_registers(sql, account, after, rows_max), done)

    def read_members(
        self,
        conversation: ConversationId,
        after: bytes,
        rows_max: int,
        done: Callable[[list[MemberRow] | None], None],
    ) -> bool:
        """Read a page of a conversation's members."""
        return self.read(lambda sql: reading.read_members(sql, conversation, after, rows_max), done)

    # -- life ----------------------------------------------------------------------------------

    async def wait_failed(self) -> str:
        """Return why the store has stopped for good, when it has.

        Cancellation: changes nothing.
        """
        await self._failed.wait()
        return self.writer.failed

    async def wait_idle(self) -> None:
        """Return when nothing waits for a commit and none is under way.

        Raises:
            StoreFailedError: the store stopped before that.

        Cancellation: changes nothing.
        """
        if self.writer.idle:
            await trio.lowlevel.checkpoint()
            return
        await self._settled.wait()
        if self.writer.failed:
            raise StoreFailedError(self.writer.failed)

    def _tell_settled(self) -> None:
        settled, self._settled = self._settled, trio.Event()
        settled.set()

    async def maintain(self, directory: Path) -> None:
        """Do the housekeeping for ever: flush, merge, prune, recover space.

        Cancellation: what was begun is settled by the writer.
        """
        size_bytes = self.limits.ballast_bytes
        self._upkeep = Upkeep(self._driver, self.writer, self._memory, self.cursors, self.limits)
        await self._upkeep.run(Space(Ballast(directory, size_bytes), size_bytes))

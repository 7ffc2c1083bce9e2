"""The tasks of a client: dial, read, write, commit, keep time. All protocol state is the core's.

SQLite never runs in the event loop: a commit with ``synchronous=FULL`` takes as long as the disk's
flush, 0.1 to 30 ms. Handing it to a thread costs about 0.1 ms, and what arrives meanwhile joins the
next batch.
"""

import ssl
from math import inf
from typing import Final

import anyio
from anyio.abc import ByteStream

from wxclient._protocol.identifiers import OpId
from wxclient.address import Address, Dial, Dialled
from wxclient.core.client_core import ClientCore
from wxclient.events import TimelineChanged
from wxclient.exceptions import NotLoopback, PinMismatch, StateError
from wxclient.options import Options
from wxclient.records import Batch, OutboxRow

from .dialling import dial
from .file_access import FileAccess
from .reporter import Reporter
from .signals import Signal

_GONE: Final = (
    OSError, ssl.SSLError, EOFError, anyio.EndOfStream, anyio.BrokenResourceError,
    anyio.ClosedResourceError, anyio.BusyResourceError,
)  # fmt: skip
"""What a broken connection raises, whatever it is made of."""


class Engine:
    """Runs a core against a socket, a file and the clock."""

    def __init__(
        self, core: ClientCore, file: FileAccess, reporter: Reporter, options: Options
    ) -> None:
        self._options = options
        self._dial: Dial = options.dial or dial
        self._reporter = reporter
        self._commit_wanted = Signal()
        self._bytes_wanted = Signal()
        self._time_changed = Signal()
        self._relieved = Signal()
        self._flushed = Signal()
        self._armed_s = inf
        self._connection_scope: anyio.CancelScope | None = None
        self._clip: TimelineChanged | None = None
        self.core = core
        self.file = file
        self.commits = 0

    # -- tasks ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep connected until the core stops for good.

        Cancellation: the connection is closed, a commit under way is finished.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._commit_batches)
            tasks.start_soon(self._keep_time)
            self.touch()
            while (dial_at := self.core.dial_at) is not None:
                await anyio.sleep_until(dial_at)
                await self._connect()
                await self._clip_state()
            tasks.cancel_scope.cancel()

    async def _connect(self) -> None:
        """Open one connection and use it until it ends."""
        identity = self.core.identity
        self.core.dialling()
        self.touch()
        try:
            with anyio.fail_after(self._options.shell.dial_deadline_s):
                address = Address(identity.host, identity.port, identity.tls, identity.pins)
                dialled = await self._dial(address)
        except (PinMismatch, NotLoopback) as error:
            self.core.stop(error)
            self.touch()
            return
        except _GONE as error:  # TimeoutError is an OSError
            self._lost(error)
            return
        try:
            await self._talk(dialled)
        finally:
            await anyio.aclose_forcefully(dialled.stream)

    async def _talk(self, dialled: Dialled) -> None:
        lost: list[Exception] = []
        try:
            async with anyio.create_task_group() as tasks:
                self._connection_scope = tasks.cancel_scope
                self.core.connected(dialled.binding)
                self.touch()
                tasks.start_soon(self._write, dialled.stream, lost)
                await self._read(dialled.stream, lost)
                tasks.cancel_scope.cancel()
        finally:
            self._connection_scope = None
            self._lost(lost[0] if lost else None)

    def _lost(self, reason: Exception | None) -> None:
        self.core.connection_lost(reason)
        self._relieved.set()
        self.touch()

    async def _read(self, stream: ByteStream, lost: list[Exception]) -> None:
        """Read until the end; pause while too much waits to become durable."""
        try:
            while not self.core.hang_up:
                data = await stream.receive(self._options.shell.read_bytes)
                self.core.receive_data(data)
                self.touch()
                while self.core.crowded and not self.core.hang_up:
                    await self._relieved.wait()
        except _GONE as error:
            lost.append(error)

    async def _write(self, stream: ByteStream, lost: list[Exception]) -> None:
        """Write whatever the core wants to send, as much as there is at a time."""
        try:
            while True:
                while data := self.core.data_to_send():
                    await stream.send(data)
                    self.touch()
                self._flushed.set()
                await self._bytes_wanted.wait()
        except _GONE as error:
            lost.append(error)
            if self._connection_scope is not None:
                self._connection_scope.cancel()

    async def _commit_batches(self) -> None:
        while True:
            await self._commit_wanted.wait()
            await self.commit()

    async def commit(self) -> None:
        """Make durable what the core gathered; a failure stops the client.

        Cancellation: only before the transaction; once begun it is finished and told.
        """
        async with self.file.lock:
            with anyio.CancelScope(shield=True):
                await self._commit_locked()

    async def _commit_locked(self) -> None:
        while (batch := self.core.take_batch()) is not None:
            try:
                await self._write_batch(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may go on
                failure = StateError(f"the state cannot be written: {error}")
                failure.__cause__ = error
                self.core.stop(failure)
                self.touch()
                return
            self.core.batch_committed(batch)
            self._relieved.set()
            self.touch()

    async def _write_batch(self, batch: Batch) -> None:
        if batch.durable:
            limits = self._options.core
            await self.file.thread(lambda: self.file.state.commit(batch, limits))
            self.commits += 1

    async def _keep_time(self) -> None:
        while True:
            deadline_s = self.core.next_deadline()
            self._armed_s = inf if deadline_s is None else deadline_s
            with anyio.CancelScope(deadline=self._armed_s):
                await self._time_changed.wait()
            if anyio.current_time() >= self._armed_s:
                self.core.on_time()
                self.touch()

    async def _clip_state(self) -> None:
        """Follow a server that was restored to an earlier point of our timeline."""
        if self._clip is None:
            return
        await self.commit()
        async with self.file.lock:
            timeline, cut = self._clip
            snapshot = await self.file.thread(lambda: self.file.state.clip(timeline, cut))
            self.core.clipped(snapshot)
        self._clip = None

    async def finish(self) -> None:
        """Make durable what waits, and send the last acknowledgement if there is a connection.

        Cancellation: what is not durable yet stays undone; nothing that was told is lost.
        """
        await self.commit()
        self.core.close()
        if self._connection_scope is not None and self.core.has_data_to_send:
            self._flushed = Signal()
            self.touch()
            await self._flushed.wait()

    # -- after every step of the core ----------------------------------------------------------

    def touch(self) -> None:
        """Pass on what the core's last step brought: events, and work for the other tasks."""
        for event in self.core.take_events():
            if isinstance(event, TimelineChanged):
                self._clip = event
            self._reporter.dispatch(event)
        if self.core.has_batch:
            self._commit_wanted.set()
        if self.core.has_data_to_send:
            self._bytes_wanted.set()
        deadline_s = self.core.next_deadline()
        if deadline_s is not None and deadline_s < self._armed_s:
            self._time_changed.set()
        if self.core.hang_up and self._connection_scope is not None:
            self._connection_scope.cancel()

    # -- operations ----------------------------------------------------------------------------

    def enqueue(self, row: OutboxRow) -> None:
        """Put an operation into the outbox."""
        self.core.enqueue(row)
        self.touch()

    def stored(self, rows: list[OutboxRow]) -> int:
        """Tell the core of operations that a transaction stored; return the next counter."""
        if rows:
            self.core.enqueue_durable(tuple(rows), self.core.op_next)
            self.touch()
        return self.core.op_next

    def waits_for(self, op: OpId) -> bool:
        """Whether the outcome of an operation is still open."""
        return self.core.waits_for(op)

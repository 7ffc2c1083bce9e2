"""A device of a simulation: the real ``ClientCore``, a durable state that can crash, a connection."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import trio

from tests.sim.book import Place
from tests.sim.durable import Durable
from wxclient._protocol import frames as f
from wxclient._protocol.envelope import encode_envelope as pack_envelope
from wxclient._protocol.envelope import message
from wxclient._protocol.frames import Frame
from wxclient._protocol.identifiers import AccountId, ConversationId, DeviceId, OpId
from wxclient._protocol.transcript import NO_BINDING
from wxclient.core.client_core import ClientCore
from wxclient.events import ConnectionState, Failed, StateChanged
from wxclient.exceptions import ConnectionReplaced
from wxclient.limits import CoreLimits
from wxclient.records import Batch
from wxclient.refusals import DeviceRevoked, ProtocolViolation
from wxserve.testing.network import Wire

if TYPE_CHECKING:
    from tests.sim.world import World

Step = Callable[[], None]
DISK_S = 0.01
"""The longest a commit takes."""


class Client:
    """One device, through all lives of its program.

    Attributes:
        durable: what survives a crash.
        core: of the present life; None while the program does not run.
        wire: the present connection.
        online: the present connection has synchronised.
        frozen: the program is stopped, as by SIGSTOP: it neither reads nor writes.
        revoked: the device was told that it may not come any more.
        duplicates: what came again, in all lives.
    """

    def __init__(self, world: "World", name: str, durable: Durable, limits: CoreLimits) -> None:
        self._world = world
        self._random = Random(f"{world.seed}/{name}")
        self._limits = limits
        self._life = 0
        self._armed_s = 0.0
        self._writing: Batch | None = None
        self._batch_out = False
        self._dialling = False
        self._postponed: list[Step] = []
        self.name = name
        self.durable = durable
        self.core: ClientCore | None = None
        self.wire: Wire | None = None
        self.online = False
        self.frozen = False
        self.revoked = False
        self.duplicates = 0

    # -- lives ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the program on what is durable."""
        self._begin_life()
        self.frozen = self.online = False
        self.core = ClientCore(
            self.durable.snapshot(),
            clock=trio.current_time,
            entropy=self._random.randbytes,
            limits=self._limits,
        )
        self.touch()

    def crash(self, *, silent: bool, committed: bool) -> None:
        """Kill the program; what was not durable is lost.

        Args:
            silent: the server does not hear of the end of the connection.
            committed: what was being written reaches the disk all the same.
        """
        if self.core is None:
            return
        if self._writing is not None and committed:
            self._write(self._writing)
        self._end(silent=silent)

    def _begin_life(self) -> None:
        self._life += 1
        self._armed_s = float("inf")
        self._writing = None
        self._batch_out = self._dialling = False
        self._postponed.clear()

    def _end(self, *, silent: bool = False) -> None:
        self.count()
        self._begin_life()
        self.core = None
        self._drop(silent=silent)

    def freeze(self) -> None:
        """Stop the program without ending it, as SIGSTOP does."""
        self.frozen = self.core is not None

    def thaw(self) -> None:
        """Let the program go on."""
        self.frozen = False
        postponed, self._postponed = self._postponed, []
        for step in postponed:
            step()
        if self.core is not None:
            self.core.on_time()
            self.touch()

    def count(self) -> None:
        """Add up what the present life has counted."""
        if self.core is not None:
            self.duplicates += self.core.tally.duplicates
            self.core.tally.duplicates = 0
            if self.core.tally.violations:
                self._world.oracle.blame(f"{self.name} saw a rule of the protocol broken")

    def _drop(self, *, silent: bool = False) -> None:
        wire, self.wire = self.wire, None
        self.online = False
        if wire is not None:
            (wire.vanish if silent else wire.hang_up)()

    def _later(self, delay_s: float, call: Step) -> None:
        """Call something, unless the program has ended meanwhile."""
        life = self._life

        def go() -> None:
            if self._life != life:
                return
            if self.frozen:
                self._postponed.append(go)
            else:
                call()

        self._world.agenda.after(delay_s, go)

    # -- after every step of the core ----------------------------------------------------------

    def touch(self) -> None:
        """Do what the core's last step asks for."""
        core = self.core
        if core is None or self.frozen:
            return
        for event in core.take_events():
            if isinstance(event, StateChanged):
                self._changed(event)
            elif isinstance(event, Failed):
                self._failed(event.error)
        if self.core is not core:
            return
        if core.hang_up:
            self._drop()
            core.connection_lost()
            self.touch()
            return
        self._send(core)
        if not self._batch_out and core.has_batch:
            self._commit(core)
        if self.wire is not None:
            self.wire.down.resume()
        self._dial(core)
        self._arm(core)

    def _changed(self, event: StateChanged) -> None:
        self.online = event.state is ConnectionState.ONLINE
        self._world.note(self.name, event.state.value)
        if isinstance(event.reason, ProtocolViolation):
            self._world.oracle.blame(f"{self.name} was told to have broken a rule: {event.reason}")

    def _failed(self, error: Exception) -> None:
        """End the program; one that was replaced is started again by its user."""
        self._end()
        if isinstance(error, DeviceRevoked) and self.device in self._world.oracle.revocations:
            self.revoked = True
        elif isinstance(error, ConnectionReplaced):
            self._world.fired["replaced"] += 1
            self._world.agenda.after(self._random.random(), self.revive)
        else:
            self._world.oracle.blame(
                f"{self.name} stopped for good: {type(error).__name__} {error}"
            )

    def revive(self) -> None:
        """Start the program, if it does not run and may."""
        if self.core is None and not self.revoked:
            self.start()

    def _send(self, core: ClientCore) -> None:
        wire = self.wire
        while wire is not None and wire.up.has_room and core.has_data_to_send:
            wire.write(core.data_to_send())

    def _commit(self, core: ClientCore) -> None:
        """Write a batch, and tell the core a moment later; a crash may come in between."""
        batch = core.take_batch()
        assert batch is not None
        self._writing, self._batch_out = batch, True

        def written() -> None:
            self._write(batch)
            self._writing = None
            self._later(self._random.random() * DISK_S, told)

        def told() -> None:
            self._batch_out = False
            core.batch_committed(batch)
            self.touch()

        self._later(self._random.random() * DISK_S, written)

    def _write(self, batch: Batch) -> None:
        self.durable.commit(batch)
        identity = self.durable.identity
        if identity.device is None:
            return
        oracle, device = self._world.oracle, identity.device
        oracle.stored(
            device,
            [
                (Place(e.conversation, e.seq, e.position, e.time_ms), e.sender, e.envelope)
                for e in batch.entries
            ],
        )
        oracle.kept_registers(device, self.durable.registers)
        for entry in batch.entries:
            self._world.stored(self, entry)
        for gap in batch.gaps:
            oracle.gone(device, gap.conversation, gap.first, gap.through)
        for row in batch.ops:
            oracle.wanted(device, device + row.counter.to_bytes(8, "big"), batch.op_next)
        for outcome in batch.outcomes:
            oracle.resolved(device, outcome.op, outcome.refused.code if outcome.refused else 0)

    # -- the connection ------------------------------------------------------------------------

    def _dial(self, core: ClientCore) -> None:
        if core.dial_at is None or self.wire is not None or self._dialling:
            return
        self._dialling = True

        def dial() -> None:
            self._dialling = False
            core.dialling()
            wire = self._world.connect(self)
            if wire is None:
                core.connection_lost(ConnectionRefusedError("no server"))
            else:
                self.wire = wire
                wire.down.deliver = lambda data: self._received(wire, data)
                wire.down.on_arrived = self.touch
                wire.down.ready = lambda: not self.frozen and not core.crowded
                wire.down.on_end = lambda: self._ended(wire)
                wire.up.on_room = self.touch
                core.connected(NO_BINDING)
            self.touch()

        self._later(max(0.0, core.dial_at - trio.current_time()), dial)

    def _received(self, wire: Wire, data: bytes) -> None:
        if self.wire is wire and self.core is not None:
            self.core.receive_data(data)

    def _ended(self, wire: Wire) -> None:
        if self.frozen:
            self._postponed.append(lambda: self._ended(wire))
        elif self.wire is wire and self.core is not None:
            self._drop()
            self.core.connection_lost(ConnectionResetError("the connection is gone"))
            self.touch()

    def _arm(self, core: ClientCore) -> None:
        deadline_s = core.next_deadline()
        if deadline_s is None or deadline_s >= self._armed_s:
            return
        self._armed_s = deadline_s

        def due() -> None:
            if self._armed_s == deadline_s:
                self._armed_s = float("inf")
                core.on_time()
                self.touch()

        self._later(deadline_s - trio.current_time(), due)

    # -- what its user does --------------------------------------------------------------------

    @property
    def device(self) -> DeviceId | None:
        """Return who it is, durably."""
        return self.durable.identity.device

    @property
    def account(self) -> AccountId | None:
        """Return whose it is, durably."""
        return self.durable.identity.account

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done."""
        core = self.core
        return (
            core is not None
            and self.online
            and not core.outbox_size
            and not self._batch_out
            and not core.has_batch
        )

    def send(self, conversation: ConversationId, body: bytes, ttl_s: int = 0) -> None:
        """Write a message."""

        def compose(op: OpId) -> tuple[ConversationId, Frame]:
            envelope = pack_envelope(message(conversation, op, body, ttl_s=ttl_s))
            return conversation, f.Send(envelope)

        self.operate(compose)

    def ask(self, frame: Frame) -> None:
        """Ask for something that is no operation; a crash forgets it."""
        if self.core is not None and self.device is not None and not self.frozen:
            self.core.request(frame)
            self.touch()

    def operate(self, compose: Callable[[OpId], tuple[ConversationId, Frame]]) -> None:
        """Put an operation into the outbox: where it belongs, and the frame that carries it."""
        core = self.core
        if core is not None and self.device is not None and not self.frozen:
            op = core.next_op()
            core.enqueue(core.row(op, *compose(op)))
            self.touch()

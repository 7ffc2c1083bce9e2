"""The real router and store on simulated time, the devices around them, and the model beside them."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import trio

from tests.property.delivery_answers import Answers
from tests.property.delivery_audit import Audit
from tests.property.delivery_log import DIRECT, GROUP, Row, Wish
from tests.property.delivery_model import Model
from tests.property.delivery_peer import Peer
from tests.property.stepper import Stepper
from wxserve.protocol import frames as f
from wxserve.protocol.identifiers import direct_conversation, group_conversation, op_id
from wxserve.router.limits import AdmissionLimits, Budget, Rate, RouterLimits
from wxserve.store.directory import DATABASE_NAME
from wxserve.store.driver_seeded import Cut
from wxserve.store.limits import StoreLimits
from wxserve.testing.memory import MemoryServer, TestClock, memory_server

KEEP_S = 6.0
"""How long acknowledged entries are kept."""
KEEP_S_MAX = 20.0
DOWNTIME_COUNTED_MS = 86_400_000
"""What is believed at most of the time that the wall clock says has passed between two lives."""
QUIET_S = 40.0
"""Virtual seconds in which everybody must have everything once the network is calm."""

STORE_TINY: StoreLimits = StoreLimits(
    ballast_bytes=0, maintenance_s=1.0, keep_acknowledged_s=KEEP_S, keep_s_max=KEEP_S_MAX
)
"""Keeps little, and not for long."""


@dataclass(frozen=True)
class Config:
    """What one example runs with."""

    seed: int = 0
    accounts: int = 3
    talking: bool = True
    twins: bool = False
    router: RouterLimits = field(default_factory=RouterLimits)
    store: StoreLimits = field(default_factory=lambda: STORE_TINY)
    sends: Budget | None = None

    @property
    def admission(self) -> AdmissionLimits:
        """Return the budgets: the usual ones, or few messages a second."""
        return AdmissionLimits(send=self.sends) if self.sends else AdmissionLimits()


FEW_SENDS = Budget(Rate(5, 3), None, None)


class World:
    """A server through all its lives, its devices, and the model.

    Attributes:
        server: the present life.
        codes: invite code to the device it enrolled.
        clock: the server's; only its wall clock jumps.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.model = Model()
        self.model.may_be_late = self._may_be_late
        self.answers = Answers(self)
        self.peers: list[Peer] = []
        self.codes: dict[bytes, bytes] = {}
        self.clock = TestClock()
        self._offset_min_ms = self.clock.offset_ms
        self._counted_ms = 0
        self._looked_ms = 0
        self._born_ms: dict[int, int] = {}
        self.defects: list[BaseException | None] = []
        self._crash: BaseException | None = None
        self._lives = 0
        self._random = Random(config.seed)
        self._directory = Path(tempfile.mkdtemp())
        self._stepper = Stepper(config.seed)
        self.server: MemoryServer
        self.audit: Audit
        try:
            self._stepper.run(self._begin)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End everything."""
        self._stepper.close()
        if hasattr(self, "audit"):
            self.audit.close()
        shutil.rmtree(self._directory)

    # -- lives of the server -------------------------------------------------------------------

    async def _begin(self) -> None:
        await self._open()
        self.audit = Audit(self._directory / DATABASE_NAME, self.model)
        for _ in range(self.config.accounts):
            await self._enrol(self.server.invites.issue(3600))
        if self.config.twins:
            await self._enrol(self.server.invites.issue(3600, self.peers[0].account))
        if self.config.talking:
            await self._begin_talking()

    async def _begin_talking(self) -> None:
        """Let everybody follow, in one group and one direct conversation."""
        first, *others = self.peers
        accounts = tuple(peer.account for peer in others if peer.account != first.account)
        group = group_conversation(first.next_op())
        create = f.Create(op_id(first.device, first.counter), GROUP, accounts, b"")
        first.operate(Wish("create", group, accounts, GROUP), create)
        direct = direct_conversation(first.account, accounts[0])
        create = f.Create(first.next_op(), DIRECT, accounts[:1], b"")
        first.operate(Wish("create", direct, accounts[:1], DIRECT), create)
        await self.let_pass(0.2)
        for peer in others[: len(accounts)]:
            accept = f.Accept(peer.next_op(), group)
            peer.operate(Wish("accept", group, (peer.account,)), accept)
        for peer in self.peers:
            peer.sync(256)
        for _ in range(3):
            await self.let_pass(0.1)
            for peer in self.peers:
                peer.session_pump()

    async def _enrol(self, code: bytes) -> None:
        self.add_peer(code)
        peer = self.peers[-1]
        peer.connect()
        for _ in range(2):
            await self.let_pass(0.1)
            peer.session_pump()
        assert peer.online, "enrolment did not work"

    def add_peer(self, code: bytes) -> None:
        """Bring in a new device that has an invite code."""
        self.peers.append(Peer(self, self._random.randbytes(32), code))

    async def _open(self) -> None:
        self._lives += 1
        self._count_downtime()
        self._stop, self._ended = trio.Event(), trio.Event()
        started = trio.Event()
        self._stepper.nursery.start_soon(self._live, started)
        await started.wait()
        self._check_health()

    async def _live(self, started: trio.Event) -> None:
        config = self.config
        try:
            async with memory_server(
                self._directory,
                seed=config.seed * 1000 + self._lives,
                clock=self.clock,
                router_limits=config.router,
                store_limits=config.store,
                admission=config.admission,
            ) as server:
                self.server = server
                server.store.writer.on_defect = self.defects.append
                started.set()
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001 - shown with the step that caused it
            self._crash = error
        finally:
            started.set()
            self._ended.set()

    async def _close(self) -> None:
        self._stop.set()
        await self._ended.wait()

    async def crash(self, when: Cut, share: float) -> None:
        """Cut the power; devices may still get the first part of what was written."""
        self.server.driver.cut(when)
        for _ in range(100):
            if not self.server.driver.is_cut:
                await trio.sleep(0.001)
        self.server.driver.is_cut = True
        for peer in self.peers:
            peer.drop(share)
            peer.crashed()
        await self._close()
        await self._open()

    async def restart(self) -> None:
        """Stop the server as an operator does, and start it again."""
        self.server.router.start_drain(1.0)
        await self.server.router.wait_drained()
        await self.server.store.wait_idle()
        for peer in self.peers:
            peer.drop(1.0)
        await self._close()
        await self._open()

    # -- steps ---------------------------------------------------------------------------------

    def step(self, action: Callable[[], object], pause_s: float = 0.0) -> None:
        """Do something, and let time pass."""

        async def act() -> None:
            action()
            await self.let_pass(pause_s)

        self._stepper.run(act)

    def crash_now(self, when: Cut, share: float) -> None:
        """See ``crash``."""
        self._stepper.run(lambda: self.crash(when, share))

    def restart_now(self) -> None:
        """See ``restart``."""
        self._stepper.run(self.restart)

    async def let_pass(self, pause_s: float) -> None:
        """Let virtual time pass; then look at what was committed."""
        if pause_s:
            await trio.sleep(pause_s)
        self.look()
        self._check_health()

    def jump(self, by_ms: int) -> None:
        """Set the wall clock."""
        self.look()
        self.clock.offset_ms += by_ms
        self._offset_min_ms = min(self._offset_min_ms, self.clock.offset_ms)

    def fill_disk(self) -> None:
        """Let there be no space for a moment."""
        self.server.store.writer.full = True

    def look(self) -> None:
        """Tell the model what was committed."""
        before, known = self._looked_ms, self.model.position
        deleted = self.audit.look()
        self._looked_ms = self.running_ms()
        for position in range(known + 1, self.model.position + 1):
            self._born_ms[position] = before
        for position in deleted:
            self._check_retention(position)

    def running_ms(self) -> int:
        """Return how long the server can have run, as far as ages and expiry go by it."""
        return self._counted_ms + self.clock.elapsed_ms()

    def age_ms(self, position: int) -> int:
        """Return how old an entry can be at most; jumps of the wall clock make nothing older."""
        return self.running_ms() - self._born_ms[position]

    def _count_downtime(self) -> None:
        """Between two lives the wall clock is believed, for a day at most."""
        jump_ms = self.clock.offset_ms - self._offset_min_ms
        self._counted_ms += min(jump_ms, DOWNTIME_COUNTED_MS)
        self._offset_min_ms = self.clock.offset_ms

    def _may_be_late(self, row: Row) -> bool:
        op = row.op or b""
        (peer,) = (one for one in self.peers if one.device == op[:8])
        return peer.may_be_late(int.from_bytes(op[8:], "big"))

    def _check_retention(self, position: int) -> None:
        """What was deleted must be old, and acknowledged by all or very old."""
        row = self.model.places[position]
        age_ms = self.age_ms(position)
        assert age_ms >= KEEP_S * 1000, "deleted too early"
        if age_ms >= KEEP_S_MAX * 1000:
            return
        log = self.model.logs[row.conversation]
        for peer in self.peers:
            if peer.device and not peer.revoked and peer.sees(log, row.seq):
                assert peer.acknowledged(log.id) >= row.seq, "deleted before it was acknowledged"

    def _check_health(self) -> None:
        if self._crash is not None:
            raise AssertionError("the server crashed") from self._crash
        if self.defects:
            raise AssertionError("a defect was reported") from self.defects[0]
        assert not self.server.store.writer.failed

    # -- the end -------------------------------------------------------------------------------

    def finish(self) -> None:
        """Calm the network: everybody must get everything, and every operation its answer."""
        if not self._stepper.failed:
            self._stepper.run(self._finish)

    async def _finish(self) -> None:
        await self.let_pass(3.0)
        for peer in self.peers:
            peer.drop()
            peer.settled = self.model.position
        await self.let_pass(0.5)
        pending = [peer for peer in self.peers if not peer.revoked]
        deadline_s = trio.current_time() + QUIET_S
        while pending:
            assert trio.current_time() < deadline_s, f"no end: {self._unfinished(pending)}"
            for peer in pending:
                peer.strive()
            await self.let_pass(0.3)
            pending = [p for p in self.peers if not p.revoked and not p.finished]
        for operation in (one for peer in self.peers for one in peer.ops.values()):
            assert not operation.open or operation.answer is None
        self._check_refused()

    def _unfinished(self, peers: list[Peer]) -> list[str]:
        return [peer.describe() for peer in peers]

    def _check_refused(self) -> None:
        """What was only ever refused is nowhere; a refusal speaks for its own copy only."""
        for peer in self.peers:
            for operation in peer.ops.values():
                if operation.answer is None and operation.refused and not operation.unheard:
                    name = peer.device + operation.counter.to_bytes(8, "big")
                    assert name not in self.model.ops, "refused, and recorded"

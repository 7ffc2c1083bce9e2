"""The server of a simulation through all its lives, on one database file."""

from pathlib import Path
from random import Random

import trio

from tests.sim.plan import Plan
from wxserve.store.driver_seeded import Cut
from wxserve.testing.memory import MemoryServer, TestClock, memory_server
from wxserve.testing.network import Carrier

PATIENCE_S = 0.1
"""How long a crash waits for the commit in whose middle it is to come."""
DRAIN_S = 1.0
BELIEVED_MS_MAX = 86_400_000
"""Between two runs the wall clock is believed for a day at most."""


class Host:
    """Starts the server, ends it in every way, and starts it again.

    Attributes:
        clock: the wall clock, through all lives.
        server: the present life; None while there is none.
        carrier: its connections.
        defects: errors that are nobody's refusal.
        believed_ms: what the server may think that passed while it did not run.
    """

    def __init__(self, directory: Path, plan: Plan, random: Random, clock: TestClock) -> None:
        self._directory = directory
        self._plan = plan
        self._random = random
        self._lives = 0
        self._stop = trio.Event()
        self._ended = trio.Event()
        self.clock = clock
        self.believed_ms = 0
        self._jumped_ms = 0
        self.server: MemoryServer | None = None
        self.carrier: Carrier | None = None
        self.defects: list[BaseException | None] = []

    @property
    def running_ms(self) -> int:
        """Return the running time of the server, or more: what it believes counts when it starts."""
        return self.believed_ms + self.clock.elapsed_ms()

    def jump(self, by_ms: int) -> None:
        """Set the wall clock; the server may believe it when it starts again, and not before."""
        self.clock.offset_ms += by_ms
        self._jumped_ms += max(0, by_ms)

    async def run(self, started: trio.Event) -> None:
        """Live one life: until ``stop``."""
        plan = self._plan
        self._lives += 1
        self.believed_ms += min(self._jumped_ms, BELIEVED_MS_MAX)
        self._jumped_ms = 0
        self._stop, self._ended = trio.Event(), trio.Event()
        async with (
            memory_server(
                self._directory,
                seed=plan.seed * 1000 + self._lives,
                clock=self.clock,
                router_limits=plan.router,
                store_limits=plan.store,
                admission=plan.admission,
            ) as server,
            trio.open_nursery() as nursery,
        ):
            server.store.writer.on_defect = self.defects.append
            self.server, self.carrier = server, Carrier(server)
            nursery.start_soon(self.carrier.run)
            started.set()
            await self._stop.wait()
            nursery.cancel_scope.cancel()
        self._ended.set()

    async def start(self, nursery: trio.Nursery) -> None:
        """Begin the next life; return when it takes connections."""
        started = trio.Event()
        nursery.start_soon(self.run, started)
        await started.wait()

    async def crash(self, when: Cut) -> bool:
        """Cut the power at a commit, or soon if there is none. Connections end as chance wills.

        Returns:
            Whether there was a server that nobody else is ending.
        """
        server, carrier = self.server, self.carrier
        if server is None or carrier is None:
            return False
        self.server = None
        server.driver.cut(when)
        with trio.move_on_after(PATIENCE_S):
            await server.driver.wait_cut()
        server.driver.cut_now()
        self.carrier = None
        for wire in carrier.wires:
            wire.abandon_link()
            if self._random.random() < 0.3:
                wire.down.kill()
            else:
                wire.down.lose(self._random.random())
        await self._close()
        return True

    async def drain(self) -> bool:
        """Stop the server as an operator does; return whether there was one, as ``crash`` does."""
        server, carrier = self.server, self.carrier
        if server is None or carrier is None:
            return False
        self.server = None
        server.router.start_drain(DRAIN_S)
        await server.router.wait_drained()
        await server.store.wait_idle()
        self.carrier = None
        for wire in carrier.wires:
            wire.abandon_link()
            wire.down.finish()
        await self._close()
        return True

    async def _close(self) -> None:
        self._stop.set()
        await self._ended.wait()

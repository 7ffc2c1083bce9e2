"""A whole server in memory: the real rooms from the protocol to the store, without sockets."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import trio

from wxserve.protocol.transcript import NO_BINDING
from wxserve.router.invites import InviteAuthority
from wxserve.router.limits import AdmissionLimits, RouterLimits
from wxserve.router.link import Link
from wxserve.router.router import Router
from wxserve.store.directory import DATABASE_NAME
from wxserve.store.driver_seeded import SeededDriver, Sleep, open_seeded_driver
from wxserve.store.lifetime import open_on
from wxserve.store.limits import StoreLimits
from wxserve.store.ports import Entropy
from wxserve.store.store import Store


class TestClock:
    """Clocks that follow trio's (virtual) time; the wall clock can be made to jump.

    Attributes:
        offset_ms: added to the time that the wall clock shows.
        passed_ms: time that passed while nothing happened.
        sleep: how the database driver waits on the virtual time.
    """

    __test__ = False

    def __init__(self, start_ms: int = 1_800_000_000_000, sleep: Sleep = trio.sleep) -> None:
        self.offset_ms = start_ms
        self.passed_ms = 0
        self.sleep = sleep

    def now_ms(self) -> int:
        """See ``Clock.now_ms``."""
        return self.offset_ms + self.elapsed_ms()

    def elapsed_ms(self) -> int:
        """See ``Clock.elapsed_ms``."""
        return self.passed_ms + int(trio.current_time() * 1000)

    def let_pass(self, time_ms: int) -> None:
        """Let days go by at once, unlike a jump of the wall clock, by which nothing grows old."""
        self.passed_ms += time_ms


class MemoryServer:
    """One life of a server, from opening its database to its end or its crash.

    Attributes:
        router: the real one.
        store: the real one, on the seeded driver.
        driver: for cutting the power.
        invites: for enrolling devices.
        entropy: seeded, for keys.
    """

    def __init__(
        self,
        router: Router,
        store: Store,
        driver: SeededDriver,
        invites: InviteAuthority,
        entropy: Entropy,
    ) -> None:
        self.router = router
        self.store = store
        self.driver = driver
        self.invites = invites
        self.entropy = entropy

    def connect(self, address: str = "192.0.2.1") -> Link:
        """Open a connection; feed it with ``receive`` and empty it with ``take``."""
        return self.router.open_link(address, NO_BINDING, trio.current_time())


def seeded_entropy(seed: int) -> Entropy:
    """Return a source of bytes that a seed determines."""
    random = Random(seed)  # noqa: S311 - replayable
    return random.randbytes


@asynccontextmanager
async def memory_server(
    directory: Path,
    *,
    seed: int = 0,
    clock: TestClock | None = None,
    router_limits: RouterLimits | None = None,
    store_limits: StoreLimits | None = None,
    admission: AdmissionLimits | None = None,
) -> AsyncIterator[MemoryServer]:
    """Run a server on the database in ``directory``; leave, or cut its power, and open it again.

    Args:
        directory: where the database file is; nothing else is written there.
        seed: of the driver's times and of all randomness.
        clock: the wall clock; kept by the caller across lives.
        router_limits: defaults if None.
        store_limits: defaults without ballast if None.
        admission: defaults if None.
    """
    clock = clock or TestClock()
    entropy = seeded_entropy(seed)
    secret = hashlib.sha256(b"test").digest()
    invites = InviteAuthority(secret, clock, entropy)
    limits = store_limits or StoreLimits(ballast_bytes=0)
    async with (
        open_seeded_driver(directory / DATABASE_NAME, seed, clock.sleep) as driver,
        open_on(driver, clock=clock, entropy=entropy, limits=limits) as store,
        trio.open_nursery() as nursery,
    ):
        router = Router(
            store,
            clock=clock,
            entropy=entropy,
            limits=router_limits or RouterLimits(),
            admission=admission or AdmissionLimits(),
            invites=invites,
        )
        nursery.start_soon(router.run)
        nursery.start_soon(store.maintain, directory)
        yield MemoryServer(router, store, driver, invites, entropy)
        nursery.cancel_scope.cancel()

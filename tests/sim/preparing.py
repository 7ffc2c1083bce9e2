"""Worlds in which everybody has met already: made once for each shape, then copied for each seed."""

import pickle
from dataclasses import replace
from functools import cache

from tests.sim.plan import Mode, Plan, draw
from tests.sim.world import Prepared, Result, World
from wxclient.limits import CoreLimits
from wxserve.router.limits import AdmissionLimits, RouterLimits
from wxserve.store.directory import DATABASE_NAME
from wxserve.store.limits import StoreLimits

FIRST_SEED = 1 << 40
"""Seeds of preparations are apart from those of runs."""


def simulate(seed: int) -> Result:
    """Run what a seed stands for."""
    return simulate_plan(draw(seed))


def simulate_plan(plan: Plan) -> Result:
    """Run a plan."""
    if plan.scratch:
        return World(plan, None).run()
    prepared: Prepared = pickle.loads(prepare(plan.accounts, plan.twins))
    return World(plan, prepared).run()


@cache
def prepare(accounts: int, twins: int) -> bytes:
    """Return a world after a quiet beginning, pickled."""
    plan = replace(
        draw(FIRST_SEED + 16 * accounts + twins),
        mode=Mode.LIVENESS,
        accounts=accounts,
        twins=twins,
        scratch=True,
        lasts_s=2.0,
        acts=(),
        router=RouterLimits(),
        store=StoreLimits(ballast_bytes=0),
        admission=AdmissionLimits(),
        client=CoreLimits(),
    )
    world = Quiet(plan, None)
    result = world.run()
    assert not result.faults, result.faults
    assert world.prepared is not None
    return pickle.dumps(world.prepared)


class Quiet(World):
    """A world that is kept when it has come to rest.

    Attributes:
        prepared: the world as it is then.
    """

    prepared: Prepared | None = None

    async def finish(self) -> None:
        await self.host.drain()
        durables = [(client.name, client.durable) for client in self.clients]
        database = (self.directory / DATABASE_NAME).read_bytes()
        self.prepared = Prepared(database, durables, self.oracle, self.groups)

"""Many runs: what they add up to."""

from collections import Counter
from collections.abc import Callable, Iterable

from tests.sim.plan import Plan, draw
from tests.sim.preparing import simulate_plan
from tests.sim.world import Result

ORDER = "out of its sender's order"
TWICE = ("two places", "two ways", "twice")


class Campaign:
    """Runs seeds and adds up what came of them.

    Attributes:
        seeds: how many were run.
        failed: the runs that broke a promise.
        fired: what went wrong on purpose, how often.
        counts: what the oracle saw, how often.
        virtual_s: how long it all took there.
    """

    def __init__(self, plan: Callable[[int], Plan] = draw) -> None:
        self._plan = plan
        self.seeds = 0
        self.failed: list[Result] = []
        self.fired: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.virtual_s = 0.0

    def run(self, seed: int) -> Result:
        """Run one seed."""
        result = simulate_plan(self._plan(seed))
        self.seeds += 1
        self.fired += result.fired
        self.counts += result.counts
        self.virtual_s += result.virtual_s
        if result.faults:
            self.failed.append(result)
        return result

    def first_failure(self, seeds: Iterable[int]) -> Result | None:
        """Run seeds until one breaks a promise; None if none does."""
        return next((result for result in map(self.run, seeds) if result.faults), None)

    @property
    def faults(self) -> int:
        """How much went wrong on purpose."""
        return sum(self.fired.values())

    def figures(self) -> dict[str, int]:
        """Return what a report of promises asks for."""
        broken = [fault for result in self.failed for fault in result.faults]
        doubled = sum(any(word in fault for word in TWICE) for fault in broken)
        reordered = sum(ORDER in fault for fault in broken)
        return {
            "accepted": self.counts["accepted"],
            "lost": len(broken) - doubled - reordered,
            "doubled": doubled,
            "reordered": reordered,
            "duplicates": self.counts["raw duplicates"],
        }

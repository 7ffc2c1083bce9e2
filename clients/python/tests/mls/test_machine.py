"""A group of two to twelve devices at first, under any history: what must hold, holds.

Equal epochs have equal secrets; who was removed opens nothing later, who joined nothing earlier;
each text comes once; no key is used twice. See ``world``.
"""

import time

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.fault.results import budget_s, new_seed, progress, record

from .driving import KINDS, take
from .world import DEVICES_MAX, Device, World

PLACES = st.integers(0, DEVICES_MAX - 1)
LAST = -1
STEPS_MAX = 40
CHUNK = 250
"""Histories of one seed in the long size: each seed begins with the simplest ones."""
SMALL_CHUNK = 5
WHAT = f"MLS: groups of 2 to {DEVICES_MAX} devices, random histories of up to {STEPS_MAX} steps"


class Machine(RuleBasedStateMachine):
    """The steps of a world as Hypothesis takes them."""

    histories = 0
    """That came to their end, whatever Hypothesis says."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self._watch = self.world.watching()
        self._watch.__enter__()

    def device(self, place: int) -> Device:
        """Return a device."""
        devices = list(self.world.devices.values())
        return devices[place % len(devices)]

    def take(self, step: str, one: int, other: int = 0, place: int = 0, kind: str = "") -> None:
        """Take a step of the world."""
        take(self.world, step, (self.device(one), self.device(other)), place, kind)

    @initialize(members=st.integers(2, DEVICES_MAX))
    def gather(self, members: int) -> None:
        """Begin with a group of some size."""
        self.world.gather(members)

    @rule(one=PLACES, place=PLACES)
    def send(self, one: int, place: int) -> None:
        """Send a text, or crash before that."""
        self.take("send", one, place=place)

    @rule(one=PLACES, place=PLACES)
    def deliver(self, one: int, place: int) -> None:
        """Deliver one message."""
        self.take("deliver", one, place=place)

    @rule(one=PLACES)
    def catch_up(self, one: int) -> None:
        """Deliver some messages in order."""
        for _ in range(5):
            self.take("deliver", one)

    @rule(place=PLACES)
    def spread(self, place: int) -> None:
        """Deliver a message to everyone."""
        for one in range(len(self.world.devices)):
            self.take("deliver", one, place=place)

    @rule(one=PLACES)
    def tell(self, one: int) -> None:
        """Send a text and deliver what came last, which is this text, to everyone."""
        self.take("send", one, place=1)
        self.spread(LAST)

    @rule(one=PLACES, place=PLACES, step=st.sampled_from(("drop", "repeat")))
    def disturb(self, one: int, place: int, step: str) -> None:
        """Lose a text, or let it come twice."""
        self.take(step, one, place=place)

    @rule(one=PLACES, other=PLACES, place=PLACES)
    def propose(self, one: int, other: int, place: int) -> None:
        """Propose an update or a removal."""
        self.take("propose", one, other, place)

    @rule(one=PLACES, other=PLACES, kind=st.sampled_from(KINDS))
    def commit(self, one: int, other: int, kind: str) -> None:
        """Make a commit."""
        self.take("commit", one, other, kind=kind)

    @rule(one=PLACES, other=PLACES, kind=st.sampled_from(KINDS))
    def change(self, one: int, other: int, kind: str) -> None:
        """Make a commit and send it before anybody else does."""
        self.take("commit", one, other, kind=kind)
        self.take("submit", one)

    @rule(one=PLACES)
    def submit(self, one: int) -> None:
        """Send the commit that was made."""
        self.take("submit", one)

    @rule(one=PLACES)
    def crash(self, one: int) -> None:
        """Restart a device."""
        self.take("crash", one)

    @rule(one=PLACES, other=PLACES)
    def join(self, one: int, other: int) -> None:
        """Let a device come back by an external commit."""
        self.take("join", one, other)

    @invariant()
    def holds(self) -> None:
        """Check the world."""
        self.world.check()

    def teardown(self) -> None:
        """Let everything arrive."""
        try:
            self.world.settle()
            Machine.histories += 1
        finally:
            self._watch.__exit__(None, None, None)


def examine(examples: int, number: int) -> None:
    """Let Hypothesis try so many histories, which the number repeats."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS_MAX,
        deadline=None,
        database=None,
        derandomize=False,  # also where CI is set: the number says what is tried
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(number)(Machine), settings=chosen)
    except BaseException as error:
        error.add_note(f"examine({examples}, {number}) repeats this")
        raise


def test_group_under_any_history_keeps_what_must_hold() -> None:
    examine(20, new_seed())


@pytest.mark.fault
@pytest.mark.slow
def test_group_under_many_histories_keeps_what_must_hold() -> None:
    first, before, end_s = new_seed(), Machine.histories, time.monotonic() + budget_s()
    runs, examples = 0, CHUNK if budget_s() else SMALL_CHUNK
    while runs == 0 or time.monotonic() < end_s:
        examine(examples, first + runs)
        runs += 1
        progress(f"{Machine.histories - before:,} histories from seed {first}")
    histories = Machine.histories - before
    assert histories >= runs * examples
    record("", WHAT, histories, seeds=[first])

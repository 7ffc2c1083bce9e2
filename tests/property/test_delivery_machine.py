"""Delivery under everything that can happen, against the model. The promises P3, P4 and P5.

A failure prints the shortest steps found that lead to it, and how to run them again.
"""

import time

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fault.results import budget_s, new_seed, progress, record
from tests.property.delivery_machine import Delivery
from tests.property.delivery_world import Config

EXAMPLES = 200
STEPS = 40


@pytest.mark.fault
@pytest.mark.slow
def test_delivery_whatever_happens_keeps_its_promises() -> None:
    """A few hundred short lives, or as many as there is time for."""
    end, lives, seeds = time.monotonic() + budget_s(), 0, list[int]()
    while not seeds or time.monotonic() < end:
        seeds.append(new_seed())
        progress(f"{lives} lives, seed {seeds[-1]}")
        run_state_machine_as_test(
            seed(seeds[-1])(type("Seeded", (Delivery,), {})),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
        lives += EXAMPLES
    record(
        "P3, P4, P5", f"lives of up to {STEPS} steps, made by Hypothesis, with a model beside",
        lives, seeds=seeds,
        folders=[f"src/wxserve/{room}" for room in ("protocol", "router", "store", "testing")],
    )  # fmt: skip


def test_delivery_copy_accepted_unheard_is_no_fault_though_an_earlier_one_was_refused() -> None:
    """Found by the machine: two copies on their way, and what they ask for comes between them."""
    state = Delivery()
    state.start(config=Config(accounts=2, talking=False, twins=True))
    first, _, twin = state.world.peers
    try:
        state.redact(who=2, where=0, back=0, pause=0.0)  # there is nothing to redact yet
        state.send(who=0, where=0, count=1, size=1, ttl=0, pause=0.0)
        state.say_again(who=2, which=0, other=False, pause=0.3)
        state.drop(who=2, share=0.5, pause=0.3)
    finally:
        state.teardown()
    (redaction,) = twin.ops.values()
    assert redaction.refused
    assert redaction.answer is None
    assert {op[:8] for op in state.world.model.ops} == {first.device, twin.device}


@pytest.mark.parametrize("seed", range(12))
def test_delivery_page_of_conversations_is_put_together_while_one_is_made(seed: int) -> None:
    """Found by the machine: a page tells of a new entry, and not of a conversation made before it."""
    state = Delivery()
    state.start(config=Config(seed=seed, accounts=3, talking=False))
    try:
        state.create_direct(who=1, whom=0, pause=0.3)
        state.list_all(who=0, after=b"", limit=256)
        state.create_direct(who=2, whom=0, pause=0.0)
        state.send(who=0, where=0, count=2, size=1, ttl=0, pause=0.3)
        state.read(who=0, pause=0.0)
    finally:
        state.teardown()


def test_delivery_welcome_read_after_a_revocation_was_written_before_it() -> None:
    """Found by the machine: a device that is slow to read WELCOME is revoked meanwhile."""
    state = Delivery()
    state.start(config=Config(accounts=2, talking=False, twins=True))
    twin = state.world.peers[2]
    try:
        state.connect(who=2, pause=0.3)
        state.read(who=2, pause=0.3)
        state.revoke(who=0, which=1, sure=1, pause=0.3)
        state.drop(who=2, share=1.0, pause=0.0)
    finally:
        state.teardown()
    assert twin.device in state.world.model.revoked

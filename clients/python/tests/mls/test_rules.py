"""Every rule of sections 7.3, 12.2 and their neighbours is broken on its own, and refused."""

import pytest

from wxclient import mls

from . import breaking_commits, breaking_leaves, breaking_messages, breaking_proposals
from .breaking import BREAKERS, Breaker

MODULES = (breaking_commits, breaking_leaves, breaking_messages, breaking_proposals)


@pytest.mark.parametrize(
    ("rule", "breaker"),
    BREAKERS,
    ids=[f"{rule.name}-{breaker.__name__}" for rule, breaker in BREAKERS],
)
def test_broken_rule_is_refused_and_changes_nothing(rule: mls.Rule, breaker: Breaker) -> None:
    attempt = breaker()
    before = None if attempt.victim is None else attempt.victim.snapshot()
    with pytest.raises(mls.RuleBroken) as refusal:
        attempt.call()
    assert refusal.value.rule is rule, refusal.value
    if attempt.victim is not None:
        assert attempt.victim.snapshot() == before


def test_every_rule_is_broken_somewhere() -> None:
    assert {rule for rule, _ in BREAKERS} == set(mls.Rule)
    assert len({breaker.__module__ for _, breaker in BREAKERS}) == len(MODULES)

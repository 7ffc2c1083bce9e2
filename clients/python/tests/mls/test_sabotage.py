"""The tests notice an engine that does what it must not: each sabotage turns them red."""

from collections.abc import Callable, Sequence

import pytest

from wxclient import mls
from wxclient.mls.committing import DEFAULTS
from wxclient.mls.ratchet_tree import RatchetTree
from wxclient.mls.secret_tree import Ratchet, SecretTree, Taken
from wxclient.mls.suites import CipherSuite

from .breaking import BREAKERS
from .driving import drive
from .test_rules import test_broken_rule_is_refused_and_changes_nothing as refuses
from .world import World

RED = (AssertionError, pytest.fail.Exception, mls.MlsError, LookupError)
SEEDS = range(12)
STEPS = 40


def histories() -> None:
    """Drive a few worlds."""
    for seed in SEEDS:
        drive(World(), seed, STEPS)


def breaking(rule: mls.Rule) -> Callable[[], None]:
    """Return the tests of a rule."""

    def tests() -> None:
        for known, breaker in BREAKERS:
            if known is rule:
                refuses(rule, breaker)

    return tests


def is_red(tests: Callable[[], None]) -> bool:
    """Whether tests fail."""
    try:
        tests()
    except RED:
        return True
    return False


def test_histories_of_the_honest_engine_are_green() -> None:
    assert not is_red(histories)


@pytest.mark.parametrize(
    "rule", [mls.Rule.COMMIT_CONFIRMATION_TAG, mls.Rule.EXTERNAL_COMMIT_ACCEPTED]
)
def test_rules_of_the_honest_engine_are_green(rule: mls.Rule) -> None:
    assert not is_red(breaking(rule))


def test_reused_generation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def consume(tree: SecretTree, look: object) -> None:
        """Take no key."""

    monkeypatch.setattr(SecretTree, "consume", consume)
    assert is_red(histories)


def test_kept_key_of_an_opened_message_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Ratchet.consume

    def consume(ratchet: Ratchet, taken: Taken) -> None:
        honest(ratchet, taken)
        ratchet.skipped[taken.generation] = taken.message_key

    monkeypatch.setattr(Ratchet, "consume", consume)
    assert is_red(histories)


def test_skipped_confirmation_tag_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CipherSuite, "mac_fits", lambda *_: True)
    assert is_red(breaking(mls.Rule.COMMIT_CONFIRMATION_TAG))


def test_accepted_stranger_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mls.SameIdentity, "accepts_external_join", lambda *_: True)
    assert is_red(breaking(mls.Rule.EXTERNAL_COMMIT_ACCEPTED))


def test_kept_leaf_of_a_removed_member_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RatchetTree, "remove", lambda *_: None)
    assert is_red(histories)


def test_epoch_entered_before_acceptance_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = mls.GroupCipher.commit

    def commit(
        cipher: mls.GroupCipher,
        proposals: Sequence[mls.Proposal] = (),
        options: mls.Options = DEFAULTS,
    ) -> mls.Outgoing:
        outgoing = honest(cipher, proposals, options)
        made = cipher._pending
        assert made is not None
        cipher._enter(made.group)
        cipher._pending = made
        return outgoing

    monkeypatch.setattr(mls.GroupCipher, "commit", commit)
    assert is_red(histories)

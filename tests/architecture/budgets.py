"""Exceptions from the rules: each is written down with its reason, or the check fails."""

import tomllib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.architecture.rules import Finding

REASON_CHARACTERS_MIN = 20


class Exempt(NamedTuple):
    """One place that may break one rule."""

    rule: str
    place: str
    reason: str
    most: int
    """The largest size allowed; 0 for rules without a limit."""


def read_budgets(text: str) -> tuple[Exempt, ...]:
    """Read ``budgets.toml``.

    Raises:
        TypeError: an entry has an unknown field or lacks one.
    """
    entries = tomllib.loads(text).get("exempt", [])
    return tuple(Exempt(**{"most": 0, **entry}) for entry in entries)


def judge(findings: Iterable[Finding], budgets: Iterable[Exempt]) -> Iterator[str]:
    """Yield what is wrong: findings over their budget, entries without a reason, stale entries."""
    allowed = {(entry.rule, entry.place): entry for entry in budgets}
    used = set()
    for finding in findings:
        entry = allowed.get((finding.rule, finding.place))
        if entry is not None:
            used.add((finding.rule, finding.place))
        if entry is None or finding.size > entry.most:
            yield str(finding)
    for key, entry in allowed.items():
        if len(entry.reason) < REASON_CHARACTERS_MIN:
            yield f"budgets.toml: {entry.rule} at {entry.place}: the reason is missing or too short"
        if key not in used:
            yield f"budgets.toml: {entry.rule} at {entry.place}: stale, nothing there breaks the rule"

"""From a file to what became of its cases."""

import json
from collections import Counter
from dataclasses import dataclass, field

from wxclient.mls.errors import MlsError

from .cases import Case, Kind, Mismatch, missing_suite
from .passive import passive_client, welcome
from .primitives import crypto_basics, deserialization, secret_tree, tree_math_case
from .protection import MESSAGES, STRUCTURES, message_protection, messages
from .schedule import key_schedule, psk, transcript_hashes
from .trees import tree_operations, tree_validation, treekem

KINDS = (
    Kind(
        "deserialization", frozenset({"vlbytes_header", "length"}), deserialization, has_suite=False
    ),
    Kind("tree-math", frozenset({"n_leaves", "n_nodes", "root"}), tree_math_case, has_suite=False),
    Kind("messages", frozenset(MESSAGES) | frozenset(STRUCTURES), messages, has_suite=False),
    Kind("crypto-basics", frozenset({"ref_hash", "sign_with_label"}), crypto_basics),
    Kind("secret-tree", frozenset({"encryption_secret", "sender_data", "leaves"}), secret_tree),
    Kind("message-protection", frozenset({"membership_key", "proposal_priv"}), message_protection),
    Kind("key-schedule", frozenset({"initial_init_secret", "epochs"}), key_schedule),
    Kind("psk_secret", frozenset({"psks", "psk_secret"}), psk),
    Kind("transcript-hashes", frozenset({"interim_transcript_hash_before"}), transcript_hashes),
    Kind("tree-operations", frozenset({"tree_before", "proposal"}), tree_operations),
    Kind("tree-validation", frozenset({"tree", "tree_hashes", "resolutions"}), tree_validation),
    Kind("treekem", frozenset({"ratchet_tree", "update_paths"}), treekem),
    Kind("welcome", frozenset({"welcome", "signer_pub"}), welcome),
    Kind(
        "passive-client",
        frozenset({"welcome", "initial_epoch_authenticator", "epochs"}),
        passive_client,
    ),
)
FAILURES = (
    MlsError,
    Mismatch,
    AssertionError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What a case that fails may raise: a vector that is not of its format too."""


@dataclass(slots=True)
class Report:
    """What became of a file."""

    path: str
    kind: str = "unknown"
    cases: int = 0
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def is_success(self) -> bool:
        """Whether cases were run and all of them passed."""
        return not self.failures and self.passed > 0

    def line(self) -> str:
        """Return the report in one line."""
        left = sum(self.left_out.values())
        reasons = "; ".join(f"{count}: {why}" for why, count in sorted(self.left_out.items()))
        text = (
            f"{self.path}: {self.kind}: {self.cases} cases, {self.passed} passed, "
            f"{len(self.failures)} failed, {left} left out"
        )
        if reasons:
            text += f" ({reasons})"
        if self.failures:
            text += f": {self.failures[0]}"
        elif not self.passed:
            text += ": no case was run"
        return text


def run(path: str, text: str | bytes) -> Report:
    """Run the cases of a file's content."""
    report = Report(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        report.failures.append(f"not JSON: {error}")
        return report
    cases = content if isinstance(content, list) else [content]
    report.cases = len(cases)
    kinds = {_kind_of(case) for case in cases}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        report.failures.append("not one known kind of test vector")
        return report
    report.kind = kind.name
    for number, case in enumerate(cases):
        _run_case(report, kind, number, case)
    return report


def _kind_of(case: object) -> Kind | None:
    """Return the kind whose fields a case has."""
    if not isinstance(case, dict):
        return None
    return next((kind for kind in KINDS if kind.fields <= case.keys()), None)


def _run_case(report: Report, kind: Kind, number: int, case: Case) -> None:
    try:
        missing = missing_suite(case) if kind.has_suite else ""
        if missing:
            report.left_out[missing] += 1
            return
        kind.run(case)
    except FAILURES as error:
        report.failures.append(f"case {number}: {type(error).__name__}: {error}")
    else:
        report.passed += 1

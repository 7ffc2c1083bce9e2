"""What a proof tells of itself: one line of JSON, from which the table of the report is made.

`make prove` names the file in WXSERVE_PROVE_RESULTS and grants each proof a time in
WXSERVE_PROVE_BUDGET. Without them a proof runs in its small size and tells nobody.
"""

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

RESULTS: Final = "WXSERVE_PROVE_RESULTS"
BUDGET: Final = "WXSERVE_PROVE_BUDGET"
USUAL_SEED: Final = 1_738_007_300
SEEDS_MAX: Final = 20
"""Seeds that one line names; a proof with more tells how they follow from the first."""


def budget_s() -> float:
    """Return the seconds this proof may take, 0 for its small size."""
    return float(os.environ.get(BUDGET) or 0)


def new_seed() -> int:
    """Return where a proof begins.

    In its small size in CI always the same: what is red there is red for a change, and again on the
    next run. Everywhere else nobody knows.
    """
    return USUAL_SEED if os.environ.get("CI") and not budget_s() else secrets.randbits(31)


def record(
    promise: str,
    what: str,
    rounds: int,
    *,
    faults: int = 0,
    seeds: Sequence[int] = (),
    **found: Any,
) -> None:
    """Append a result to the file named by the environment, if there is one.

    Args:
        promise: its number, or several: "P2, P3".
        what: what was done, in a few words; results of equal words are added up.
        rounds: independent rounds, for the bound 3/n.
        faults: faults injected.
        seeds: that replay it.
        found: accepted, lost, doubled, reordered; others are kept and not shown. ``folders``
            are all of the product that is judged: the result holds until something in them changes.
    """
    path = os.environ.get(RESULTS)
    if not path:
        return
    line = {
        "promise": promise,
        "what": what,
        "rounds": rounds,
        "faults": faults,
        "accepted": 0,
        "lost": 0,
        "doubled": 0,
        "reordered": 0,
        "seeds": list(seeds)[:SEEDS_MAX],
        **found,
    }
    with Path(path).open("a") as results:
        results.write(json.dumps(line) + "\n")


def progress(text: str) -> None:
    """Say how far the proof is; `make prove` shows the last word."""
    path = os.environ.get(RESULTS)
    if path:
        Path(path + ".progress").write_text(text)

"""How long everything may take, and each proof of it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

UNITS: Final = {"s": 1, "m": 60, "h": 3600}


class Proof(NamedTuple):
    """One test that takes longer if it may.

    Attributes:
        name: pytest's id of it.
        share: of the budget, in proportion to the others; 0 for one that needs no more time.
    """

    name: str
    share: float


def seconds(text: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``40m`` or ``1.5h``.

    Raises:
        ValueError: it is none of these.
    """
    unit = UNITS.get(text[-1:])
    number = float(text[:-1] if unit else text) * (unit or 1)
    if not 0 <= number < float("inf"):
        raise ValueError(f"no time: {text}")
    return number


def share_of(left_s: float, waiting: Sequence[Proof]) -> float:
    """Return the seconds of the first of those that wait: what one leaves, the others get."""
    shares = sum(proof.share for proof in waiting)
    return max(0.0, left_s) * waiting[0].share / shares if shares else 0.0


def ordered(proofs: Sequence[Proof]) -> list[Proof]:
    """Return the proofs as they are run: first those that need no share, to know what is left."""
    return sorted(proofs, key=lambda proof: proof.share > 0)


def clock(time_s: float) -> str:
    """Return a time as minutes and seconds."""
    return f"{int(time_s) // 60}:{int(time_s) % 60:02d}"

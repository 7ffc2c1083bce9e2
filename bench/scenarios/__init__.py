"""The scenarios: each makes a plan, runs it, and returns a row."""

from collections.abc import Callable
from typing import Final

from bench.rows import Row
from bench.scenarios.crowds import idle, storm
from bench.scenarios.messages import fanout, offline, pairs
from bench.scenarios.rates import mixed, rate, soak
from bench.stage import Stage

BY_NAME: Final[dict[str, Callable[[Stage], Row]]] = {
    "pairs": pairs,
    "fanout": fanout,
    "offline": offline,
    "idle": idle,
    "storm": storm,
    "rate": rate,
    "soak": soak,
    "mixed": mixed,
}

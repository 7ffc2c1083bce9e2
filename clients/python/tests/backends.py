"""Runs an asynchronous test under asyncio and under trio.

The test becomes a plain function with one more parameter, so that neither pytest-trio's
``trio_mode`` nor another plugin takes it for its own.
"""

import os
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from inspect import Parameter, signature
from typing import Any

import anyio
import pytest

DEADLINE_S = 20.0 + 3 * float(os.environ.get("WXSERVE_PROVE_BUDGET", "0"))
"""A test that hangs fails by itself; no test comes near it."""


def on_both_backends(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Return the test, parametrised by the event loop."""

    async def bounded(arguments: dict[str, Any]) -> None:
        with anyio.fail_after(DEADLINE_S):
            await test(**arguments)

    @wraps(test)
    def run(**arguments: Any) -> None:
        backend = arguments.pop("backend")
        anyio.run(partial(bounded, arguments), backend=backend)

    known = signature(test)
    backend = Parameter("backend", Parameter.KEYWORD_ONLY)
    parameters = [*known.parameters.values(), backend]
    vars(run)["__signature__"] = known.replace(parameters=parameters)
    del vars(run)["__wrapped__"]
    both: Callable[..., None] = pytest.mark.parametrize("backend", ["asyncio", "trio"])(run)
    return both

"""Runs an asynchronous test under asyncio, which textual needs.

The test becomes a plain function, so that pytest-trio's ``trio_mode`` does not take it for its own.
"""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from inspect import signature
from typing import Any

import anyio

DEADLINE_S = 30.0
"""A test that hangs fails by itself; no test comes near it."""


def on_asyncio(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Return the test as a function that pytest calls."""

    async def bounded(arguments: dict[str, Any]) -> None:
        with anyio.fail_after(DEADLINE_S):
            await test(**arguments)

    @wraps(test)
    def run(**arguments: Any) -> None:
        anyio.run(partial(bounded, arguments), backend="asyncio")

    vars(run)["__signature__"] = signature(test)
    del vars(run)["__wrapped__"]
    return run

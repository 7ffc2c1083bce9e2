"""Waking a task, handing it a result, and telling many what happened."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar, cast
from weakref import WeakSet

import anyio

Value = TypeVar("Value")


class Signal:
    """Wakes the one task that waits; a signal set meanwhile is not lost."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        """Wake the waiter, now or when it comes."""
        self._event.set()

    async def wait(self) -> None:
        """Return when set, and be unset again.

        Cancellation: the signal stays set.
        """
        await self._event.wait()
        self._event = anyio.Event()


class Result(Generic[Value]):
    """A value or an error that comes later, once."""

    __slots__ = ("_error", "_event", "_value")

    def __init__(self) -> None:
        self._event = anyio.Event()
        self._value: Value | None = None
        self._error: Exception | None = None

    @property
    def given(self) -> bool:
        """Whether a value or an error was delivered."""
        return self._event.is_set()

    def give(self, value: Value) -> None:
        """Deliver the value; what comes later is ignored."""
        if not self._event.is_set():
            self._value = value
            self._event.set()

    def fail(self, error: Exception) -> None:
        """Deliver an error; what comes later is ignored."""
        if not self._event.is_set():
            self._error = error
            self._event.set()

    async def wait(self) -> Value:
        """Return the value.

        Cancellation: harmless; the value can be waited for again.

        Raises:
            Exception: the error that was delivered instead.
        """
        await self._event.wait()
        if self._error is not None:
            raise self._error
        return cast("Value", self._value)  # it was given before the event was set


class Subscription(Generic[Value]):
    """An asynchronous iterator over what is published from now on.

    At most ``values_max`` wait for a slow reader; the oldest are dropped and counted.

    Cancellation: nothing is lost; go on with the same iterator.
    """

    def __init__(self, values_max: int, failure: Callable[[], Exception | None]) -> None:
        self._values: deque[Value] = deque(maxlen=values_max)
        self._failure = failure
        self._wake = Signal()
        self._closed = False
        self.dropped = 0

    def publish(self, value: Value) -> None:
        """Append a value."""
        self.dropped += len(self._values) == self._values.maxlen
        self._values.append(value)
        self._wake.set()

    def close(self) -> None:
        """End the iteration after what waits."""
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> "Subscription[Value]":
        return self

    async def __anext__(self) -> Value:
        while not self._values:
            if self._closed:
                failure = self._failure()
                if failure is not None:
                    raise failure
                raise StopAsyncIteration
            await self._wake.wait()
        return self._values.popleft()


class Publisher(Generic[Value]):
    """Tells every living subscription; one that nobody holds any more is forgotten."""

    def __init__(self, values_max: int, failure: Callable[[], Exception | None]) -> None:
        self._values_max = values_max
        self._failure = failure
        self._closed = False
        self._subscriptions: WeakSet[Subscription[Value]] = WeakSet()

    def subscribe(self) -> Subscription[Value]:
        """Return an iterator over what is published from now on."""
        subscription: Subscription[Value] = Subscription(self._values_max, self._failure)
        self._subscriptions.add(subscription)
        if self._closed:
            subscription.close()
        return subscription

    def publish(self, value: Value) -> None:
        """Tell everybody."""
        for subscription in tuple(self._subscriptions):
            subscription.publish(value)

    def close(self) -> None:
        """End every iteration."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription.close()

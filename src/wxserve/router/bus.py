"""The bus: carries what was committed to those who want to know, after the commit only."""

from collections.abc import Callable
from typing import Protocol

from wxserve.store.state import Entry

Subscriber = Callable[[Entry], None]
"""Called in commit order, in the event loop; must not wait and must not raise."""


class Bus(Protocol):
    """Delivers committed entries to every subscriber.

    Delivery: in one process each entry exactly once, in commit order. Across processes a message
    is a hint, and a receiver that sees a gap reads the log.
    """

    def publish(self, entry: Entry) -> None:
        """Hand on an entry that was committed."""
        ...

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add a receiver."""
        ...


class LocalBus:
    """The bus of one process."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def publish(self, entry: Entry) -> None:
        """See ``Bus.publish``."""
        for subscriber in self._subscribers:
            subscriber(entry)

    def subscribe(self, subscriber: Subscriber) -> None:
        """See ``Bus.subscribe``."""
        self._subscribers.append(subscriber)

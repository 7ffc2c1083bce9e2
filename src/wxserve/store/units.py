"""Units of work: what is handed to the writer."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from wxserve.protocol.exceptions import Refusal

from .state import Append, Entry, Turn
from .transaction import Transaction

T = TypeVar("T")
Work = Callable[[Transaction], T]
"""A unit of work: synchronous, sees one transaction, returns a plain value.

It may run more than once, because a batch that is lost runs again; only what it did through the
transaction is undone.
"""
Outcome = Callable[[T | Refusal, tuple[Entry, ...]], None]
"""Called in the event loop with a unit's value or refusal, and the entries it appended."""


class Unit(NamedTuple, Generic[T]):
    """Any work but a message.

    Attributes:
        work: the function.
        done: told what became of it.
        always: it runs even when there is no space; it asks ``Transaction.full`` itself.
        turn: whose operation it is, and where: refused for now, it holds later ones back.
    """

    work: Work[T]
    done: Outcome[T]
    always: bool = False
    turn: Turn | None = None


class Look(NamedTuple, Generic[T]):
    """Work that writes nothing, after all that was submitted before it; also without space.

    It costs no savepoint: there is nothing to take back.

    Attributes:
        work: the function.
        done: told what it returned, and no entries.
    """

    work: Work[T]
    done: Outcome[T]


Item = Append | Unit[Any] | Look[Any]


def turn_of(item: Item) -> Turn | None:
    """Return whose operation an item is, None if it is none."""
    if isinstance(item, Append):
        return Turn(item.device, item.conversation, item.counter)
    return None if isinstance(item, Look) else item.turn

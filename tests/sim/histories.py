"""Judges the answers to HISTORY: no hole, nothing redacted, nothing left out."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.sim import reading as r
from tests.sim.book import Book
from tests.sim.reading import Frame


@dataclass
class History:
    """One request and how far its answer is.

    Attributes:
        owed: the highest wanted number that the device had durably when it asked.
        asked_after: the newest position that was known then.
        through: the last number that was answered.
        entries: how many entries were answered.
    """

    conversation: bytes
    first: int
    last: int
    limit: int
    owed: int
    asked_after: int
    through: int
    entries: int = 0

    def take(self, frame: Frame, book: Book, blame: Callable[[str], None]) -> int:
        """Take a part of the answer; return the number from which it tells."""
        before, body = self.through, frame.body
        told = f"history of {self.conversation.hex()[:6]}"
        if body[0] != self.conversation:
            blame(f"{told}: told of another conversation")
        if frame.type == r.DELIVER:
            self.through = body[1]
            self.entries += 1
            if self.through != before + 1:
                blame(f"{told}: {self.through} after {before}")
            if book.redacted_at(self.conversation, self.through) <= self.asked_after:
                blame(f"{told}: {self.through} was redacted before it was asked for")
        else:
            self.through = body[1] - (frame.type == r.TOO_FAR)
            if self.through <= before:
                blame(f"{told}: nothing is left out after {before}")
        if self.entries > self.limit or self.through > max(self.first, self.last):
            blame(f"{told}: more than was asked for")
        return before + 1

    def end(self, following: int, blame: Callable[[str], None]) -> None:
        """Take DONE with the number from which it goes on, 0 if that was all."""
        told = f"history of {self.conversation.hex()[:6]}"
        if following and following != self.through + 1:
            blame(f"{told}: goes on at {following} after {self.through}")
        if not following and self.through < self.owed:
            blame(f"{told}: ends at {self.through}, and {self.owed} is there")

"""A function that stops in the middle, at drawn calls of the disk, until it is told to go on."""

import threading
from collections.abc import Callable
from random import Random
from typing import Any, Final

STOPS: Final = 0.4
"""How likely it stops before a write, a truncation or a synchronisation."""


class Halting:
    """Runs one function at a time in a thread of its own; that thread or the other one runs, never both.

    So what happens between two calls of the disk, and in which order, follows from the seed.

    Attributes:
        is_over: nothing runs that could go on.
        result: what the function returned.
        error: what it raised, if it did.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._thread: threading.Thread | None = None
        self._is_hasty = False
        self._stopped = threading.Semaphore(0)
        self._told = threading.Semaphore(0)
        self.is_over = True
        self.result: Any = None
        self.error: BaseException | None = None

    def before_call(self) -> None:
        """Stop here, perhaps; to be called before each call of the disk, in whatever thread."""
        if threading.current_thread() is not self._thread or self._is_hasty:
            return
        if self._random.random() < STOPS:
            self._stopped.release()
            self._told.acquire()

    def start(self, work: Callable[[], Any]) -> None:
        """Run a function up to its first stop, or its end."""
        self.is_over, self._is_hasty, self.result, self.error = False, False, None, None
        self._thread = threading.Thread(target=self._run, args=(work,))
        self._thread.start()
        self._stopped.acquire()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self.result = work()
        except Exception as error:  # noqa: BLE001 - told to whoever started it
            self.error = error
        finally:
            self.is_over = True
            self._stopped.release()

    def go_on(self) -> None:
        """Run it up to the next stop, or its end."""
        self._told.release()
        self._stopped.acquire()

    def finish(self) -> None:
        """Run it to its end."""
        self._is_hasty = True
        if not self.is_over:
            self.go_on()
        if self._thread is not None:
            self._thread.join()

"""Passes the core's events on to those who wait for them."""

from collections.abc import Callable

from wxclient import events as e
from wxclient._protocol.frames import Accepted, Frame
from wxclient._protocol.identifiers import OpId
from wxclient.exceptions import ClientClosed
from wxclient.limits import ShellLimits

from .signals import Publisher, Result


class Reporter:
    """Results by operation and request, and what any number of tasks may follow."""

    def __init__(self, limits: ShellLimits) -> None:
        self._ops: dict[OpId, list[Result[Accepted]]] = {}
        self._requests: dict[int, Result[tuple[Frame, ...]]] = {}
        self.failure: Exception | None = None
        self.state = e.ConnectionState.WAITING
        self.enrolled: Result[None] = Result()
        self.online: Result[None] = Result()
        self.states = Publisher[e.StateChanged](limits.state_changes_max, self._visible_failure)
        self.ephemerals = Publisher[e.EphemeralReceived](
            limits.ephemerals_max, self._visible_failure
        )
        self.updates = Publisher[e.Event](limits.updates_max, self._visible_failure)
        self.on_entries: Callable[[], None] = lambda: None
        self.on_failure: Callable[[], None] = lambda: None

    def _visible_failure(self) -> Exception | None:
        """Return why iterators end, unless the client was just closed."""
        return None if isinstance(self.failure, ClientClosed) else self.failure

    def op_result(self, op: OpId) -> Result[Accepted]:
        """Return what will hold the outcome of an operation that is open now."""
        result: Result[Accepted] = Result()
        self._ops.setdefault(op, []).append(result)
        return result

    def request_result(self, number: int) -> Result[tuple[Frame, ...]]:
        """Return what will hold the answer of a request."""
        result: Result[tuple[Frame, ...]] = Result()
        self._requests[number] = result
        return result

    def forget_op(self, op: OpId, result: Result[Accepted]) -> None:
        """Drop a result that nobody waits for any more."""
        results = self._ops.get(op, [])
        if result in results:
            results.remove(result)
        if not results:
            self._ops.pop(op, None)

    def forget_request(self, number: int) -> None:
        """Drop a result that nobody waits for any more."""
        self._requests.pop(number, None)

    def dispatch(self, event: e.Event) -> None:
        """Pass one event on."""
        match event:
            case e.StateChanged():
                self._state_changed(event)
            case e.EphemeralReceived():
                self.ephemerals.publish(event)
            case e.DeviceEnrolled():
                self.enrolled.give(None)
            case e.EntriesStored():
                self.on_entries()
            case e.Failed(error):
                self.fail(error)
            case _:
                self._settle(event)
        self.updates.publish(event)

    def _settle(self, event: e.Event) -> None:
        """Give an outcome or an answer to those who wait for it."""
        match event:
            case e.OpAccepted(op, accepted):
                for result in self._ops.pop(op, ()):
                    result.give(accepted)
            case e.OpRefused(op, error):
                for result in self._ops.pop(op, ()):
                    result.fail(error)
            case e.RequestAnswered(number, frames) if number in self._requests:
                self._requests.pop(number).give(frames)
            case e.RequestRefused(number, error) if number in self._requests:
                self._requests.pop(number).fail(error)
            case _:
                pass

    def _state_changed(self, event: e.StateChanged) -> None:
        self.state = event.state
        if event.state is e.ConnectionState.ONLINE:
            self.online.give(None)
        elif self.online.given and self.failure is None:
            self.online = Result()
        self.states.publish(event)

    def fail(self, error: Exception) -> None:
        """End every wait with ``error``; the first one counts."""
        if self.failure is not None:
            return
        self.failure = error
        for results in self._ops.values():
            for op_result in results:
                op_result.fail(error)
        for result in self._requests.values():
            result.fail(error)
        self._ops.clear()
        self._requests.clear()
        self.enrolled.fail(error)
        self.online.fail(error)
        for publisher in (self.states, self.ephemerals, self.updates):
            publisher.close()
        self.on_entries()
        self.on_failure()

"""``Client``: the interface of the SDK, as one object."""

from dataclasses import asdict

from wxclient.events import ConnectionState, Event, StateChanged
from wxclient.statistics import Statistics

from .conversations import Conversations
from .devices import Devices
from .messages import Messages
from .registers import Registers
from .signals import Subscription


class Client(Messages, Conversations, Registers, Devices):
    """One device of one account, connected as long as there is a network.

    Made by ``connect``. Not thread-safe: used by the tasks of one event loop. Every method may be
    cancelled at any time; what that means is said where it is not obvious.
    """

    @property
    def state(self) -> ConnectionState:
        """Return how far the connection is."""
        return self._reporter.state

    async def wait_connected(self) -> None:
        """Wait until the client has caught up on a connection.

        Raises:
            Exception: why the client stopped for good.
        """
        await self._reporter.online.wait()

    def state_changes(self) -> Subscription[StateChanged]:
        """Return an iterator over the connection's states from now on, for user interfaces."""
        return self._reporter.states.subscribe()

    def updates(self) -> Subscription[Event]:
        """Return an iterator over everything that happens from now on, for user interfaces.

        A hint to look again (``history``, ``conversations``, ``registers``): the oldest are dropped
        when nobody takes them.
        """
        return self._reporter.updates.subscribe()

    def statistics(self) -> Statistics:
        """Return what was done so far."""
        core = self._engine.core
        return Statistics(
            **asdict(core.tally),
            outbox_size=core.outbox_size,
            commits=self._engine.commits,
            heartbeat_s=core.heartbeat_s,
        )

"""The router: opens links, keeps sessions, and does what time demands."""

from dataclasses import dataclass
from typing import Final

import trio

from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.connection import Received
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import DeviceId
from wxserve.protocol.transcript import Binding
from wxserve.store.appends import OPS_IN_FLIGHT_MAX
from wxserve.store.ports import Clock, Entropy
from wxserve.store.state import Device, Entry
from wxserve.store.store import Store

from .admission import Admission
from .bus import LocalBus
from .delivery import Delivery
from .directory import Directory
from .dirty import Dirty
from .dispatcher import Dispatcher
from .ephemerals import Ephemerals
from .handshake import Handshake, Ports
from .invites import InviteAuthority
from .limits import AdmissionLimits, RouterLimits
from .link import Link
from .registers import RegisterPushes
from .requests import Requests
from .session import Session
from .syncing import Syncing

TICK_S: Final = 0.25
"""How often registers are told and time is looked at."""
SILENCE_INTERVALS: Final = 2.5
"""Heartbeat intervals of silence after which a peer counts as gone."""


@dataclass(frozen=True, slots=True)
class RouterStatistics:
    """Counts since the start, and what is open now."""

    links: int
    sessions: int
    position: int
    units_waiting: int


class Router:
    """Everything between the protocol and the store for all connections of a process.

    Attributes:
        dirty: links that the transport has to look at.
        dispatch: see ``LinkOwner.dispatch``.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        entropy: Entropy,
        limits: RouterLimits,
        admission: AdmissionLimits,
        invites: InviteAuthority,
    ) -> None:
        self._store = store
        self._limits = limits
        self._entropy = entropy
        self._clock = clock
        self._links: dict[Link, None] = {}
        self._directory = Directory()
        self._drain_deadline_s = 0.0
        self._empty = trio.Event()
        self.dirty: Dirty[Link] = Dirty()
        self.bus = LocalBus()
        checks = Admission(admission)
        self._delivery = Delivery(store, self._directory, limits)
        self.bus.subscribe(self._delivery.publish)
        self.dispatcher = Dispatcher(store, checks, self._delivery, self.bus, limits)
        self.dispatch = self.dispatcher.dispatch
        self._registers = RegisterPushes(store, self._directory, self._delivery, limits)
        syncing = Syncing(store, self._delivery, self._registers)
        self._requests = requests = Requests(
            store, self.dispatcher, syncing, self.bus, invites, limits
        )
        requests.revoked = self._revoked
        requests.changed = self._registers.changed
        self._ephemerals = Ephemerals(store, self.dispatcher, self._directory, limits)
        self._handshake = Handshake(store, checks, invites, Ports(clock, entropy), self._opened)
        self.dispatcher.handlers[f.Ping] = _pong
        self.dispatcher.handlers[f.Pong] = _ignore

    # -- connections ---------------------------------------------------------------------------

    def open_link(self, address: str, binding: Binding, accepted_s: float) -> Link:
        """Take a new connection.

        Args:
            address: the peer's address, for limits; never logged by this room.
            binding: what ties the handshake to the channel below.
            accepted_s: monotonic seconds at which it came; its time to log in counts from there.

        Raises:
            Refusal: TOO_MANY_CONNECTIONS, SHUTTING_DOWN; the transport sends its reply.
        """
        if self.dispatcher.draining:
            raise Refusal(ErrorCode.SHUTTING_DOWN, retry_after_ms=1000)
        if len(self._links) >= self._limits.connections_max:
            raise Refusal(ErrorCode.TOO_MANY_CONNECTIONS, retry_after_ms=5000)
        link = Link(self, self.dirty, address, binding)
        link.deadline_s = accepted_s + self._limits.handshake_deadline_s
        self._links[link] = None
        return link

    def received(self, link: Link, event: Received) -> None:
        """See ``LinkOwner.received``."""
        self._handshake.received(link, event.frame)

    def drained(self, link: Link) -> None:
        """See ``LinkOwner.drained``."""
        session = link.session
        if session is None:
            return
        if session.has_registers:
            self._registers.tell(session)
        if session.reads:
            self._requests.read_on(session)
        if session.lagging:
            self._delivery.refill(session)

    def ended(self, link: Link) -> None:
        """See ``LinkOwner.ended``."""
        self._links.pop(link, None)
        if self.dispatcher.draining and not self._links:
            self._empty.set()
        session, link.session = link.session, None
        if session is None:
            return
        session.reads = None
        self._directory.remove(session)
        self._delivery.forget(session)
        self._registers.forget(session)
        self._ephemerals.announce_offline(session)
        self._store.flush_cursors()

    def _opened(self, link: Link, device: Device, entries: tuple[Entry, ...]) -> None:
        """A device proved itself; its earlier connection, if any, is replaced."""
        for entry in entries:
            self.bus.publish(entry)
        if link.closing or link.over:
            return
        number = int.from_bytes(self._entropy(8), "big")
        session = Session(number, link, device.account, device.id, device.first_position)
        session.credit_bytes = self._limits.credit_bytes
        session.credit_entries = self._limits.credit_entries
        earlier = self._directory.add(session)
        if earlier is not None:
            self._end_session(earlier, f.Replaced())
        self._store.begin_order(device.id)
        self._store.note_log_in(device)
        link.send(self._welcome(session, device))
        link.session = session
        link.authenticated = True
        link.deadline_s = trio.current_time() + self._silence_s

    def _welcome(self, session: Session, device: Device) -> f.Welcome:
        limits, timeline = self._limits, self._store.timeline
        return f.Welcome(
            session.id,
            device.account,
            device.id,
            timeline.id,
            timeline.cuts,
            self._store.position,
            self._clock.now_ms(),
            device.op_last,
            device.op_floor,
            limits.heartbeat_min_s,
            limits.heartbeat_max_s,
            limits.credit_bytes,
            limits.credit_entries,
            OPS_IN_FLIGHT_MAX,
            f.ENVELOPE_BYTES_MAX,
            (),
        )

    def _end_session(self, session: Session, last: f.Frame) -> None:
        link = session.link
        if isinstance(link, Link) and not link.closing:
            link.send(last)
            link.close()

    def _revoked(self, device: DeviceId) -> None:
        session = self._directory.of_device(device)
        if session is not None and isinstance(session.link, Link):
            session.link.refuse(ErrorCode.DEVICE_REVOKED)

    # -- time ----------------------------------------------------------------------------------

    @property
    def _silence_s(self) -> float:
        return SILENCE_INTERVALS * self._limits.heartbeat_max_s

    async def run(self) -> None:
        """Do what time demands, for ever: reap, tell registers and SYNCED, serve fan-outs.

        Cancellation: leaves the sessions as they are.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._delivery.run_fanouts)
            next_second = trio.current_time()
            while True:
                await trio.sleep(TICK_S)
                self._registers.tell_all()
                now = trio.current_time()
                if now >= next_second:
                    next_second = now + self._limits.synced_interval_s
                    self._delivery.tick()
                    self.reap(now)

    def reap(self, now: float) -> None:
        """End links that did not finish their handshake, and those that fell silent."""
        for link in list(self._links):
            if link.heard and link.session is not None:
                link.heard = False
                link.deadline_s = now + self._silence_s
                self._store.note_awake(link.session.device)
            elif now >= link.deadline_s:
                silent = link.session is not None
                link.refuse(ErrorCode.IDLE_TIMEOUT if silent else ErrorCode.HANDSHAKE_TIMEOUT)

    # -- the end -------------------------------------------------------------------------------

    def start_drain(self, deadline_s: float) -> None:
        """Tell everybody to go, and refuse new work; what is under way is finished."""
        self.dispatcher.draining = True
        self._drain_deadline_s = trio.current_time() + deadline_s
        if not self._links:
            self._empty.set()
        spread_ms = max(1, len(self._links) // 2)
        for link in list(self._links):
            if link.session is None:
                link.refuse(ErrorCode.SHUTTING_DOWN)
                continue
            jitter_ms = int.from_bytes(self._entropy(4), "big") % (1000 + spread_ms)
            link.send(f.GoAway(int(deadline_s * 1000), 500 + jitter_ms))

    async def wait_drained(self) -> None:
        """Return when nothing is under way and every link is closed.

        What is under way is answered first; links that stay are closed at half of the deadline.

        Cancellation: leaves what is open open.
        """
        patience_s = (self._drain_deadline_s - trio.current_time()) / 2
        with trio.move_on_after(patience_s):
            await self._empty.wait()
        with trio.move_on_at(self._drain_deadline_s):
            await self._store.wait_idle()
        for link in list(self._links):
            link.close()
        with trio.move_on_at(self._drain_deadline_s):
            await self.dirty.wait_empty()
        self._store.flush_cursors()

    def statistics(self) -> RouterStatistics:
        """Return what is open now."""
        return RouterStatistics(
            len(self._links),
            len(self._directory),
            self._store.position,
            self._store.writer.waiting,
        )


def _pong(session: Session, frame: f.Ping, stream: int) -> None:
    del frame, stream
    session.link.write(encode(f.Pong()))


def _ignore(session: Session, frame: f.Pong, stream: int) -> None:
    del session, frame, stream

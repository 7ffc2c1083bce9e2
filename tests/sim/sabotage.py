"""Ways to break the server and the client on purpose; the simulator has to find each of them."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import pytest
import trio

from tests.sim.plan import ACCOUNTS, ACTS, TWINS, Act, Mode, Plan, draw
from tests.sim.preparing import prepare
from wxclient.core.client_core import ClientCore
from wxclient.core.device import Device as ClientDevice
from wxclient.core.handshake import Handshake
from wxclient.records import Batch, OutboxRow
from wxserve.protocol import frames as f
from wxserve.protocol.envelope import Kind
from wxserve.protocol.identifiers import ConversationId, DeviceId
from wxserve.router.delivery import Delivery
from wxserve.router.limits import RouterLimits
from wxserve.router.registers import RegisterPushes
from wxserve.router.requests import Requests
from wxserve.router.router import Router
from wxserve.router.session import Following, Session
from wxserve.store import appends, conversations, cursors, reading, upkeep
from wxserve.store.driver_seeded import Cut, SeededDriver
from wxserve.store.limits import StoreLimits
from wxserve.store.operations import Request
from wxserve.store.state import Device, Entry
from wxserve.store.store import Store
from wxserve.store.transaction import Transaction

_append = Transaction.append
_take_batch = ClientCore.take_batch
_write_cursors = cursors.write_cursors
_welcomed = Handshake.welcomed
_write_history = Requests._write_history


async def report_before_commit(
    self: SeededDriver, work: Callable[[sqlite3.Connection], Any], done: Callable[..., None]
) -> None:
    """Say that all went well, then commit; the power may go in between."""
    sql = self._writer
    await self._pause()
    if self._cuts(Cut.BEFORE):
        return
    sql.execute("BEGIN IMMEDIATE")
    done(work(sql), None)
    await trio.lowlevel.checkpoint()
    if self._cuts(Cut.UNCOMMITTED) or self._cuts(Cut.COMMITTED):
        sql.execute("ROLLBACK")
    else:
        sql.execute("COMMIT")


def prune_open_operations(self: Store, state: Device, floor: int) -> None:
    """Forget operations above the floor, too."""
    state.ops = {}


def advance_heads_early(self: Transaction, *what: Any) -> Entry:
    """Show an entry in memory before it is committed."""
    entry = _append(self, *what)
    entry.conversation.head, entry.conversation.position = entry.seq, entry.position
    self._memory.position = entry.position
    return entry


def skip_in_silence(
    self: Delivery, session: Session, conversation: ConversationId, through: int, reason: int
) -> None:
    """Pass over entries and say nothing."""
    session.sent[conversation] = through


def write_cursors_too_far(tx: Transaction, flush: cursors.Flush) -> None:
    """Write that one entry more was acknowledged."""
    rows = [(device, place, seq + 1) for device, place, seq in flush.cursors]
    _write_cursors(tx, flush._replace(cursors=rows))


def acknowledge_one_more(
    self: Store, device: DeviceId, conversation: ConversationId, seq: int
) -> None:
    """Believe that one entry more was acknowledged."""
    self.cursors.waiting.raise_to(device, conversation, seq + 1)


def say_current(self: Delivery, session: Session, entry: Entry) -> bool:
    """Let every acceptance stand for its entry."""
    if session.following is Following.NOTHING:
        return False
    session.sent[entry.conversation.id] = entry.seq
    return True


def forget_the_counter(self: ClientDevice, row: OutboxRow) -> None:
    """Make an operation durable, and not that its counter is used."""
    self.outbox.add(row)
    self.batch.ops.append(row)


def overlook_the_rollback(self: Handshake, welcome: f.Welcome) -> Any:
    """Believe the own counter whatever the server knows."""
    return _welcomed(self, welcome._replace(op_last=0, op_floor=0))  # type: ignore[arg-type]


def acknowledge_early(self: ClientCore) -> Batch | None:
    """Acknowledge what is about to be written."""
    batch = _take_batch(self)
    if batch is not None and self._session is not None:
        self._session.committed(batch)
    return batch


def redact_nothing(request: Request, conversation: ConversationId, seq: int) -> f.Accepted:
    """Record a redaction, and leave the content where it is."""
    state, _ = request.own(conversation)
    return request.record(state, Kind.REDACTED, (seq,))


def leave_out_the_first(self: Requests, session: Session, frame: f.History, *rest: Any) -> None:
    """Answer HISTORY without its first part."""
    stream, pieces, last = rest
    _write_history(self, session, frame, stream, pieces[1:], last)


OFTEN_SYNCED = RouterLimits(
    handshake_deadline_s=2.0, heartbeat_min_s=1, heartbeat_max_s=1, synced_interval_s=0.1
)
SMALL_BATCHES = StoreLimits(ballast_bytes=0, batch_units_max=2)


class Way(NamedTuple):
    """One way to break something.

    Attributes:
        patches: (where, attribute, what instead).
        acts: what happens in the runs that look for it, everything if empty.
        changes: what of the plans is fixed.
    """

    name: str
    patches: tuple[tuple[object, str, object], ...]
    acts: str = ""
    changes: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Break it for what follows; the prepared worlds, which all runs share, are whole."""
        for accounts, twins in product(ACCOUNTS, TWINS):
            prepare(accounts, twins)
        for where, attribute, instead in self.patches:
            monkeypatch.setattr(where, attribute, instead)

    def plan(self, seed: int) -> Plan:
        """Return a seed's plan, with what makes the search short."""
        plan = draw(seed)
        changes = {"mode": Mode.LIVENESS, "scratch": False, **self.changes}
        kept = self.acts.split(", ") if self.acts else list(ACTS)
        assert set(kept) <= set(ACTS), "an act that is not there"
        acts = tuple(
            act if act.name in kept else Act(act.at_s, kept[index % len(kept)])
            for index, act in enumerate(plan.acts)
        )
        return replace(plan, acts=acts, **changes)


def way(name: str, where: object, attribute: str, instead: object, **more: Any) -> Way:
    """Return a way with one patch."""
    return Way(name, ((where, attribute, instead),), **more)


WAYS = (
    way("accepted before the commit", SeededDriver, "_commit", report_before_commit,
        acts="send, server crash"),
    way("no dedupe", appends, "dedupe", lambda *_: None, acts="send, burst, cut"),
    way("dedupe after pruning", Store, "_raise_floor", prune_open_operations,
        acts="send, burst, cut, hold"),
    way("heads advanced before the commit", Transaction, "append", advance_heads_early,
        acts="burst, cut, client crash",
        changes={"router": OFTEN_SYNCED, "store": SMALL_BATCHES}),
    way("lagging forgotten", Delivery, "fall_behind", lambda *_: None),
    way("intervals ignored", reading, "clip", lambda intervals, seq, head: (seq, head),
        acts="send, remove, invite, cut"),
    way("skip forgotten", Delivery, "_write_skip", skip_in_silence,
        acts="send, send expiring, cut, remove, invite"),
    way("cursor flushed too far", upkeep, "write_cursors", write_cursors_too_far,
        acts="send, cut, server restart"),
    way("cursor too far", Store, "acknowledge", acknowledge_one_more, acts="send, cut"),
    way("current always", Delivery, "accept_own", say_current, acts="send, burst, freeze"),
    way("changes forgotten", Store, "changed_after", lambda *_: False, acts="send, cut"),
    way("register not told", RegisterPushes, "changed", lambda *_: None, acts="register"),
    way("redacted content told", conversations, "_redact", redact_nothing,
        acts="send, redact, cut, history"),
    way("history with a hole", Requests, "_write_history", leave_out_the_first,
        acts="send, history"),
    way("revoked device goes on", Router, "_revoked", lambda *_: None, acts="send, revoke",
        changes={"twins": 2}),
    way("client reuses a counter", ClientDevice, "enqueue", forget_the_counter,
        acts="send, client crash"),
    Way("client reuses a counter unnoticed", (
        (ClientDevice, "enqueue", forget_the_counter),
        (Handshake, "welcomed", overlook_the_rollback),
    ), "send, client crash"),
    way("client acknowledges too early", ClientCore, "take_batch", acknowledge_early,
        acts="send, client crash"),
)  # fmt: skip

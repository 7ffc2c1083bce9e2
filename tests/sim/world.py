"""One run: the server, its clients, what lies between them, the oracle, and what goes wrong."""

import shutil
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import trio

from tests.sim.acts import Acts
from tests.sim.book import NOTICE
from tests.sim.client import Client
from tests.sim.durable import Durable
from tests.sim.host import Host
from tests.sim.oracle import Oracle
from tests.sim.plan import Mode, Plan, weather
from tests.sim.reading import Frame, read_envelope, unpack
from tests.sim.verdict import Verdict
from wxclient._protocol import frames as f
from wxclient._protocol.frames import Frame as AnyFrame
from wxclient._protocol.identifiers import (
    AccountId,
    ConversationId,
    OpId,
    direct_conversation,
    group_conversation,
    self_conversation,
)
from wxclient.records import EntryRow, Identity
from wxserve.protocol.identifiers import AccountId as ServerAccountId
from wxserve.store.directory import DATABASE_NAME
from wxserve.testing.agenda import Agenda
from wxserve.testing.memory import TestClock
from wxserve.testing.network import Pipe, Wire
from wxserve.testing.scheduling import JumpingClock, run_seeded

START_MS = 1_800_000_000_000
PAUSE_MS = 60_000
"""Between the preparation of a world and its run."""
BOUND_S = 60.0
"""Virtual seconds after the last fault in which everybody must have everything."""
LOOK_S = 0.2
VALID_S = 5 * 365 * 86_400
MEMORY = Path("/dev/shm")
Event = tuple[Any, ...]


@dataclass
class Result:
    """What came of a run.

    Attributes:
        seed: which one.
        faults: broken promises; none is what is wanted.
        fired: what went wrong on purpose, how often.
        counts: what the oracle saw, how often.
        trace: everything that was said, decoded, in order.
        virtual_s: how long it took there.
    """

    seed: int
    faults: list[str]
    fired: Counter[str]
    counts: Counter[str]
    trace: list[Event]
    virtual_s: float = 0.0


@dataclass
class Prepared:
    """A world in which everybody has met: what is durable, and what the oracle knows."""

    database: bytes
    durables: list[tuple[str, Durable]]
    oracle: Oracle
    groups: list[ConversationId]


class World:
    """Everything that one seed decides.

    Attributes:
        seed: decides.
        agenda: what comes when.
        oracle: judges.
        clients: every device.
        groups: the groups that somebody made.
        fired: what went wrong on purpose.
    """

    def __init__(self, plan: Plan, prepared: Prepared | None) -> None:
        self.plan = plan
        self.seed = plan.seed
        self.random = Random(f"{plan.seed}/world")
        self._clock = JumpingClock()
        self.agenda = Agenda(Random(f"{plan.seed}/agenda"), self._clock)
        self.oracle = prepared.oracle if prepared else Oracle()
        self.oracle.start()
        self.clients: list[Client] = []
        self.groups: list[ConversationId] = prepared.groups if prepared else []
        self.fired: Counter[str] = Counter()
        self.trace: list[Event] = []
        self.wires: list[Wire] = []
        self.directory = Path(
            tempfile.mkdtemp(prefix="wxserve-sim-", dir=MEMORY if MEMORY.is_dir() else None)
        )
        self._numbers = 0
        self._prepared = prepared
        pause_ms = PAUSE_MS if prepared else 0
        clock = TestClock(START_MS + pause_ms, self.agenda.sleep)
        self.host = Host(self.directory, plan, Random(f"{plan.seed}/host"), clock)
        self.host.believed_ms = pause_ms
        self.nursery: trio.Nursery
        self._ended_s = 0.0

    # -- the run -------------------------------------------------------------------------------

    def run(self) -> Result:
        """Run the whole, and judge it."""
        virtual_s = 0.0
        try:
            virtual_s = run_seeded(self.seed, self._main, self._clock)
        except Exception as error:  # noqa: BLE001 - a broken promise like others, with its place
            told = "".join(traceback.format_exception(error)[-8:])
            self.oracle.blame(f"an exception: {told}")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
        for defect in self.host.defects:
            self.oracle.blame(f"a defect of the store: {defect!r}")
        for client in self.clients:
            self.oracle.counts["client duplicates"] += client.duplicates
        return Result(
            self.seed, self.oracle.faults, self.fired, self.oracle.counts, self.trace, virtual_s
        )

    async def _main(self) -> float:
        async with trio.open_nursery() as self.nursery:
            self.nursery.start_soon(self.agenda.run)
            if self._prepared is not None:
                (self.directory / DATABASE_NAME).write_bytes(self._prepared.database)
            await self.host.start(self.nursery)
            self._bring_in()
            Acts(self).arrange(self.plan.acts)
            await trio.sleep(self.plan.lasts_s)
            self.note("world", "calm")
            await self._end()
            await self.finish()
            self.nursery.cancel_scope.cancel()
        return self._ended_s

    async def _end(self) -> None:
        verdict = Verdict(self.oracle, self.plan.kept_s)
        if self.plan.mode is Mode.LIVENESS:
            await self._settle(verdict)
            for client in self.clients:
                client.count()
            verdict.liveness([client.device for client in self._there() if client.device])
        verdict.safety()
        self._ended_s = trio.current_time()

    async def finish(self) -> None:
        """Do what is to be done when all is judged."""

    async def _settle(self, verdict: Verdict) -> None:
        """Wait until everybody has everything, for a bounded time."""
        with trio.move_on_after(BOUND_S):
            while not self._settled(verdict):
                await trio.sleep(LOOK_S)
            return
        waiting = [client.name for client in self.clients if not client.settled]
        self.oracle.blame(f"no end within {BOUND_S:.0f} s: {waiting}")

    def _settled(self, verdict: Verdict) -> bool:
        return (
            self.host.carrier is not None
            and not verdict.unseen()
            and all(
                client.settled and client.device is not None and not verdict.missing(client.device)
                for client in self._there()
            )
        )

    def _there(self) -> list[Client]:
        """Return the clients that must have everything: a revoked one has only to know of it."""
        return [client for client in self.clients if not client.revoked]

    # -- who is there --------------------------------------------------------------------------

    def _bring_in(self) -> None:
        if self._prepared is not None:
            for name, durable in self._prepared.durables:
                self._add(name, durable)
            return
        for number in range(self.plan.accounts):
            self.enrol(f"a{number}", None)
        self.agenda.after(LOOK_S, self._found)

    def _found(self) -> None:
        """Make the first conversations as soon as everybody is enrolled."""
        accounts = [client.account for client in self.clients[: self.plan.accounts]]
        if not all(accounts) or self.clients[0].core is None or self.clients[0].frozen:
            self.agenda.after(LOOK_S, self._found)
            return
        first, *others = self.clients[: self.plan.accounts]
        self.make_group(first)
        assert first.account is not None
        assert others[0].account is not None
        direct, other = direct_conversation(first.account, others[0].account), others[0].account
        first.operate(lambda op: (direct, f.Create(op, 1, (other,), b"")))
        for number in range(self.plan.twins):
            self.enrol(f"t{number}", self.clients[number].account)

    def enrol(self, name: str, account: AccountId | None) -> bool:
        """Bring in a new device with an invite, if the server is there to issue one."""
        if self.host.server is None:
            return False
        code = self.host.server.invites.issue(
            VALID_S, ServerAccountId(account) if account else None
        )
        key = self.random.randbytes(32)
        self._add(name, Durable(Identity(key, "127.0.0.1", 1, False, (), code, name, name)))
        return True

    def _add(self, name: str, durable: Durable) -> None:
        client = Client(self, name, durable, self.plan.client)
        self.clients.append(client)
        client.start()

    def make_group(self, client: Client) -> None:
        """Let a client make a group and invite everybody."""
        others = tuple(a for a in self.accounts() if a != client.account)

        def compose(op: OpId) -> tuple[ConversationId, AnyFrame]:
            group = group_conversation(op)
            self.groups.append(group)
            return group, f.Create(op, 2, others, b"")

        client.operate(compose)

    def accounts(self) -> list[AccountId]:
        """Return every account, in the order of enrolment."""
        found = [client.account for client in self.clients if client.account is not None]
        return list(dict.fromkeys(found))

    def places(self, client: Client) -> list[ConversationId]:
        """Return where a client may want to write."""
        assert client.account is not None
        first, *others = self.accounts()
        pair = (first, others[0]) if others else ()
        direct = [direct_conversation(*pair)] if client.account in pair and others else []
        return [*direct, *self.groups]

    def own(self, client: Client) -> ConversationId:
        """Return the conversation among the client's own devices."""
        assert client.account is not None
        return self_conversation(client.account)

    def stored(self, client: Client, entry: EntryRow) -> None:
        """A client made an entry durable: an invitation is mostly accepted."""
        if entry.kind != NOTICE:
            return
        body = unpack(read_envelope(entry.envelope).body)
        if body[0] == "invited" and self.random.random() < 0.9:
            group = ConversationId(body[1])
            self.agenda.after(
                self.random.random() * LOOK_S,
                lambda: client.operate(lambda op: (group, f.Accept(op, group))),
            )

    # -- the network ---------------------------------------------------------------------------

    def connect(self, client: Client) -> Wire | None:
        """Open a connection for a client, if there is a server."""
        if self.host.carrier is None:
            return None
        self._numbers += 1
        number, sky = self._numbers, weather(self.random)
        up, down = (Pipe(self.agenda, self.random, sky) for _ in range(2))
        wire = self.host.carrier.connect(number, up, down)
        if wire is None:
            return None
        wire.on_said = lambda pipe, data: self._said(number, data, down=pipe is down)
        self.wires = [one for one in self.wires if not one.over]
        self.wires.append(wire)
        self.note(client.name, "connects", number)
        return wire

    def _said(self, number: int, data: bytes, *, down: bool) -> None:
        self.oracle.now_ms = self.host.running_ms
        if down:
            frames = self.oracle.server_said(number, data)
        else:
            frames = self.oracle.client_said(number, data)
        self._note_frames(number, "<" if down else ">", frames)

    # -- the trace -----------------------------------------------------------------------------

    def note(self, *event: object) -> None:
        """Add an event to the trace."""
        self.trace.append((trio.current_time(), *event))

    def _note_frames(self, number: int, way: str, frames: list[Frame]) -> None:
        now_s = trio.current_time()
        self.trace.extend((now_s, number, way, frame) for frame in frames)

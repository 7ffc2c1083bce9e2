"""What happens in a run: people write, join and leave; everything else breaks."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from tests.sim.client import Client
from tests.sim.plan import Act
from wxclient._protocol import frames as f
from wxclient._protocol.identifiers import AccountId, ConversationId
from wxclient._protocol.transcript import NO_BINDING
from wxclient.core.client_core import ClientCore
from wxclient.limits import CoreLimits
from wxserve.store.driver_seeded import Cut
from wxserve.testing.network import Pipe, Wire

if TYPE_CHECKING:
    from tests.sim.world import World

CLIENTS_MAX = 6
GROUPS_MAX = 3
JUMPS_MS = (-3_600_000, -5_000, 2_000, 5_000, 3_600_000, 400 * 86_400_000)


class Acts:
    """Carries out the acts of a plan in a world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._random = world.random
        self._names: dict[str, Callable[[], bool]] = {
            "send": self._send, "burst": self._burst, "send self": self._send_self,
            "send expiring": self._send_expiring, "remove": self._remove, "leave": self._leave,
            "redact": self._redact, "register": self._register, "history": self._history,
            "revoke": self._revoke,
            "invite": self._invite, "new device": self._new_device, "new group": self._new_group,
            "cut": self._cut, "cut one side": self._cut_one_side, "hold": self._hold,
            "client crash": self._client_crash, "freeze": self._freeze, "ghost": self._ghost,
            "server crash": self._server_crash, "server restart": self._server_restart,
            "clock jump": self._clock_jump, "disk full": self._disk_full,
        }  # fmt: skip

    def arrange(self, acts: tuple[Act, ...]) -> None:
        """Put the acts of a plan on the agenda."""
        for act in acts:
            self._world.agenda.after(act.at_s, partial(self._perform, act.name))

    def _perform(self, name: str) -> None:
        """Do it, if there is anything to do it to, and count it then."""
        self._world.note("world", name)
        if self._names[name]():
            self._world.fired[name] += 1

    # -- people --------------------------------------------------------------------------------

    def _somebody(self) -> Client | None:
        able = [c for c in self._world.clients if c.core is not None and c.device and not c.frozen]
        return self._random.choice(able) if able else None

    def _text(self) -> bytes:
        size = self._random.choice((3, 20, 20, 60, 900))
        return self._random.randbytes(size)

    def _write(self, ttl_s: int = 0) -> bool:
        client = self._somebody()
        places = self._world.places(client) if client is not None else []
        if client is None or not places:
            return False
        client.send(self._random.choice(places), self._text(), ttl_s)
        return True

    def _send(self) -> bool:
        return self._write()

    def _burst(self) -> bool:
        written = [self._write() for _ in range(self._random.randint(4, 12))]
        return any(written)

    def _send_expiring(self) -> bool:
        return self._write(ttl_s=self._random.choice((1, 2)))

    def _send_self(self) -> bool:
        client = self._somebody()
        if client is not None:
            client.send(self._world.own(client), self._text())
        return client is not None

    def _other(self) -> tuple[Client, AccountId, ConversationId] | None:
        """Return the owner of the first group, somebody else, and the group."""
        owner, accounts = self._world.clients[0], self._world.accounts()[1:]
        if owner.core is None or not accounts or not self._world.groups:
            return None
        return owner, self._random.choice(accounts), self._world.groups[0]

    def _remove(self) -> bool:
        found = self._other()
        if found is not None:
            owner, account, group = found
            owner.operate(lambda op: (group, f.Remove(op, group, account)))
        return found is not None

    def _invite(self) -> bool:
        found = self._other()
        if found is not None:
            owner, account, group = found
            owner.operate(lambda op: (group, f.Invite(op, group, (account,))))
        return found is not None

    def _leave(self) -> bool:
        client, groups = self._somebody(), self._world.groups
        if client is None or not groups:
            return False
        group = self._random.choice(groups)
        client.operate(lambda op: (group, f.Leave(op, group)))
        return True

    def _place(self) -> tuple[Client, ConversationId, int] | None:
        """Return somebody, one of his conversations, and a number that he has received."""
        client = self._somebody()
        found = client.durable.received if client is not None else {}
        if client is None or not found:
            return None
        conversation = self._random.choice(list(found))
        return client, conversation, self._random.randint(1, max(1, found[conversation]))

    def _redact(self) -> bool:
        found = self._place()
        if found is not None:
            client, conversation, seq = found
            client.operate(lambda op: (conversation, f.Redact(op, conversation, seq)))
        return found is not None

    def _history(self) -> bool:
        found = self._place()
        if found is not None:
            client, conversation, first = found
            last = first + self._random.choice((0, 3, 1000))
            client.ask(f.History(conversation, first, last, self._random.choice((1, 2, 256))))
        return found is not None

    def _register(self) -> bool:
        found = self._place()
        if found is not None:
            client, conversation, _ = found
            key, value = self._random.choice("ab"), self._random.randbytes(8)
            version = self._random.randint(1, 20)
            client.ask(f.SetRegister(conversation, key, version, value))
        return found is not None

    def _revoke(self) -> bool:
        """Revoke another device of one's own; the first client stays, it owns the first group."""
        client = self._somebody()
        others = [
            one.device for one in self._world.clients[1:]
            if client is not None and one is not client and one.account == client.account
            and one.device is not None and not one.revoked
        ]  # fmt: skip
        if client is None or not others:
            return False
        client.ask(f.RevokeDevice(self._random.choice(others)))
        return True

    def _new_device(self) -> bool:
        accounts = self._world.accounts()
        if not accounts or len(self._world.clients) >= CLIENTS_MAX:
            return False
        name = f"n{len(self._world.clients)}"
        return self._world.enrol(name, self._random.choice([*accounts, None]))

    def _new_group(self) -> bool:
        client = self._somebody()
        if client is None or len(self._world.groups) >= GROUPS_MAX:
            return False
        self._world.make_group(client)
        return True

    # -- the network ---------------------------------------------------------------------------

    def _wire(self) -> Wire | None:
        open_ones = [wire for wire in self._world.wires if wire.link is not None]
        return self._random.choice(open_ones) if open_ones else None

    def _cut(self) -> bool:
        wire = self._wire()
        if wire is not None:
            wire.up.lose(self._random.random())
            wire.down.lose(self._random.random())
        return wire is not None

    def _cut_one_side(self) -> bool:
        """One side hears of the end, the other never does."""
        wire = self._wire()
        if wire is None:
            return False
        told, untold = (wire.up, wire.down) if self._flip() else (wire.down, wire.up)
        told.lose(self._random.random())
        untold.kill()
        return True

    def _hold(self) -> bool:
        """Let nothing through, in one direction or both, for a while or for ever."""
        wire = self._wire()
        if wire is None:
            return False
        pipes: list[Pipe] = self._random.choice(([wire.up], [wire.down], [wire.up, wire.down]))
        for pipe in pipes:
            pipe.held = True
            if self._flip():
                self._world.agenda.after(self._random.random(), pipe.release)
        return True

    def _flip(self) -> bool:
        return self._random.random() < 0.5

    # -- clients -------------------------------------------------------------------------------

    def _client_crash(self) -> bool:
        running = [client for client in self._world.clients if client.core is not None]
        if not running:
            return False
        client = self._random.choice(running)
        client.crash(silent=self._flip(), committed=self._flip())
        self._world.agenda.after(self._random.random(), client.revive)
        return True

    def _freeze(self) -> bool:
        client = self._somebody()
        if client is None:
            return False
        client.freeze()
        self._world.agenda.after(self._random.choice((0.3, 4.0)), client.thaw)
        return True

    def _ghost(self) -> bool:
        """Open a second connection of a device, as a copy of its program would.

        One that has nothing to send: it says that no operation below its next one will come again.
        """
        client = self._somebody()
        if client is None or client.durable.snapshot().outbox:
            return False
        wire = self._world.connect(client)
        if wire is None:
            return False
        snapshot = client.durable.snapshot()
        core = ClientCore(
            snapshot,
            clock=trio.current_time,
            entropy=self._random.randbytes,
            limits=CoreLimits(ack_delay_s=1e9, ack_entries_max=1 << 30),
        )

        def received(data: bytes) -> None:
            core.receive_data(data)
            go_on()

        def go_on() -> None:
            while core.has_data_to_send:
                wire.write(core.data_to_send())
            if core.hang_up:
                wire.hang_up()

        core.connected(NO_BINDING)
        wire.down.deliver = received
        go_on()
        self._world.agenda.after(self._random.random(), wire.hang_up)
        return True

    # -- the server ----------------------------------------------------------------------------

    def _server_crash(self) -> bool:
        if self._world.host.server is None:
            return False
        self._world.nursery.start_soon(self._crash, self._random.choice(list(Cut)))
        return True

    async def _crash(self, when: Cut) -> None:
        if await self._world.host.crash(when):
            await self._start_again()

    def _server_restart(self) -> bool:
        if self._world.host.server is None:
            return False
        self._world.nursery.start_soon(self._restart)
        return True

    async def _restart(self) -> None:
        if await self._world.host.drain():
            await self._start_again()

    async def _start_again(self) -> None:
        await trio.sleep(self._random.random() * 0.5)
        await self._world.host.start(self._world.nursery)

    def _clock_jump(self) -> bool:
        self._world.host.jump(self._random.choice(JUMPS_MS))
        return True

    def _disk_full(self) -> bool:
        server = self._world.host.server
        if server is not None:
            server.store.writer.full = True
        return server is not None

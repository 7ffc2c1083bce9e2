"""Accounts and devices in every relation to every kind of conversation, on a real server."""

from dataclasses import dataclass, field
from typing import Final

import trio

from wxserve.protocol import frames as f
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    device_conversation,
    notice_conversation,
    self_conversation,
)
from wxserve.store.state import Role
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer

NAMES: Final = (
    "stranger", "invited", "member", "admin", "owner", "former", "removed", "blocked",
    "shy", "target", "other",
)  # fmt: skip
UNKNOWN: Final = AccountId(b"\xee" * 16)
ABSENT: Final = ConversationId(b"\xee" * 16)
BEYOND: Final = 10_000


@dataclass
class Scene:
    """One conversation.

    Attributes:
        conversation: its id.
        own: a message of each actor who wrote one.
        another: a message of somebody else, for each actor who wrote one.
        witness: a device that would hear an ephemeral of an actor.
    """

    conversation: ConversationId
    own: dict[str, int] = field(default_factory=dict)
    another: dict[str, int] = field(default_factory=dict)
    witness: dict[str, TestDevice] = field(default_factory=dict)


class Cast:
    """Everybody, and the scenes they can be put into."""

    def __init__(self) -> None:
        self.devices: dict[str, TestDevice] = {}
        self.direct: dict[str, Scene] = {}

    async def enrol(self, server: MemoryServer) -> None:
        """Enrol everybody; blocks are set between this life of the server and the next."""
        for name in NAMES:
            self.devices[name] = await TestDevice(server, name).enrol()
        member = self.devices["member"]
        for name in ("sibling", "revoked"):
            self.devices[name] = await TestDevice(server, name).enrol(member.account)
        other, shy, blocked = (self.devices[name] for name in ("other", "shy", "blocked"))
        with_member = Scene(await member.create_direct(other))
        mine = await member.message(with_member.conversation, b"member")
        theirs = await other.message(with_member.conversation, b"other")
        with_blocked = Scene(await blocked.create_direct(shy))
        also_mine = await member.message(with_member.conversation, b"member again")
        own = await blocked.message(with_blocked.conversation, b"blocked")
        shys = await shy.message(with_blocked.conversation, b"shy")
        for name, scene, first, second, witness in (
            ("member", with_member, mine, theirs, other),
            ("sibling", with_member, mine, theirs, other),
            ("revoked", with_member, mine, theirs, other),
            ("stranger", with_member, mine, theirs, other),
            ("blocked", with_blocked, own, shys, shy),
        ):
            scene.own[name], scene.another[name] = first.seq, second.seq
            scene.witness[name] = witness
            if name == "sibling":
                scene.own[name] = also_mine.seq
            self.direct[name] = scene
        await self._block(server)

    async def _block(self, server: MemoryServer) -> None:
        shy = self.devices["shy"].account
        everybody = {device.account for device in self.devices.values()} - {shy}
        settled = trio.Event()
        server.store.submit(
            lambda tx: [
                tx.sql.execute("INSERT INTO policy VALUES (?, ?, 1)", (shy, account))
                for account in everybody
            ],
            lambda value, entries: settled.set(),
        )
        await settled.wait()

    async def return_to(self, server: MemoryServer) -> None:
        """Log everybody in again; the device that is to be revoked is, while it is online."""
        for device in self.devices.values():
            device.server = server
            await device.log_in()
            await device.sync()
        revoked = self.devices["revoked"]
        await self.devices["sibling"].request(f.RevokeDevice(revoked.device), f.Done)

    def account(self, name: str) -> AccountId:
        """Return whose account a word of the table means."""
        return UNKNOWN if name == "unknown" else self.devices[name].account

    # -- scenes --------------------------------------------------------------------------------

    async def scene(self, relation: str, actor: str) -> Scene:
        """Return a conversation in which everybody is what the table says."""
        member, sibling = self.devices["member"], self.devices["sibling"]
        witness = {"member": sibling, "sibling": member, "stranger": member, "revoked": member}
        match relation:
            case "group":
                return await self._group()
            case "closed":
                scene = await self._group()
                owner = self.devices["owner"]
                await owner.request(f.Close(owner.next_op(), scene.conversation), f.Accepted)
                return scene
            case "direct":
                return self.direct[actor]
            case "self":
                scene = Scene(self_conversation(member.account), witness=witness)
                seq = (await member.message(scene.conversation, b"note")).seq
                scene.own = dict.fromkeys(witness, seq)
                return scene
            case "notice":
                return Scene(notice_conversation(member.account), witness=witness)
            case "device":
                return Scene(device_conversation(member.device), witness=witness)
            case _:
                return Scene(ABSENT)

    async def _group(self) -> Scene:
        """A group whose owner is the actor of that name, and so on."""
        owner = self.devices["owner"]
        inside = ("member", "admin", "former", "removed", "blocked", "other")
        accounts = tuple(self.devices[name].account for name in (*inside, "invited"))
        create = f.Create(owner.next_op(), 2, accounts, b"")
        scene = Scene((await owner.request(create, f.Accepted)).conversation)
        for name in inside:
            device = self.devices[name]
            await device.request(f.Accept(device.next_op(), scene.conversation), f.Accepted)
        for name in (*inside, "owner"):
            message = await self.devices[name].message(scene.conversation, name.encode())
            scene.own[name] = message.seq
        admin = f.SetRole(
            owner.next_op(), scene.conversation, self.account("admin"), Role.ADMINISTRATOR
        )
        await owner.request(admin, f.Accepted)
        former = self.devices["former"]
        await former.request(f.Leave(former.next_op(), scene.conversation), f.Accepted)
        remove = f.Remove(owner.next_op(), scene.conversation, self.account("removed"))
        await owner.request(remove, f.Accepted)
        scene.own["sibling"] = scene.own["member"]
        others = scene.own["other"]
        scene.another = dict.fromkeys((*NAMES, "sibling", "revoked"), others)
        scene.witness = dict.fromkeys((*NAMES, "sibling", "revoked"), self.devices["other"])
        return scene

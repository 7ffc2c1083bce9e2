"""Devices of one group, the server between them, and everything that must hold at all times.

The server gives each epoch to one commit, keeps the order of proposals and commits, and knows who
is a member. What devices receive waits in their inboxes until it is delivered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import pytest

from wxclient import mls
from wxclient.mls.limits import PAST_EPOCHS_MAX
from wxclient.mls.suites import CipherSuite

from .scene import PORTS, SUITE, Client, client, published, refuses

DEVICES_MAX = 12
GROUP = b"group"


class Sent(NamedTuple):
    """A message as the server passes it on."""

    epoch: int
    data: bytes
    text: bytes | None
    """Of an application message; None for proposals and commits."""
    sender: str
    is_proposal: bool = False


@dataclass(slots=True)
class Device:
    """A device: its client, its group, what it stored and what waits for it."""

    name: str
    client: Client
    cipher: mls.GroupCipher
    stored: bytes = b""
    inbox: list[Sent] = field(default_factory=list)
    pending: "Made | None" = None
    texts: list[bytes] = field(default_factory=list)
    known_from: int = 0
    """The first epoch that this device may read."""

    def store(self) -> None:
        """Keep the state: before anything is sent or acknowledged."""
        self.stored = self.cipher.snapshot()

    def crash(self) -> None:
        """Come up again with what was stored."""
        self.cipher = mls.GroupCipher.restore(self.stored, PORTS)


class Made(NamedTuple):
    """A commit that a device made, and whom it brings or removes."""

    outgoing: mls.Outgoing
    joiner: "tuple[str, Client, mls.PrivateKeyPackage] | None" = None
    removed: tuple[str, ...] = ()


class World:
    """One group of devices, and its server."""

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self._fresh: list[bytes] = []
        self.number = 0
        self.epoch = 0
        self.devices: dict[str, Device] = {}
        self.former: list[tuple[Device, int]] = []
        """Those who were removed, with the first epoch that is not theirs."""
        self.log: list[Sent] = []
        self.exported: dict[int, bytes] = {}
        first = self._new_client()
        cipher = mls.GroupCipher.create(SUITE.code, first[1].identity, GROUP, PORTS)
        self._enter(first[0], first[1], cipher)

    def gather(self, count: int) -> None:
        """Let the first device begin with a group of so many."""
        first = self.devices["d0"]
        newcomers = [self._new_client() for _ in range(count - 1)]
        packages = [who.package() for _, who in newcomers]
        outgoing = first.cipher.add([published(package) for package in packages])
        first.cipher.merge_pending()
        first.store()
        self._leaves_the_device()
        self.epoch += 1
        welcome = outgoing.welcome or b""
        for (name, who), package in zip(newcomers, packages, strict=True):
            self._enter(name, who, mls.GroupCipher.join(welcome, package, PORTS))

    # What must hold.

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record every key that content is encrypted under."""
        with pytest.MonkeyPatch.context() as patch:
            seal = CipherSuite.seal

            def recorded(suite: CipherSuite, key: bytes, *rest: Any) -> bytes:
                self._fresh.append(key)
                return seal(suite, key, *rest)

            patch.setattr(CipherSuite, "seal", recorded)
            yield

    def _leaves_the_device(self) -> None:
        """Say that what was encrypted is on its way: no key of it was ever used before."""
        for key in self._fresh:
            assert key not in self.keys, "a key was used twice"
            self.keys.add(key)
        self._fresh.clear()

    def check(self) -> None:
        """Check what holds between any two steps."""
        for device in self.devices.values():
            cipher = device.cipher
            secret = cipher.export(b"check", b"", 32) + cipher.epoch_authenticator
            known = self.exported.setdefault(cipher.epoch, secret)
            assert known == secret, f"{device.name} has another epoch {cipher.epoch}"
            assert len(set(device.texts)) == len(device.texts), "a text came twice"
            if cipher.epoch == self.epoch:
                names = {member.credential.identity.decode() for member in cipher.members}
                assert names == set(self.devices), f"{device.name} sees {names}"

    def _outsiders_learn_nothing(self, message: Sent) -> None:
        """Check that no former member opens a message of an epoch without it."""
        for device, gone_from in self.former:
            if message.epoch < gone_from:
                continue
            opened = not refuses(partial(device.cipher.process, message.data))
            assert not opened, f"{device.name} was removed and reads on"

    # Devices.

    def _new_client(self) -> tuple[str, Client]:
        name = f"d{self.number}"
        self.number += 1
        return name, client(name)

    def _enter(self, name: str, who: Client, cipher: mls.GroupCipher) -> Device:
        device = Device(name, who, cipher, known_from=cipher.epoch)
        self.devices[name] = device
        device.store()
        for message in self.log:
            if message.text is not None and message.epoch < cipher.epoch:
                refused = refuses(partial(cipher.process, message.data))
                assert refused, f"{name} reads what was before it"
        return device

    def crash(self, device: Device) -> None:
        """Restart a device between two steps."""
        device.crash()
        assert device.cipher.has_pending == (device.pending is not None)

    # Application messages.

    def send(self, device: Device, *, crash: bool = False) -> None:
        """Encrypt, store, send; a crash before storing means that nothing was sent."""
        text = f"{device.name}:{len(self.log)}".encode()
        try:
            data = device.cipher.encrypt(text)
        except mls.StateError:  # proposals wait for a commit
            return
        if crash:
            self._fresh.clear()
            device.crash()
            return
        device.store()
        self._leaves_the_device()
        epoch = device.cipher.epoch
        if self.epoch - epoch > PAST_EPOCHS_MAX:
            return  # the server refuses what nobody can open
        self._pass_on(Sent(epoch, data, text, device.name))

    def _pass_on(self, message: Sent) -> None:
        self.log.append(message)
        self._outsiders_learn_nothing(message)
        for other in self.devices.values():
            if other.name != message.sender:
                other.inbox.append(message)

    def drop(self, device: Device, place: int) -> None:
        """Lose an application message."""
        if self._text_at(device, place) is not None:
            del device.inbox[place % len(device.inbox)]

    def repeat(self, device: Device, place: int) -> None:
        """Let an application message arrive twice."""
        message = self._text_at(device, place)
        if message is not None:
            device.inbox.append(message)

    def _text_at(self, device: Device, place: int) -> Sent | None:
        message = device.inbox[place % len(device.inbox)] if device.inbox else None
        return message if message is not None and message.text is not None else None

    def deliver(self, device: Device, place: int) -> None:
        """Deliver a message out of order; proposals and commits stay in theirs."""
        if not device.inbox:
            return
        place %= len(device.inbox)
        if device.inbox[place].text is None:
            place = next(at for at, one in enumerate(device.inbox) if one.text is None)
        message = device.inbox.pop(place)
        if message.text is None:
            self._handshake(device, message)
        else:
            self._text(device, message)
        device.store()

    def _text(self, device: Device, message: Sent) -> None:
        epoch, before = device.cipher.epoch, device.cipher.snapshot()
        late = epoch - message.epoch
        try:
            event = device.cipher.process(message.data)
        except mls.WrongEpoch:
            if late < 0:
                device.inbox.append(message)  # its commit did not come yet
            assert late < 0 or late > PAST_EPOCHS_MAX or message.epoch < device.known_from
        except mls.KeyConsumed:
            assert message.text in device.texts, "a text that never came is refused"
            assert device.cipher.snapshot() == before
        else:
            assert isinstance(event, mls.Plaintext)
            assert event.data == message.text
            assert event.sender.credential.identity == message.sender.encode()
            assert message.epoch >= device.known_from
            device.texts.append(event.data)

    # Proposals and commits.

    def propose(self, device: Device, target: Device | None) -> None:
        """Propose an update, or the removal of another device."""
        leaf = None if target is None else self._leaf(device, target.name)
        if device.cipher.epoch != self.epoch or self._has_waiting_removal(device, leaf):
            return
        if leaf is None:
            data = device.cipher.propose_update()
        else:
            data = device.cipher.propose(mls.Remove(leaf))
        device.store()
        self._leaves_the_device()
        self._pass_on(Sent(self.epoch, data, None, device.name, is_proposal=True))

    def _has_waiting_removal(self, device: Device, leaf: int | None) -> bool:
        return leaf is not None and bool(device.cipher.group.proposals)

    def _leaf(self, device: Device, name: str) -> int | None:
        """Return another's leaf as a device sees it."""
        for member in device.cipher.members:
            if member.credential.identity == name.encode() and name != device.name:
                return member.leaf
        return None

    def commit(self, device: Device, kind: str, target: Device | None = None) -> None:
        """Make a commit and store it; it is not sent yet."""
        if device.pending is not None:
            return
        if kind == "add" and len(self.devices) < DEVICES_MAX:
            name, who = self._new_client()
            package = who.package()
            outgoing = device.cipher.add([published(package)])
            device.pending = Made(outgoing, (name, who, package))
        elif kind == "remove" and target is not None:
            leaf = self._leaf(device, target.name)
            if leaf is not None:
                device.pending = Made(device.cipher.remove([leaf]))
        elif kind == "update":
            device.pending = Made(device.cipher.update())
        device.store()

    def submit(self, device: Device) -> None:
        """Send the commit: the first of its epoch is accepted, others are refused."""
        made = device.pending
        if made is None:
            return
        self._leaves_the_device()
        device.pending = None
        if made.outgoing.epoch != self.epoch:
            device.cipher.discard_pending()
            device.store()
            return
        self.epoch += 1
        self._pass_on(Sent(made.outgoing.epoch, made.outgoing.message, None, device.name))
        event = device.cipher.merge_pending()
        device.store()
        self._removed(event)
        if made.joiner is not None:
            name, who, package = made.joiner
            welcome = made.outgoing.welcome or b""
            self._enter(name, who, mls.GroupCipher.join(welcome, package, PORTS))

    def _removed(self, event: mls.EpochChanged) -> None:
        for member in event.removed:
            device = self.devices.pop(member.credential.identity.decode(), None)
            if device is not None:
                self.former.append((device, self.epoch))

    def join_externally(self, device: Device, insider: Device) -> None:
        """Let a device that lost its state come back by itself, in place of its old leaf."""
        leaf = self._leaf(insider, device.name)
        if insider.cipher.epoch != self.epoch or leaf is None:
            return
        info = insider.cipher.group_info(with_tree=True)
        who = client(device.name)
        wanted = mls.ExternalJoin(who.identity, removes=leaf)
        cipher, outgoing = mls.GroupCipher.join_externally(info, wanted, PORTS)
        self._leaves_the_device()
        self.epoch += 1
        self.former.append((self.devices.pop(device.name), self.epoch))
        self._pass_on(Sent(self.epoch - 1, outgoing.message, None, device.name))
        cipher.merge_pending()
        self._enter(device.name, who, cipher)

    def _handshake(self, device: Device, message: Sent) -> None:
        had_pending = device.pending is not None
        if message.is_proposal and message.epoch < device.cipher.epoch:
            with pytest.raises(mls.WrongEpoch):  # our own commit was faster
                device.cipher.process(message.data)
            return
        event = device.cipher.process(message.data)
        if isinstance(event, mls.EpochChanged):
            assert event.dropped_pending == had_pending
            device.pending = None
            self._fresh.clear()

    def settle(self) -> None:
        """Deliver everything: afterwards all devices are in the server's epoch."""
        for device in list(self.devices.values()):
            self.submit(device)
        for device in self.devices.values():
            for _ in range(4 * len(device.inbox) + 1):
                self.deliver(device, 0)
            assert device.cipher.epoch == self.epoch, f"{device.name} stays behind"
        self.check()

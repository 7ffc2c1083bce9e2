"""Clients, groups and predictable randomness for the tests of the engine."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from wxclient import mls

SUITE = mls.suite_of(mls.X25519_AES128GCM_SHA256_ED25519)
CUSTOM = 0xF001
"""An extension type that nobody has unless a test says so."""


class Dice:
    """Randomness that a seed repeats; HPKE's own keys stay the library's."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def __call__(self, size: int) -> bytes:
        return self._random.randbytes(size)


DICE = Dice()
PORTS = mls.Ports(DICE)


class Client(NamedTuple):
    """A client that can be added to groups."""

    identity: mls.Identity
    suite: mls.CipherSuite

    def package(self, lifetime: mls.Lifetime | None = None) -> mls.PrivateKeyPackage:
        """Return a new key package."""
        if lifetime is None:
            return mls.new_key_package(self.suite, self.identity, DICE)
        return mls.new_key_package(self.suite, self.identity, DICE, lifetime)


def client(
    name: str,
    suite: mls.CipherSuite = SUITE,
    capabilities: mls.Capabilities | None = None,
    extensions: Sequence[mls.Extension] = (),
) -> Client:
    """Return a new client."""
    identity = mls.Identity(
        suite.new_signature_key(DICE),
        mls.basic(name.encode()),
        capabilities or mls.Capabilities(),
        tuple(extensions),
    )
    return Client(identity, suite)


def published(package: mls.PrivateKeyPackage) -> bytes:
    """Return what a client publishes."""
    return mls.encode_message(package.public)


def create(
    name: str = "0",
    suite: mls.CipherSuite = SUITE,
    ports: mls.Ports = PORTS,
    extensions: Sequence[mls.Extension] = (),
    capabilities: mls.Capabilities | None = None,
) -> mls.GroupCipher:
    """Return a group of one."""
    creator = client(name, suite, capabilities).identity
    return mls.GroupCipher.create(suite.code, creator, b"group", ports, tuple(extensions))


def grow(
    group: mls.GroupCipher, names: Sequence[str], capabilities: mls.Capabilities | None = None
) -> list[mls.GroupCipher]:
    """Add clients to a group that nobody else is in; return all members."""
    suite = group.group.suite
    packages = [client(name, suite, capabilities).package() for name in names]
    outgoing = group.add([published(package) for package in packages])
    group.merge_pending()
    assert outgoing.welcome is not None
    ports = group._ports
    return [group, *[mls.GroupCipher.join(outgoing.welcome, one, ports) for one in packages]]


def group_of(
    members: int,
    suite: mls.CipherSuite = SUITE,
    extensions: Sequence[mls.Extension] = (),
    capabilities: mls.Capabilities | None = None,
) -> list[mls.GroupCipher]:
    """Return the members of a new group."""
    first = create("0", suite, PORTS, extensions, capabilities)
    if members == 1:
        return [first]
    return grow(first, [str(number) for number in range(1, members)], capabilities)


def filled_group(members: int, suite: mls.CipherSuite = SUITE) -> list[mls.GroupCipher]:
    """Return the members of a group in which each committed once: no parent is blank."""
    everyone = group_of(members, suite)
    for one in everyone:
        commit(one, everyone)
    return everyone


def deliver(message: bytes, receivers: Sequence[mls.GroupCipher]) -> list[mls.Event]:
    """Let receivers process a message."""
    return [one.process(message) for one in receivers]


def others(members: Sequence[mls.GroupCipher], one: mls.GroupCipher) -> list[mls.GroupCipher]:
    """Return all members but one."""
    return [member for member in members if member is not one]


def commit(
    committer: mls.GroupCipher,
    members: Sequence[mls.GroupCipher],
    proposals: Sequence[mls.Proposal] = (),
) -> mls.Outgoing:
    """Commit, accept, and let the others process it."""
    outgoing = committer.commit(proposals)
    committer.merge_pending()
    deliver(outgoing.message, others(members, committer))
    return outgoing


def same_epoch(members: Sequence[mls.GroupCipher]) -> bool:
    """Whether members agree on everything an epoch has."""
    first = members[0]
    exported = first.export(b"test", b"context", 32)
    return all(
        one.epoch == first.epoch
        and one.epoch_authenticator == first.epoch_authenticator
        and one.export(b"test", b"context", 32) == exported
        and one.tree == first.tree
        for one in members
    )


def reopened(one: mls.GroupCipher, ports: mls.Ports = PORTS) -> mls.GroupCipher:
    """Return a member restored from its snapshot, with other ports maybe."""
    return mls.GroupCipher.restore(one.snapshot(), ports)


Call = Callable[[], object]


def refuses(call: Call) -> bool:
    """Whether a call raises an ``MlsError``."""
    try:
        call()
    except mls.MlsError:
        return True
    return False


BOTH = pytest.mark.parametrize(
    "suite", [mls.suite_of(code) for code in mls.SUITES], ids=lambda suite: suite.name
)


def text(event: mls.Event) -> bytes:
    """Return the data of an application message."""
    assert isinstance(event, mls.Plaintext)
    return event.data

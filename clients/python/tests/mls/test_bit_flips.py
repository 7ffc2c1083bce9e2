"""One bit of any field of any message is flipped: an ``MlsError``, and the state is as it was.

Every byte is flipped, so every field is; a message that still passes must mean the same.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pytest

from wxclient import mls

from .scene import PORTS, SUITE, client, group_of, published, refuses

Scene = Callable[[], "Target"]


class Target(NamedTuple):
    """Bytes that were sent, and what a receiver does with them."""

    data: bytes
    receive: Callable[[bytes], object]
    victim: mls.GroupCipher | None = None


def flips(data: bytes) -> Sequence[bytes]:
    """Return the data with one bit flipped, for each byte; which bit goes round."""
    changed = []
    for at in range(len(data)):
        copied = bytearray(data)
        copied[at] ^= 1 << at % 8
        changed.append(bytes(copied))
    return changed


def to_member(message: bytes, victim: mls.GroupCipher) -> Target:
    """Return a message to a member of a group."""
    return Target(message, victim.process, victim)


def application() -> Target:
    sender, victim = group_of(2)
    return to_member(sender.encrypt(b"hello", b"associated"), victim)


def private_proposal() -> Target:
    sender, victim = group_of(2)
    return to_member(sender.propose(mls.Remove(1)), victim)


def public_proposal() -> Target:
    sender, victim = group_of(2)
    return to_member(sender.propose_update(encrypted=False), victim)


def private_commit() -> Target:
    sender, _, victim = group_of(3)
    return to_member(sender.remove([1]).message, victim)


def public_commit() -> Target:
    sender, _, victim = group_of(3)
    package = client("new").package()
    options = mls.Options(encrypted=False)
    return to_member(sender.add([published(package)], options).message, victim)


def external_commit() -> Target:
    insider, victim = group_of(2)
    info = insider.group_info(with_tree=True)
    wanted = mls.ExternalJoin(client("0").identity, removes=0)
    _, outgoing = mls.GroupCipher.join_externally(info, wanted, PORTS)
    return to_member(outgoing.message, victim)


def external_proposal() -> Target:
    bot = client("bot").identity
    listed = mls.ExternalSender(bot.signature_key.public, bot.credential)
    _, victim = group_of(2, extensions=[mls.external_senders_extension([listed])])
    outside = mls.Outside(SUITE, victim.group_id, victim.epoch)
    keys = bot.signature_key
    return to_member(mls.propose_from_outside(outside, 0, keys, mls.Remove(0)), victim)


def own_add() -> Target:
    _, victim = group_of(2)
    package = client("new").package()
    return to_member(mls.propose_own_add(victim.group_id, victim.epoch, package), victim)


def welcome() -> Target:
    creator = group_of(1)[0]
    package = client("joiner").package()
    outgoing = creator.add([published(package)])
    return Target(outgoing.welcome or b"", lambda data: mls.GroupCipher.join(data, package, PORTS))


def tree_beside_a_welcome() -> Target:
    creator = group_of(2)[0]
    package = client("joiner").package()
    outgoing = creator.add([published(package)], mls.Options(tree_in_welcome=False))
    sent = outgoing.welcome or b""
    return Target(outgoing.tree, lambda data: mls.GroupCipher.join(sent, package, PORTS, data))


def group_info() -> Target:
    insider = group_of(2)[0]
    wanted = mls.ExternalJoin(client("0").identity)
    return Target(
        insider.group_info(with_tree=True),
        lambda data: mls.GroupCipher.join_externally(data, wanted, PORTS),
    )


def key_package() -> Target:
    creator = group_of(1)[0]
    return Target(published(client("new").package()), lambda data: creator.add([data]), creator)


SCENES: tuple[Scene, ...] = (
    application,
    private_proposal,
    public_proposal,
    private_commit,
    public_commit,
    external_commit,
    external_proposal,
    own_add,
    welcome,
    tree_beside_a_welcome,
    group_info,
    key_package,
)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_message_with_any_bit_flipped_is_refused_and_changes_nothing(scene: Scene) -> None:
    target = scene()
    before = None if target.victim is None else target.victim.snapshot()
    for number, data in enumerate(flips(target.data)):
        refused = refuses(partial(target.receive, data))
        assert refused, f"byte {number} of {len(target.data)} does not count"
        if target.victim is not None:
            assert target.victim.snapshot() == before, f"byte {number}"


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_message_cut_short_or_made_longer_is_refused(scene: Scene) -> None:
    target = scene()
    for size in range(0, len(target.data), 7):
        with pytest.raises(mls.MlsError):
            target.receive(target.data[:size])
    with pytest.raises(mls.MlsError):
        target.receive(target.data + b"\0")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_message_as_it_was_sent_is_accepted(scene: Scene) -> None:
    target = scene()
    target.receive(target.data)

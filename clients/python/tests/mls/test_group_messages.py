"""Application messages: order, epochs, padding, and generations that are skipped."""

import pytest

from wxclient import mls
from wxclient.mls.limits import FORWARD_GENERATIONS_MAX, PAST_EPOCHS_MAX, SKIPPED_KEYS_MAX
from wxclient.mls.secret_tree import RatchetKind

from .scene import (
    BOTH,
    PORTS,
    client,
    commit,
    deliver,
    group_of,
    others,
    reopened,
    text,
)


@BOTH
def test_message_reaches_every_member(suite: mls.CipherSuite) -> None:
    members = group_of(4, suite)
    for one in members:
        message = one.encrypt(b"hello", b"in sight")
        for event in deliver(message, others(members, one)):
            assert isinstance(event, mls.Plaintext)
            assert (event.data, event.authenticated_data) == (b"hello", b"in sight")
            assert event.sender.leaf == one.leaf


def test_messages_out_of_order_are_each_opened_once() -> None:
    sender, receiver = group_of(2)
    messages = [sender.encrypt(b"%d" % number) for number in range(5)]
    for number in (3, 0, 4, 1, 2):
        assert text(receiver.process(messages[number])) == b"%d" % number
    for message in messages:
        with pytest.raises(mls.KeyConsumed):
            receiver.process(message)


def test_own_message_is_refused() -> None:
    sender, _ = group_of(2)
    for message in (sender.encrypt(b"x"), sender.propose(mls.Remove(1), encrypted=False)):
        with pytest.raises(mls.OwnMessage):
            sender.process(message)


def test_message_of_another_group_is_refused() -> None:
    sender, receiver = group_of(2)
    elsewhere = mls.GroupCipher.create(1, client("x").identity, b"elsewhere", PORTS)
    with pytest.raises(mls.WrongGroup):
        receiver.process(elsewhere.encrypt(b"x"))
    with pytest.raises(mls.DecodingError):
        receiver.process(sender.group_info())


def test_late_message_opens_for_a_bounded_number_of_epochs() -> None:
    members = group_of(2)
    sender, receiver = members
    late = [sender.encrypt(b"one"), sender.encrypt(b"two")]
    for number in range(PAST_EPOCHS_MAX):
        assert number < PAST_EPOCHS_MAX
        commit(sender, members)
    receiver = reopened(receiver)
    assert text(receiver.process(late[0])) == b"one"
    receiver.process(sender.update().message)
    with pytest.raises(mls.WrongEpoch):
        receiver.process(late[1])


def test_late_message_names_the_sender_of_its_own_epoch() -> None:
    members = group_of(3)
    late = members[1].encrypt(b"last words")
    commit(members[0], members, [mls.Remove(1)])
    package = client("successor").package()
    commit(members[0], [members[0], members[2]], [mls.Add(package.public)])
    event = reopened(members[2]).process(late)
    assert isinstance(event, mls.Plaintext)
    assert event.sender.credential.identity == b"1"
    assert members[0].members[1].credential.identity == b"successor"


def test_late_proposal_and_commit_are_refused() -> None:
    members = group_of(3)
    late = [members[1].propose_update(), members[1].update().message]
    outgoing = members[0].update()
    members[2].process(outgoing.message)
    for message in late:
        with pytest.raises(mls.WrongEpoch):
            members[2].process(message)


def test_message_of_a_future_epoch_is_refused_until_the_commit_came() -> None:
    first, second = group_of(2)
    outgoing = first.update()
    first.merge_pending()
    early = first.encrypt(b"early")
    with pytest.raises(mls.WrongEpoch) as refusal:
        second.process(early)
    assert (refusal.value.epoch, refusal.value.current) == (2, 1)
    second.process(outgoing.message)
    assert text(second.process(early)) == b"early"


@pytest.mark.parametrize(("pad_to", "sizes"), [(32, {1: 32, 32: 32, 33: 64}), (1, {1: 1, 33: 33})])
def test_padding_hides_the_length(pad_to: int, sizes: dict[int, int]) -> None:
    sender, receiver = group_of(2)
    empty = len(sender.encrypt(b"", pad_to=1))
    for size, padded in sizes.items():
        message = sender.encrypt(bytes(size), pad_to=pad_to)
        assert len(message) - empty in (padded, padded + 1)  # the length field may grow
        assert text(receiver.process(message)) == bytes(size)


# Skipping.


def test_skipped_range_is_passed_without_keeping_keys() -> None:
    sender, receiver = group_of(2)
    messages = [sender.encrypt(b"%d" % number) for number in range(10)]
    header = receiver.header(messages[7])
    assert (header.epoch, header.sender, header.generation) == (1, 0, 7)
    size = len(receiver.snapshot())
    receiver.skip(header.epoch, header.sender, header.generation)
    assert len(receiver.snapshot()) - size < 200
    assert text(receiver.process(messages[7])) == b"7"
    for message in messages[:8]:
        with pytest.raises(mls.KeyConsumed):
            receiver.process(message)
    assert text(receiver.process(messages[8])) == b"8"


def far_ahead(sender: mls.GroupCipher, generations: int) -> bytes:
    """Return a message so many generations ahead; those between are never sent."""
    own = sender.group.epoch.secret_tree.ratchet(sender.leaf, RatchetKind.APPLICATION)
    own.skip(own.generation + generations)
    return sender.encrypt(b"far")


def test_message_too_far_ahead_needs_a_skip() -> None:
    sender, receiver = group_of(2)
    far = far_ahead(sender, FORWARD_GENERATIONS_MAX + 1)
    before = receiver.snapshot()
    with pytest.raises(mls.TooFarAhead):
        receiver.process(far)
    assert receiver.snapshot() == before
    receiver.skip(1, 0, receiver.header(far).generation)
    assert text(receiver.process(far)) == b"far"


def test_kept_keys_of_skipped_messages_are_bounded() -> None:
    sender, receiver = group_of(2)
    first = sender.encrypt(b"first")
    for _ in range(2):
        receiver.process(far_ahead(sender, SKIPPED_KEYS_MAX - 1))
    ratchet = receiver.group.epoch.secret_tree.ratchet(0, RatchetKind.APPLICATION)
    assert len(ratchet.skipped) == SKIPPED_KEYS_MAX
    with pytest.raises(mls.KeyConsumed):
        receiver.process(first)


def test_skip_in_an_unknown_epoch_or_too_far_is_refused() -> None:
    _, receiver = group_of(2)
    with pytest.raises(mls.WrongEpoch):
        receiver.skip(9, 0, 1)
    with pytest.raises(mls.TooFarAhead):
        receiver.skip(1, 0, 1 << 30)

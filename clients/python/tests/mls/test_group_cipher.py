"""The interface of the SDK: commits, proposals, removal, and what is seen from outside."""

from collections.abc import Sequence

import pytest

from wxclient import mls

from .scene import (
    BOTH,
    CUSTOM,
    DICE,
    PORTS,
    SUITE,
    client,
    commit,
    deliver,
    filled_group,
    group_of,
    others,
    published,
    reopened,
    same_epoch,
    text,
)


@BOTH
def test_members_after_each_kind_of_commit_agree(suite: mls.CipherSuite) -> None:
    members = group_of(5, suite)
    assert same_epoch(members)
    for one in members:
        commit(one, members)
        assert same_epoch(members)
    commit(members[1], members, [mls.Remove(3)])
    members.pop(3)
    assert same_epoch(members)
    package = client("new", suite).package()
    outgoing = commit(members[2], members, [mls.Add(package.public)])
    members.append(mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS))
    assert same_epoch(members)
    assert members[-1].leaf == 3


# Pending commits.


def test_pending_commit_changes_nothing_until_it_is_merged() -> None:
    first, second = group_of(2)
    before = first.epoch_authenticator
    outgoing = first.update()
    assert first.has_pending
    assert (first.epoch, first.epoch_authenticator) == (1, before)
    assert text(second.process(first.encrypt(b"still here"))) == b"still here"
    restored = reopened(first)
    event = restored.merge_pending()
    assert (event.epoch, event.committer, event.is_external) == (2, 0, False)
    second.process(outgoing.message)
    assert same_epoch([restored, second])


def test_second_commit_while_one_is_pending_is_refused() -> None:
    first, _ = group_of(2)
    first.update()
    with pytest.raises(mls.StateError):
        first.update()
    first.discard_pending()
    first.update()


def test_merge_without_a_pending_commit_is_refused() -> None:
    with pytest.raises(mls.StateError):
        group_of(1)[0].merge_pending()


def test_discarded_commit_and_its_successor_use_different_keys() -> None:
    first, second = group_of(2)
    lost = first.update().message
    first.discard_pending()
    won = first.update().message
    assert first.header(lost).generation != first.header(won).generation
    second.process(won)
    first.merge_pending()
    assert same_epoch([first, second])


def test_commit_that_lost_is_dropped_for_the_winner() -> None:
    members = group_of(3)
    members[1].add([published(client("lost").package())])
    outgoing = members[0].update()
    members[0].merge_pending()
    event = members[1].process(outgoing.message)
    assert isinstance(event, mls.EpochChanged)
    assert event.dropped_pending
    assert not members[1].has_pending
    members[2].process(outgoing.message)
    assert same_epoch(members)


# Proposals.


@pytest.mark.parametrize("encrypted", [True, False])
def test_proposals_of_others_are_committed(encrypted: bool) -> None:
    members = group_of(4)
    added = client("new").package()
    messages = [
        members[1].propose_update(encrypted=encrypted),
        members[2].propose(mls.Remove(3), encrypted=encrypted),
        members[3].propose(mls.Add(added.public), encrypted=encrypted),
    ]
    for sender, message in zip(members[1:], messages, strict=True):
        deliver(message, others(members, sender))
    with pytest.raises(mls.StateError):
        members[0].encrypt(b"proposals wait")
    members[1] = reopened(members[1])
    outgoing = commit(members[0], members)
    assert not members[3].is_active
    joined = mls.GroupCipher.join(outgoing.welcome or b"", added, PORTS)
    assert same_epoch([*members[:3], joined])


def test_own_update_is_left_out_of_the_own_commit() -> None:
    members = group_of(2)
    deliver(members[0].propose_update(), members[1:])
    commit(members[0], members)
    assert same_epoch(members)


def test_commit_with_an_unknown_proposal_is_refused() -> None:
    members = group_of(3)
    members[0].process(members[1].propose_update())
    before = members[2].snapshot()
    message = members[0].commit().message
    with pytest.raises(mls.MissingProposal):
        members[2].process(message)
    assert members[2].snapshot() == before


def test_external_sender_and_new_member_propose() -> None:
    bot = client("bot").identity
    listed = mls.ExternalSender(bot.signature_key.public, bot.credential)
    members = group_of(3, extensions=[mls.external_senders_extension([listed])])
    outside = mls.Outside(SUITE, b"group", 1)
    package = client("new").package()
    messages = [
        mls.propose_from_outside(outside, 0, bot.signature_key, mls.Remove(2)),
        mls.propose_own_add(b"group", 1, package),
    ]
    for message in messages:
        for event in deliver(message, members):
            assert isinstance(event, mls.Proposed)
    outgoing = commit(members[1], members)
    joined = mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS)
    assert same_epoch([*members[:2], joined])


def test_identity_is_changed_by_an_update_and_by_a_commit() -> None:
    members = group_of(2)
    for committer in members:
        old = committer.group.identity
        renewed = old._replace(signature_key=SUITE.new_signature_key(DICE))
        outgoing = committer.update(renewed)
        committer.merge_pending()
        deliver(outgoing.message, others(members, committer))
        assert committer.members[committer.leaf].signature_key == renewed.signature_key.public
        deliver(committer.encrypt(b"x"), others(members, committer))
    renewed = members[0].group.identity._replace(signature_key=SUITE.new_signature_key(DICE))
    deliver(members[0].propose_update(renewed), members[1:])
    commit(members[1], members)
    assert text(members[1].process(members[0].encrypt(b"renewed"))) == b"renewed"


def test_context_extensions_and_required_capabilities_are_changed() -> None:
    able = mls.Capabilities(extensions=(CUSTOM,))
    members = group_of(3, capabilities=able)
    required = mls.RequiredCapabilities(extensions=(CUSTOM,)).extension()
    commit(members[0], members, [mls.ContextExtensions((required,))])
    assert same_epoch(members)
    with pytest.raises(mls.RuleBroken):
        members[1].add([published(client("unable").package())])


# Removal.


def test_removed_member_learns_it_and_can_do_nothing_more() -> None:
    members = filled_group(4)
    outgoing = members[0].remove([2])
    members[0].merge_pending()
    events = deliver(outgoing.message, members[1:])
    assert [event.are_we_removed for event in events if isinstance(event, mls.EpochChanged)] == [
        False,
        True,
        False,
    ]
    gone = reopened(members[2])
    assert not gone.is_active
    for call in (gone.update, lambda: gone.encrypt(b"x"), lambda: gone.export(b"x", b"", 32)):
        with pytest.raises(mls.StateError):
            call()
    with pytest.raises(mls.WrongEpoch):
        gone.process(members[0].encrypt(b"without you"))


# What is seen from outside.


def test_exported_secrets_differ_by_label_context_epoch_and_length() -> None:
    members = group_of(2)
    asked: Sequence[tuple[bytes, bytes, int]] = (
        (b"label", b"context", 32),
        (b"other", b"context", 32),
        (b"label", b"other", 32),
        (b"label", b"context", 16),
    )
    secrets = {members[0].export(*one) for one in asked}
    commit(members[1], members)
    secrets |= {members[0].export(*one) for one in asked}
    assert len(secrets) == 2 * len(asked)
    assert [len(members[1].export(*one)) for one in asked] == [32, 32, 32, 16]


def test_unsupported_suite_and_version_are_refused_clearly() -> None:
    with pytest.raises(mls.UnsupportedError, match="cipher suite 0x0002"):
        mls.GroupCipher.create(2, client("x").identity, b"group", PORTS)
    _, receiver = group_of(2)
    with pytest.raises(mls.UnsupportedError, match="version 2"):
        receiver.process(bytes.fromhex("00020001"))

"""Welcomes, external commits, pre-shared keys, and groups that follow others."""

import pytest

from wxclient import mls

from .forging import resigned
from .scene import (
    BOTH,
    DICE,
    PORTS,
    SUITE,
    client,
    commit,
    deliver,
    group_of,
    published,
    reopened,
    same_epoch,
)

# Pre-shared keys and groups that follow.


def test_external_and_resumption_keys_are_mixed_in() -> None:
    ports = PORTS._replace(psks=lambda wanted: b"value" if wanted.psk_id == b"key" else None)
    members = [reopened(one, ports) for one in group_of(3)]
    commit(members[0], members)
    commit(members[0], members, [members[0].external_psk(b"key"), members[0].resumption_psk(1)])
    assert same_epoch(members)
    with pytest.raises(mls.MissingPsk):
        members[0].commit([members[0].external_psk(b"unknown")])


def test_joiner_needs_the_pre_shared_key_too() -> None:
    ports = PORTS._replace(psks=lambda _: b"value")
    creator = reopened(group_of(1)[0], ports)
    package = client("new").package()
    outgoing = creator.commit([mls.Add(package.public), creator.external_psk(b"key")])
    creator.merge_pending()
    with pytest.raises(mls.MissingPsk):
        mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS)
    joined = mls.GroupCipher.join(outgoing.welcome or b"", package, ports)
    assert same_epoch([creator, joined])


def again(one: mls.GroupCipher, suite: mls.CipherSuite = SUITE) -> mls.PrivateKeyPackage:
    """Return a key package of a member for a group that follows."""
    identity = one.group.identity
    return mls.new_key_package(suite, identity, DICE)


def test_subgroup_has_some_members_and_its_own_secrets() -> None:
    members = group_of(3)
    package = again(members[2])
    sub, outgoing = members[0].branch(b"sub", [published(package)])
    joined = mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS, parent=members[2])
    assert same_epoch([sub, joined])
    assert sub.epoch_authenticator != members[0].epoch_authenticator
    commit(joined, [sub, joined])
    assert same_epoch([sub, joined])


def test_reinitialised_group_is_closed_and_followed_by_one_of_another_suite() -> None:
    members = group_of(2)
    suite = mls.suite_of(mls.XWING_AES256GCM_SHA512_ED25519)
    outgoing = members[0].commit([mls.ReInit(b"next", 1, suite.code, ())])
    assert members[0].merge_pending().is_closed
    members[1].process(outgoing.message)
    for one in members:
        assert not reopened(one).is_active
        with pytest.raises(mls.StateError):
            one.encrypt(b"too late")
        with pytest.raises(mls.StateError):
            one.update()
    package = again(members[0], suite)
    following, made = members[1].reinitialise(members[1].group.identity, [published(package)])
    joined = mls.GroupCipher.join(made.welcome or b"", package, PORTS, parent=members[0])
    assert same_epoch([following, joined])
    assert following.group_id == b"next"


def test_reinitialisation_of_a_group_that_goes_on_is_refused() -> None:
    first, _ = group_of(2)
    with pytest.raises(mls.StateError):
        first.reinitialise(first.group.identity, [])


# Joining.


def test_welcome_without_a_tree_needs_it_beside() -> None:
    creator = group_of(2)[0]
    package = client("new").package()
    outgoing = creator.add([published(package)], mls.Options(tree_in_welcome=False))
    creator.merge_pending()
    with pytest.raises(mls.MissingTree):
        mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS)
    joined = mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS, outgoing.tree)
    assert same_epoch([creator, joined])


def test_welcome_for_another_is_refused() -> None:
    creator = group_of(1)[0]
    outgoing = creator.add([published(client("new").package())])
    with pytest.raises(mls.NotForUs):
        mls.GroupCipher.join(outgoing.welcome or b"", client("other").package(), PORTS)


def test_joiner_of_a_commit_without_a_path_takes_part() -> None:
    creator = group_of(3)[0]
    package = client("new").package()
    outgoing = creator.add([published(package)], mls.Options(force_path=False))
    creator.merge_pending()
    joined = mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS)
    creator.process(joined.update().message)
    joined.merge_pending()
    assert same_epoch([creator, joined])


@BOTH
def test_external_joiner_replaces_its_earlier_leaf(suite: mls.CipherSuite) -> None:
    members = group_of(4, suite)
    wanted = mls.ExternalJoin(client("2", suite).identity, removes=2)
    info = members[0].group_info()
    tree = members[0].tree
    joined, outgoing = mls.GroupCipher.join_externally(info, wanted, PORTS, tree)
    with pytest.raises(mls.StateError):
        joined.encrypt(b"not a member yet")
    joined = reopened(joined)
    assert joined.merge_pending().is_external
    events = deliver(outgoing.message, members)
    assert [event.are_we_removed for event in events if isinstance(event, mls.EpochChanged)] == [
        False,
        False,
        True,
        False,
    ]
    assert same_epoch([members[0], members[1], members[3], joined])


def test_key_package_is_stored_and_read_back() -> None:
    creator = group_of(1)[0]
    package = mls.decode_private(mls.encode_private(client("new").package()))
    outgoing = creator.add([published(package)])
    creator.merge_pending()
    joined = mls.GroupCipher.join(outgoing.welcome or b"", package, PORTS)
    assert same_epoch([creator, joined])


@pytest.mark.parametrize("init_key", [b"short", bytes(32)])
def test_key_package_with_an_unusable_init_key_is_refused_and_changes_nothing(
    init_key: bytes,
) -> None:
    creator = group_of(2)[0]
    owner = client("mallory")
    package = resigned(owner, owner.package().public._replace(init_key=init_key))
    before = creator.snapshot()
    with pytest.raises(mls.CryptoError):
        creator.add([mls.encode_message(package)])
    assert creator.snapshot() == before

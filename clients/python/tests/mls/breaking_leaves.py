"""Breakers of sections 7.2, 7.3 and 10.1: leaf nodes and key packages."""

from typing import Any

from wxclient import mls
from wxclient.mls.key_package import KeyPackage
from wxclient.mls.leaf_node import Position, Source

from .breaking import Attempt, breaks, sent
from .forging import honest_path, listing, public, resigned, with_leaf
from .scene import CUSTOM, DICE, PORTS, SUITE, client, group_of, reopened

Rule = mls.Rule
NOW = 1_800_000_000
ABLE = mls.Capabilities(extensions=(CUSTOM,))


class Refusing(mls.SameIdentity):
    """A policy that does not know Mallory."""

    def accepts(self, credential: mls.Credential, signature_key: bytes, place: mls.Place) -> bool:
        """Accept all but one."""
        return credential.identity != b"mallory"


class ByEncryptionKey(mls.SameIdentity):
    """A policy that tells clients apart by something else than their signature keys."""

    def client(self, leaf: mls.LeafNode) -> bytes:
        """Return the encryption key."""
        return leaf.encryption_key


def adding(package: KeyPackage, ports: mls.Ports = PORTS, **scene: Any) -> Attempt:
    """Return the attempt to propose the addition of a key package."""
    insider, victim = group_of(2, **scene)
    victim = reopened(victim, ports)
    return sent(victim, public(insider, mls.Add(package)))


def changed_leaf(**changes: Any) -> KeyPackage:
    """Return the key package of a client whose leaf was changed, all signatures right."""
    owner = client("mallory")
    package = owner.package().public
    return resigned(owner, package._replace(leaf=package.leaf._replace(**changes)))


@breaks(Rule.LEAF_CREDENTIAL)
def credential_is_refused_by_the_application() -> Attempt:
    return adding(client("mallory").package().public, PORTS._replace(policy=Refusing()))


@breaks(Rule.LEAF_CREDENTIAL)
def update_takes_another_identity() -> Attempt:
    mallory, victim = group_of(2)
    leaf = honest_update(mallory)._replace(credential=mls.basic(b"somebody else"))
    return sent(victim, public(mallory, mls.Update(placed(mallory, leaf))))


@breaks(Rule.LEAF_SIGNATURE)
def signature_of_the_leaf_is_another() -> Attempt:
    owner = client("mallory")
    package = owner.package().public
    other = package.leaf._replace(signature=bytes(64), encoded=b"")
    bare = package._replace(leaf=other)
    tbs = bare.to_be_signed()
    signature = SUITE.sign(owner.identity.signer, b"KeyPackageTBS", tbs)
    return adding(bare._replace(signature=signature))


@breaks(Rule.LEAF_SIGNATURE)
def update_is_signed_for_another_leaf() -> Attempt:
    mallory, _, victim = group_of(3)
    leaf = honest_update(mallory)
    moved = leaf.signed(SUITE, mallory.group.signer, Position(b"group", 1))
    return sent(victim, public(mallory, mls.Update(moved)))


@breaks(Rule.LEAF_REQUIRED_CAPABILITIES)
def leaf_lacks_a_required_capability() -> Attempt:
    required = mls.RequiredCapabilities(extensions=(CUSTOM,)).extension()
    package = client("mallory").package().public
    return adding(package, extensions=[required], capabilities=ABLE)


@breaks(Rule.LEAF_CREDENTIAL_SUPPORTED)
def leaf_does_not_support_its_own_credential() -> Attempt:
    return adding(changed_leaf(capabilities=mls.Capabilities(credentials=(2,))))


@breaks(Rule.LEAF_CREDENTIAL_SUPPORTED)
def credential_is_not_supported_by_members() -> Attempt:
    both = mls.Capabilities(credentials=(1, 2))
    package = changed_leaf(capabilities=both, credential=mls.Credential(2))
    insider, victim = group_of(2)
    commit = listing(mls.Add(package))
    return sent(victim, public(insider, commit))


@breaks(Rule.LEAF_LIFETIME)
def key_package_is_expired() -> Attempt:
    package = client("late").package(mls.Lifetime(0, NOW - 1)).public
    return adding(package, PORTS._replace(clock=lambda: NOW))


@breaks(Rule.LEAF_LIFETIME)
def key_package_is_not_valid_yet() -> Attempt:
    package = client("early").package(mls.Lifetime(NOW + 1, NOW + 2)).public
    return adding(package, PORTS._replace(clock=lambda: NOW))


@breaks(Rule.LEAF_EXTENSIONS)
def leaf_has_an_extension_it_does_not_list() -> Attempt:
    return adding(changed_leaf(extensions=(mls.Extension(CUSTOM, b""),)))


@breaks(Rule.LEAF_SUITE)
def leaf_does_not_support_the_cipher_suite() -> Attempt:
    return adding(changed_leaf(capabilities=mls.Capabilities(cipher_suites=(2,))))


@breaks(Rule.LEAF_SUITE)
def leaf_does_not_support_the_version() -> Attempt:
    return adding(changed_leaf(capabilities=mls.Capabilities(versions=(2,))))


@breaks(Rule.LEAF_GROUP_EXTENSIONS)
def leaf_does_not_support_an_extension_of_the_group() -> Attempt:
    package = client("mallory").package().public
    return adding(package, extensions=[mls.Extension(CUSTOM, b"")], capabilities=ABLE)


def honest_update(insider: mls.GroupCipher) -> mls.LeafNode:
    """Return the leaf of an update proposal, not signed yet."""
    keys = SUITE.derive_key_pair(DICE(32))
    return insider.group.identity.leaf(keys.public, Source.UPDATE)


def placed(insider: mls.GroupCipher, leaf: mls.LeafNode) -> mls.LeafNode:
    """Return a leaf signed for its place."""
    position = Position(insider.group_id, insider.leaf)
    return leaf.signed(SUITE, insider.group.signer, position)


@breaks(Rule.LEAF_SOURCE)
def update_has_the_leaf_of_a_commit() -> Attempt:
    mallory, victim = group_of(2)
    leaf = honest_update(mallory)._replace(source=Source.COMMIT)
    return sent(victim, public(mallory, mls.Update(placed(mallory, leaf))))


@breaks(Rule.LEAF_SOURCE)
def key_package_has_the_leaf_of_a_commit() -> Attempt:
    return adding(changed_leaf(source=Source.COMMIT, lifetime=None))


@breaks(Rule.LEAF_SOURCE)
def path_has_the_leaf_of_an_update() -> Attempt:
    mallory, victim = group_of(2)
    path = honest_path(mallory)
    leaf = path.leaf._replace(source=Source.UPDATE, parent_hash=b"")
    return sent(victim, public(mallory, listing(path=with_leaf(mallory, path, leaf))))


@breaks(Rule.LEAF_SIGNATURE_KEY_UNIQUE)
def signature_key_is_used_by_a_member() -> Attempt:
    insider, victim = group_of(2)
    victim = reopened(victim, PORTS._replace(policy=ByEncryptionKey()))
    package = mls.new_key_package(SUITE, insider.group.identity, DICE).public
    commit = listing(mls.Add(package))
    return sent(victim, public(insider, commit))


@breaks(Rule.LEAF_ENCRYPTION_KEY_UNIQUE)
def encryption_key_is_used_by_a_member() -> Attempt:
    insider, victim = group_of(2)
    used = victim.group.tree.encryption_key(2)
    commit = listing(mls.Add(changed_leaf(encryption_key=used)))
    return sent(victim, public(insider, commit))


@breaks(Rule.LEAF_UPDATE_NEW_KEY)
def update_keeps_the_encryption_key() -> Attempt:
    mallory, victim = group_of(2)
    leaf = honest_update(mallory)
    leaf = leaf._replace(encryption_key=mallory.group.tree.encryption_key(0))
    return sent(victim, public(mallory, mls.Update(placed(mallory, leaf))))


@breaks(Rule.LEAF_UPDATE_NEW_KEY)
def path_keeps_the_encryption_key() -> Attempt:
    mallory, victim = group_of(2)
    path = honest_path(mallory)
    leaf = path.leaf._replace(encryption_key=mallory.group.tree.encryption_key(0))
    return sent(victim, public(mallory, listing(path=with_leaf(mallory, path, leaf))))


@breaks(Rule.KEY_PACKAGE_SUITE)
def key_package_is_of_another_suite() -> Attempt:
    owner = client("mallory")
    package = owner.package().public
    return adding(resigned(owner, package._replace(cipher_suite=2)))


@breaks(Rule.KEY_PACKAGE_SIGNATURE)
def key_package_is_signed_by_another() -> Attempt:
    package = client("mallory").package().public
    return adding(package._replace(signature=bytes(64)))


@breaks(Rule.KEY_PACKAGE_INIT_KEY)
def init_key_is_the_encryption_key() -> Attempt:
    owner = client("mallory")
    package = owner.package().public
    return adding(resigned(owner, package._replace(init_key=package.leaf.encryption_key)))

"""Breakers of sections 12.4.2 and 12.4.3: paths, tags, Welcomes and trees."""

from collections.abc import Callable

from wxclient import mls
from wxclient.mls.codec import opaque
from wxclient.mls.key_package import KeyPackage
from wxclient.mls.messages import expect_group_info, expect_welcome
from wxclient.mls.parent_hash import set_path_hashes
from wxclient.mls.psk import resumption_psk
from wxclient.mls.ratchet_tree import ParentNode, RatchetTree
from wxclient.mls.treekem import UpdatePath

from .breaking import Attempt, breaks, sent
from .forging import (
    Invitation,
    content_of,
    honest_path,
    invitation,
    listing,
    path_of,
    public,
    tagged,
    with_leaf,
)
from .scene import DICE, PORTS, SUITE, client, filled_group, group_of, published

Rule = mls.Rule


def with_path(change: Callable[[mls.GroupCipher, UpdatePath], UpdatePath]) -> Attempt:
    """Return the attempt to commit a path that was changed, in a group of four."""
    mallory, _, _, victim = group_of(4)
    path = change(mallory, honest_path(mallory))
    return sent(victim, public(mallory, listing(path=path)))


@breaks(Rule.COMMIT_PATH_LENGTH)
def path_lacks_a_node() -> Attempt:
    return with_path(lambda _, path: path._replace(nodes=path.nodes[:-1]))


@breaks(Rule.COMMIT_PATH_CIPHERTEXTS)
def path_leaves_a_member_out() -> Attempt:
    def change(_: mls.GroupCipher, path: UpdatePath) -> UpdatePath:
        top = path.nodes[-1]
        less = top._replace(encrypted_path_secret=top.encrypted_path_secret[:-1])
        return path._replace(nodes=(*path.nodes[:-1], less))

    return with_path(change)


@breaks(Rule.COMMIT_PATH_KEYS_NEW)
def path_has_a_key_of_the_tree() -> Attempt:
    def change(mallory: mls.GroupCipher, path: UpdatePath) -> UpdatePath:
        used = mallory.group.tree.encryption_key(4)
        top = path.nodes[-1]._replace(encryption_key=used)
        return path._replace(nodes=(*path.nodes[:-1], top))

    return with_path(change)


@breaks(Rule.COMMIT_PATH_PARENT_HASH)
def leaf_has_another_parent_hash() -> Attempt:
    def change(mallory: mls.GroupCipher, path: UpdatePath) -> UpdatePath:
        return with_leaf(mallory, path, path.leaf._replace(parent_hash=bytes(32)))

    return with_path(change)


@breaks(Rule.COMMIT_PATH_OPENS)
def path_secret_belongs_to_another_key() -> Attempt:
    mallory, _, _, victim = group_of(4)
    path = path_of(mallory)
    top = path.made.steps[-1]
    other = SUITE.derive_key_pair(DICE(32)).public
    path.tree.put(top.node, ParentNode(other, b""))
    parent_hash = set_path_hashes(path.tree, mallory.leaf)
    changed = path.made.leaf._replace(parent_hash=parent_hash)
    leaf = with_leaf(mallory, UpdatePath(changed, ()), changed).leaf
    path.tree.put(2 * mallory.leaf, leaf)
    context = mallory.group.context._replace(epoch=mallory.epoch + 1, tree_hash=path.tree.hash())
    steps = [*path.made.steps[:-1], top._replace(keys=top.keys._replace(public=other))]
    made = path.made._replace(leaf=leaf, steps=steps)
    sealed = path._replace(made=made, context=context.encode()).sealed(mallory.leaf)
    return sent(victim, public(mallory, listing(path=sealed)))


@breaks(Rule.COMMIT_CONFIRMATION_TAG)
def confirmation_tag_is_another() -> Attempt:
    mallory, victim = group_of(2)
    message = mallory.commit((), mls.Options(encrypted=False)).message
    mallory.discard_pending()
    whole = content_of(message).authenticated
    whole = whole._replace(auth=whole.auth._replace(confirmation_tag=bytes(32)))
    return sent(victim, tagged(mallory, whole))


# Welcomes.


def invited(change: Callable[[Invitation], Invitation], tree: RatchetTree | None = None) -> Attempt:
    """Return the attempt to join by a Welcome that was changed before it was signed."""
    mallory = group_of(2)[0]
    package = client("joiner").package()
    welcome = change(invitation(mallory, package, tree)).welcome(package)
    return Attempt(lambda: mls.GroupCipher.join(welcome, package, PORTS))


@breaks(Rule.WELCOME_SUITE)
def welcome_is_of_another_suite() -> Attempt:
    mallory = group_of(2)[0]
    package = client("joiner").package()
    honest = expect_welcome(invitation(mallory, package).welcome(package))
    other = mls.encode_message(honest._replace(cipher_suite=mls.XWING_AES256GCM_SHA512_ED25519))
    return Attempt(lambda: mls.GroupCipher.join(other, package, PORTS))


@breaks(Rule.WELCOME_SUITE)
def group_info_is_of_another_suite() -> Attempt:
    return invited(lambda one: one._replace(context=one.context._replace(cipher_suite=2)))


@breaks(Rule.WELCOME_SIGNER)
def signer_is_a_blank_leaf() -> Attempt:
    return invited(lambda one: one._replace(signer=3))


@breaks(Rule.WELCOME_GROUP_INFO_SIGNATURE)
def group_info_is_signed_by_another() -> Attempt:
    return invited(lambda one: one._replace(signing_key=client("x").identity.signer))


@breaks(Rule.WELCOME_OWN_LEAF)
def own_leaf_is_not_in_the_tree() -> Attempt:
    mallory = group_of(2)[0]
    package = client("joiner").package()
    welcome = invitation(mallory, package, mallory.group.tree.copy()).welcome(package)
    return Attempt(lambda: mls.GroupCipher.join(welcome, package, PORTS))


@breaks(Rule.WELCOME_PATH_OPENS)
def path_secret_gives_other_keys() -> Attempt:
    return _with_tree(lambda tree, _: tree, path_secret=bytes(32))


@breaks(Rule.WELCOME_CONFIRMATION_TAG)
def confirmation_tag_of_the_group_info_is_another() -> Attempt:
    return invited(lambda one: one._replace(tag=bytes(32)))


@breaks(Rule.WELCOME_PSKS)
def welcome_follows_two_groups() -> Attempt:
    psks = tuple(resumption_psk(mls.Usage.BRANCH, name, 1, bytes(32)) for name in (b"one", b"two"))
    return invited(lambda one: one._replace(psks=psks, psk_values=(b"", b"")))


def _follower(usage: mls.Usage) -> Attempt:
    """Return the attempt to join a group that follows another, which is not given."""
    mallory = group_of(2)[0]
    package = client("joiner").package()
    psk = resumption_psk(usage, b"parent", 1, bytes(32))
    made = invitation(mallory, package)._replace(psks=(psk,), psk_values=(b"value",))
    welcome = made.welcome(package)
    ports = PORTS._replace(psks=lambda _: b"value")
    return Attempt(lambda: mls.GroupCipher.join(welcome, package, ports))


@breaks(Rule.REINIT_CONTINUES)
def reinitialised_group_is_not_known() -> Attempt:
    return _follower(mls.Usage.REINIT)


@breaks(Rule.REINIT_CONTINUES)
def new_group_is_not_what_was_said() -> Attempt:
    first, second = group_of(2)
    outgoing = first.commit([mls.ReInit(b"next", 1, SUITE.code, ())])
    first.merge_pending()
    second.process(outgoing.message)
    first.group.reinit = mls.ReInit(b"elsewhere", 1, SUITE.code, ())
    package = mls.new_key_package(SUITE, second.group.identity, DICE)
    _, made = first.reinitialise(first.group.identity, [published(package)])
    welcome = made.welcome or b""
    return Attempt(lambda: mls.GroupCipher.join(welcome, package, PORTS, parent=second), second)


@breaks(Rule.BRANCH_CONTINUES)
def main_group_is_not_known() -> Attempt:
    return _follower(mls.Usage.BRANCH)


@breaks(Rule.BRANCH_CONTINUES)
def stranger_is_in_the_subgroup() -> Attempt:
    first, second = group_of(2)
    package = mls.new_key_package(SUITE, second.group.identity, DICE)
    stranger = client("stranger").package()
    _, made = first.branch(b"sub", [published(package), published(stranger)])
    welcome = made.welcome or b""
    return Attempt(lambda: mls.GroupCipher.join(welcome, package, PORTS, parent=second), second)


@breaks(Rule.EXTERNAL_PUB)
def group_info_has_no_external_key() -> Attempt:
    mallory = group_of(2)[0]
    info = expect_group_info(mallory.group_info(with_tree=True))
    less = tuple(one for one in info.extensions if one.type != 4)
    bare = info._replace(extensions=less).signed(SUITE, mallory.group.signer)
    wanted = mls.ExternalJoin(client("0").identity)
    message = mls.encode_message(bare)
    return Attempt(lambda: mls.GroupCipher.join_externally(message, wanted, PORTS))


# Trees.

TreeChange = Callable[[RatchetTree, KeyPackage], RatchetTree]


def _with_tree(change: TreeChange, path_secret: bytes | None = None) -> Attempt:
    """Return the attempt to join a group of four, all parents filled, whose tree was changed."""
    mallory = filled_group(4)[0]
    package = client("joiner").package()
    tree = mallory.group.tree.copy()
    tree.remove(3)
    tree.add(package.public.leaf)
    # An honest tree again: the new leaf's side is blank, the root links to the other side.
    changed = change(tree, package.public)
    made = invitation(mallory, package, changed)._replace(path_secret=path_secret)
    welcome = made.welcome(package)
    return Attempt(lambda: mls.GroupCipher.join(welcome, package, PORTS))


@breaks(Rule.TREE_PARENT_HASH)
def parent_is_linked_to_nobody() -> Attempt:
    def change(tree: RatchetTree, _: KeyPackage) -> RatchetTree:
        parent = tree.parent(1)
        assert parent is not None
        tree.put(1, parent._replace(parent_hash=b"another"))
        return tree

    return _with_tree(change)


@breaks(Rule.TREE_UNMERGED_LEAVES)
def unmerged_leaf_is_not_below() -> Attempt:
    def change(tree: RatchetTree, _: KeyPackage) -> RatchetTree:
        parent = tree.parent(1)
        assert parent is not None
        tree.put(1, parent._replace(unmerged_leaves=(2,)))
        return tree

    return _with_tree(change)


@breaks(Rule.TREE_PARENT_KEY_UNIQUE)
def parent_has_a_leaf_s_key() -> Attempt:
    mallory, *_ = group_of(2)
    package = client("joiner").package()
    tree = mallory.group.tree.copy()
    tree.add(package.public.leaf)
    leaf = tree.leaf(2)
    assert leaf is not None
    tree.put(1, ParentNode(leaf.encryption_key, b""))
    value = set_path_hashes_of(mallory, tree)
    welcome = invitation(mallory, package, value).welcome(package)
    return Attempt(lambda: mls.GroupCipher.join(welcome, package, PORTS))


def set_path_hashes_of(mallory: mls.GroupCipher, tree: RatchetTree) -> RatchetTree:
    """Link the parents above Mallory's leaf anew, and sign the leaf."""
    for at, _ in tree.filtered_path(mallory.leaf):
        if tree.parent(at) is None:
            tree.put(at, ParentNode(SUITE.derive_key_pair(DICE(32)).public, b""))
    old = tree.leaf(mallory.leaf)
    assert old is not None
    leaf = old._replace(parent_hash=set_path_hashes(tree, mallory.leaf))
    resigned = with_leaf(mallory, UpdatePath(leaf, ()), leaf).leaf
    tree.put(2 * mallory.leaf, resigned)
    return tree


@breaks(Rule.TREE_HASH)
def tree_has_another_hash() -> Attempt:
    return invited(lambda one: one._replace(context=one.context._replace(tree_hash=bytes(32))))


@breaks(Rule.TREE_TRIMMED)
def encoded_tree_ends_with_a_blank() -> Attempt:
    def change(one: Invitation) -> Invitation:
        tree = RatchetTree.decode(SUITE, one.tree).encode()
        body = tree[2:] + b"\0"
        return one._replace(tree=opaque(body))

    return invited(change)


@breaks(Rule.TREE_SHAPE)
def leaf_stands_where_a_parent_should() -> Attempt:
    def change(one: Invitation) -> Invitation:
        leaf = client("x").package().public.leaf
        return one._replace(tree=opaque((b"\1\1" + leaf.encode()) * 2))

    return invited(change)

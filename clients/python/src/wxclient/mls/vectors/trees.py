"""Vectors of the ratchet tree: operations, validation, TreeKEM."""

from wxclient.mls import tree_math
from wxclient.mls.codec import decode
from wxclient.mls.extensions import RequiredCapabilities
from wxclient.mls.kem import KeyPair
from wxclient.mls.key_schedule import GroupContext
from wxclient.mls.leaf_node import Identity, Position
from wxclient.mls.leaf_rules import LeafRules
from wxclient.mls.policy import SameIdentity
from wxclient.mls.proposals import Add, Remove, Update, read_proposal
from wxclient.mls.ratchet_tree import RatchetTree
from wxclient.mls.suites import MLS10, CipherSuite
from wxclient.mls.tree_validation import check_tree
from wxclient.mls.treekem import (
    PrivateKeys,
    Receiver,
    UpdatePath,
    apply_path,
    check_new_keys,
    check_path_ciphertexts,
    new_path,
    node_keys,
    open_path,
    seal_path,
)

from .cases import Case, data, refused, same, suite


def tree_operations(case: Case) -> None:
    """A tree before and after one proposal."""
    chosen = suite(case)
    before = data(case, "tree_before")
    tree = RatchetTree.decode(chosen, before)
    same("tree_before", before, tree.encode())
    same("tree_hash_before", data(case, "tree_hash_before"), tree.hash())
    proposal = decode(data(case, "proposal"), read_proposal)
    match proposal:
        case Add():
            tree.add(proposal.key_package.leaf)
        case Update():
            tree.update(case["proposal_sender"], proposal.leaf)
        case Remove():
            tree.remove(proposal.removed)
    same("tree_after", data(case, "tree_after"), tree.encode())
    same("tree_hash_after", data(case, "tree_hash_after"), tree.hash())


def _check(tree: RatchetTree, chosen: CipherSuite, group_id: bytes) -> None:
    rules = LeafRules(chosen, RequiredCapabilities(), (), SameIdentity())
    check_tree(tree, rules, group_id)


def tree_validation(case: Case) -> None:
    """Resolutions and hashes of every node, parent hashes, and the leaves' signatures."""
    chosen = suite(case)
    encoded = data(case, "tree")
    tree = RatchetTree.decode(chosen, encoded)
    same("tree", encoded, tree.encode())
    width = tree_math.node_width(tree.leaf_count)
    same("resolutions", case["resolutions"], [tree.resolution(at) for at in range(width)])
    hashes = [tree.hash(at).hex() for at in range(width)]
    same("tree_hashes", case["tree_hashes"], hashes)
    _check(tree, chosen, data(case, "group_id"))


def treekem(case: Case) -> None:
    """Update paths, opened by every leaf; and one of our own for each."""
    chosen = suite(case)
    tree = RatchetTree.decode(chosen, data(case, "ratchet_tree"))
    _check(tree, chosen, data(case, "group_id"))
    members = {one["index"]: one for one in case["leaves_private"]}
    same("members with private keys", len(case["leaves_private"]), len(members))
    keys = {number: _private_keys(tree, one) for number, one in members.items()}
    for one in case["update_paths"]:
        _update_path(case, one, tree, keys)
    for number, one in members.items():
        _own_path(case, number, one, tree, keys)


def _private_keys(tree: RatchetTree, one: Case) -> PrivateKeys:
    """Return a member's private keys, compared with the public ones of the tree."""
    private = data(one, "encryption_priv")
    public = tree.encryption_key(2 * one["index"])
    same(f"key of leaf {one['index']}", public, tree.suite.kem.public(private))
    keys = {2 * one["index"]: private}
    for known in one["path_secrets"]:
        pair = node_keys(tree.suite, data(known, "path_secret"))
        same(f"key of node {known['node']}", tree.encryption_key(known["node"]), pair.public)
        keys[known["node"]] = pair.private
    leaf = tree.leaf(one["index"])
    refused("a private leaf has a public one", holds=leaf is not None)
    if leaf is not None:
        signature_key = tree.suite.signature_public(data(one, "signature_priv"))
        same("signature key", leaf.signature_key, signature_key)
    return keys


def _context(case: Case, tree: RatchetTree) -> bytes:
    """Return the group context that a path is sealed in: the tree is changed already."""
    return GroupContext(
        MLS10,
        tree.suite.code,
        data(case, "group_id"),
        case["epoch"],
        tree.hash(),
        data(case, "confirmed_transcript_hash"),
        (),
    ).encode()


def _update_path(case: Case, one: Case, before: RatchetTree, keys: dict[int, PrivateKeys]) -> None:
    sender, encoded = one["sender"], data(one, "update_path")
    path = decode(encoded, UpdatePath.read)
    same("update_path", encoded, path.encode())
    tree = before.copy()
    check_new_keys(tree, path)
    apply_path(tree, sender, path)
    check_path_ciphertexts(tree, sender, path, ())
    same("tree_hash_after", data(one, "tree_hash_after"), tree.hash())
    position = Position(data(case, "group_id"), sender)
    tbs, leaf = path.leaf.to_be_signed(position), path.leaf
    verified = tree.suite.verify(leaf.signature_key, b"LeafNodeTBS", tbs, leaf.signature)
    refused("the signature of the path's leaf", holds=verified)
    context = _context(case, tree)
    for receiver, held in keys.items():
        if receiver == sender:
            continue
        found, secret = open_path(tree, sender, path, Receiver(receiver, held), context, ())
        same(f"commit_secret at {receiver}", data(one, "commit_secret"), secret)
        wanted = one["path_secrets"][receiver]
        pair = node_keys(tree.suite, bytes.fromhex(wanted))
        lowest = min(found, key=tree_math.level)
        same(f"path_secret at {receiver}", pair.private, found[lowest])


def _own_path(
    case: Case, sender: int, one: Case, before: RatchetTree, keys: dict[int, PrivateKeys]
) -> None:
    leaf = before.leaf(sender)
    if leaf is None:
        return
    tree = before.copy()
    signing = KeyPair(data(one, "signature_priv"), leaf.signature_key)
    identity = Identity(signing, leaf.credential, leaf.capabilities, leaf.extensions)
    counter = iter(range(1, 1 << 16))

    def predictable(size: int) -> bytes:
        return next(counter).to_bytes(size, "big")

    made = new_path(tree, sender, identity, data(case, "group_id"), predictable)
    context = _context(case, tree)
    path = seal_path(tree, sender, made, context, ())
    for receiver, held in keys.items():
        if receiver != sender:
            known = Receiver(receiver, held)
            _, secret = open_path(tree, sender, path, known, context, ())
            same(f"our commit_secret at {receiver}", made.commit_secret, secret)

"""Sections 7.4 to 7.6: path secrets, update paths, and the private keys of a member."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from . import tree_math
from .codec import Reader, opaque, vector
from .errors import CryptoError, RuleBroken
from .kem import KeyPair
from .leaf_node import Identity, LeafNode, Position, Source
from .parent_hash import set_path_hashes
from .ratchet_tree import ParentNode, RatchetTree
from .rules import Rule
from .suites import CipherSuite, HpkeCiphertext, Random

LABEL = b"UpdatePathNode"
PrivateKeys = dict[int, bytes]
"""The private keys that a member has, by node."""


class UpdatePathNode(NamedTuple):
    """A new public key, and its path secret sealed to those below (section 7.6)."""

    encryption_key: bytes
    encrypted_path_secret: tuple[HpkeCiphertext, ...]

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.encryption_key) + vector(self.encrypted_path_secret)

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePathNode":
        """Read the structure."""
        return cls(reader.opaque(), reader.vector(HpkeCiphertext.read))


class UpdatePath(NamedTuple):
    """A committer's new leaf, and the nodes above it."""

    leaf: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return self.leaf.encode() + vector(self.nodes)

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePath":
        """Read the structure."""
        return cls(LeafNode.read(reader), reader.vector(UpdatePathNode.read))


class PathStep(NamedTuple):
    """One node of a path whose secret is known."""

    node: int
    secret: bytes
    keys: KeyPair


def node_keys(suite: CipherSuite, path_secret: bytes) -> KeyPair:
    """Return a node's key pair (section 7.4)."""
    return suite.derive_key_pair(suite.derive_secret(path_secret, b"node"))


def climb(suite: CipherSuite, nodes: Iterable[int], secret: bytes) -> tuple[list[PathStep], bytes]:
    """Derive the keys of nodes above each other; return them and the secret past the last."""
    steps = []
    for node in nodes:
        steps.append(PathStep(node, secret, node_keys(suite, secret)))
        secret = suite.derive_secret(secret, b"path")
    return steps, secret


class NewPath(NamedTuple):
    """A path that a committer made: in the tree already, not sealed yet."""

    leaf: LeafNode
    leaf_key: bytes
    steps: list[PathStep]
    commit_secret: bytes

    def private_keys(self, sender: int) -> PrivateKeys:
        """Return the private keys of the path."""
        keys = {step.node: step.keys.private for step in self.steps}
        keys[2 * sender] = self.leaf_key
        return keys

    def secret_for(self, receiver: int) -> bytes | None:
        """Return the path secret at the lowest node above both, if the path has one there."""
        for step in self.steps:
            if tree_math.is_below(2 * receiver, step.node):
                return step.secret
        return None


def new_path(
    tree: RatchetTree, sender: int, identity: Identity, group_id: bytes, random: Random
) -> NewPath:
    """Give a leaf and the nodes above it new keys, in place (section 7.5, at the sender)."""
    suite = tree.suite
    leaf_keys = suite.derive_key_pair(random(suite.hash_size))
    path = [node for node, _ in tree.filtered_path(sender)]
    steps, commit_secret = climb(suite, path, random(suite.hash_size))
    tree.blank_path(sender)
    for step in steps:
        tree.put(step.node, ParentNode(step.keys.public, b""))
    leaf = identity.leaf(leaf_keys.public, Source.COMMIT)
    leaf = leaf._replace(parent_hash=set_path_hashes(tree, sender))
    leaf = leaf.signed(suite, identity.signer, Position(group_id, sender))
    tree.put(2 * sender, leaf)
    return NewPath(leaf, leaf_keys.private, steps, commit_secret)


def seal_path(
    tree: RatchetTree, sender: int, path: NewPath, context: bytes, added: Iterable[int]
) -> UpdatePath:
    """Seal each path secret to those below who do not make it themselves (section 7.6).

    ``context`` is the new group context; ``added`` are leaves that get theirs from the Welcome.
    """
    nodes = []
    excluded = {2 * leaf for leaf in added}
    for step, (_, sibling) in zip(path.steps, tree.filtered_path(sender), strict=True):
        sealed = [
            tree.suite.encrypt_with_label(tree.encryption_key(at), LABEL, context, step.secret)
            for at in tree.resolution(sibling)
            if at not in excluded
        ]
        nodes.append(UpdatePathNode(step.keys.public, tuple(sealed)))
    return UpdatePath(path.leaf, tuple(nodes))


def check_new_keys(tree: RatchetTree, path: UpdatePath) -> None:
    """Check that no key of a path is in the tree already, or raise RuleBroken."""
    keys = {node.encryption_key for node in path.nodes} | {path.leaf.encryption_key}
    if len(keys) != len(path.nodes) + 1 or not keys.isdisjoint(tree.encryption_keys()):
        raise RuleBroken(Rule.COMMIT_PATH_KEYS_NEW)


def apply_path(tree: RatchetTree, sender: int, path: UpdatePath) -> None:
    """Put a received path into the tree (section 7.5), or raise RuleBroken."""
    filtered = tree.filtered_path(sender)
    if len(filtered) != len(path.nodes):
        raise RuleBroken(Rule.COMMIT_PATH_LENGTH, f"{len(path.nodes)} for {len(filtered)}")
    tree.blank_path(sender)
    for (at, _), node in zip(filtered, path.nodes, strict=True):
        tree.put(at, ParentNode(node.encryption_key, b""))
    if set_path_hashes(tree, sender) != path.leaf.parent_hash:
        raise RuleBroken(Rule.COMMIT_PATH_PARENT_HASH)
    tree.put(2 * sender, path.leaf)


def check_path_ciphertexts(
    tree: RatchetTree, sender: int, path: UpdatePath, added: Sequence[int]
) -> None:
    """Check that nobody is left out or sealed to twice, or raise RuleBroken."""
    excluded = {2 * leaf for leaf in added}
    for (at, sibling), node in zip(tree.filtered_path(sender), path.nodes, strict=True):
        reached = [one for one in tree.resolution(sibling) if one not in excluded]
        if len(reached) != len(node.encrypted_path_secret):
            raise RuleBroken(Rule.COMMIT_PATH_CIPHERTEXTS, f"node {at}")


class Receiver(NamedTuple):
    """A member that opens paths: its leaf and private keys before the commit."""

    leaf: int
    keys: PrivateKeys


def open_path(
    tree: RatchetTree,
    sender: int,
    path: UpdatePath,
    receiver: Receiver,
    context: bytes,
    added: Sequence[int],
) -> tuple[PrivateKeys, bytes]:
    """Return the private keys that a path gives its receiver, and the commit secret (section 7.6).

    Raises:
        RuleBroken: the secret does not give the path's public keys.
        CryptoError: the secret is not sealed to the receiver.
    """
    filtered = tree.filtered_path(sender)
    excluded = {2 * leaf for leaf in added}
    for place, (at, sibling) in enumerate(filtered):
        if not tree_math.is_below(2 * receiver.leaf, at):
            continue
        reached = [one for one in tree.resolution(sibling) if one not in excluded]
        for node, sealed in zip(reached, path.nodes[place].encrypted_path_secret, strict=True):
            key = receiver.keys.get(node)
            if key is not None:
                secret = tree.suite.decrypt_with_label(key, LABEL, context, sealed)
                above = [one for one, _ in filtered[place:]]
                return _checked_climb(tree, above, secret, Rule.COMMIT_PATH_OPENS)
    raise CryptoError("no ciphertext of the path is for this member")


def _checked_climb(
    tree: RatchetTree, above: list[int], secret: bytes, rule: Rule
) -> tuple[PrivateKeys, bytes]:
    """Derive keys upwards and compare them with the tree's, or raise RuleBroken."""
    steps, past = climb(tree.suite, above, secret)
    for step in steps:
        if tree.encryption_key(step.node) != step.keys.public:
            raise RuleBroken(rule, f"node {step.node}")
    return {step.node: step.keys.private for step in steps}, past


def joiner_keys(tree: RatchetTree, sender: int, joiner: int, path_secret: bytes) -> PrivateKeys:
    """Return the private keys that a Welcome's path secret gives (section 12.4.3.1).

    Raises:
        RuleBroken: the secret does not give public keys of the tree.
    """
    above = [at for at, _ in tree.filtered_path(sender) if tree_math.is_below(2 * joiner, at)]
    if any(tree.is_blank(at) for at in above):
        raise RuleBroken(Rule.WELCOME_PATH_OPENS, "the path has a blank node")
    return _checked_climb(tree, above, path_secret, Rule.WELCOME_PATH_OPENS)[0]

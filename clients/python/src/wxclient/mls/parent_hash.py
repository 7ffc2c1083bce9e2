"""Section 7.9: parent hashes, by which every parent node vouches for those who made it."""

from . import tree_math
from .codec import opaque
from .errors import RuleBroken
from .leaf_node import LeafNode
from .ratchet_tree import Node, ParentNode, RatchetTree
from .rules import Rule


def parent_hash(tree: RatchetTree, parent: ParentNode, sibling: int) -> bytes:
    """Return the parent hash of a parent whose copath child is ``sibling`` (section 7.9)."""
    original = tree.original_hash(sibling, frozenset(parent.unmerged_leaves))
    head = opaque(parent.encryption_key) + opaque(parent.parent_hash)
    return tree.suite.hash(head + opaque(original))


def set_path_hashes(tree: RatchetTree, leaf: int) -> bytes:
    """Set the parent hashes of the nodes above a leaf, from the root; return the leaf's own."""
    value = b""
    for at, sibling in reversed(tree.filtered_path(leaf)):
        parent = tree.parent(at)
        assert parent is not None, "a filtered direct path that was just filled has no blanks"
        tree.put(at, parent._replace(parent_hash=value))
        value = parent_hash(tree, parent._replace(parent_hash=value), sibling)
    return value


def check_parent_hashes(tree: RatchetTree) -> None:
    """Apply section 7.9.2 to every parent: raise RuleBroken if one is linked to no descendant."""
    for at, parent in tree.parents():
        left, right = tree_math.left(at), tree_math.right(at)
        if not (_links(tree, parent, left, right) or _links(tree, parent, right, left)):
            raise RuleBroken(Rule.TREE_PARENT_HASH, f"node {at}")


def _links(tree: RatchetTree, parent: ParentNode, child: int, sibling: int) -> bool:
    """Whether a node in the resolution of ``child`` has the parent's hash."""
    below = set(tree_math.leaves_below(child)).intersection(parent.unmerged_leaves)
    unmerged = {2 * leaf for leaf in below}
    reached = [at for at in tree.resolution(child) if at not in unmerged]
    if len(reached) != 1 or len(tree.resolution(child)) != len(unmerged) + 1:
        return False
    return _claimed(tree.node(reached[0])) == parent_hash(tree, parent, sibling)


def _claimed(node: Node) -> bytes | None:
    """Return the parent hash that a node carries."""
    if isinstance(node, LeafNode):
        return node.parent_hash or None
    return None if node is None else node.parent_hash

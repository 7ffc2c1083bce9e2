"""Sections 7.3 and 12.4.3.1: what holds for a whole tree."""

from . import tree_math
from .errors import RuleBroken
from .leaf_node import LeafNode, Position, Source
from .leaf_rules import LeafRules
from .parent_hash import check_parent_hashes
from .ratchet_tree import RatchetTree
from .rules import Rule


def check_tree(tree: RatchetTree, rules: LeafRules, group_id: bytes) -> None:
    """Judge a tree that a joiner was given, or raise ``RuleBroken``."""
    check_unmerged_leaves(tree)
    check_parent_hashes(tree)
    for number, leaf in tree.leaves():
        rules.check(leaf, Position(group_id, number))
    check_members(tree)


def check_members(tree: RatchetTree) -> None:
    """Check what members owe each other (section 7.3): raise RuleBroken if they do not fit."""
    leaves = [leaf for _, leaf in tree.leaves()]
    if len({leaf.signature_key for leaf in leaves}) != len(leaves):
        raise RuleBroken(Rule.LEAF_SIGNATURE_KEY_UNIQUE)
    keys = {leaf.encryption_key for leaf in leaves}
    if len(keys) != len(leaves):
        raise RuleBroken(Rule.LEAF_ENCRYPTION_KEY_UNIQUE)
    parents = [parent.encryption_key for _, parent in tree.parents()]
    if len(keys.union(parents)) != len(leaves) + len(parents):
        raise RuleBroken(Rule.TREE_PARENT_KEY_UNIQUE)
    used = {leaf.credential.type for leaf in leaves}
    for supported in {leaf.capabilities.credentials for leaf in leaves}:
        if not used.issubset(supported):
            raise RuleBroken(Rule.LEAF_CREDENTIAL_SUPPORTED)


def check_unmerged_leaves(tree: RatchetTree) -> None:
    """Check each parent's unmerged leaves: raise RuleBroken if one is not what it should be."""
    for at, parent in tree.parents():
        for leaf in parent.unmerged_leaves:
            if not tree_math.is_below(2 * leaf, at) or tree.leaf(leaf) is None:
                raise RuleBroken(Rule.TREE_UNMERGED_LEAVES, f"leaf {leaf} at node {at}")
            between = tree_math.parent(2 * leaf)
            while between != at:
                middle = tree.parent(between)
                if middle is not None and leaf not in middle.unmerged_leaves:
                    raise RuleBroken(Rule.TREE_UNMERGED_LEAVES, f"leaf {leaf} at node {between}")
                between = tree_math.parent(between)


def check_replacement(old: LeafNode, new: LeafNode, rules: LeafRules, source: Source) -> None:
    """Judge the leaf that an update or commit puts in place of another, or raise RuleBroken."""
    if new.source is not source:
        raise RuleBroken(Rule.LEAF_SOURCE, f"{new.source.name} for {source.name}")
    if new.encryption_key == old.encryption_key:
        raise RuleBroken(Rule.LEAF_UPDATE_NEW_KEY)
    if not rules.policy.accepts_successor(old, new):
        raise RuleBroken(Rule.LEAF_CREDENTIAL, "as a successor")

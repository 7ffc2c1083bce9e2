"""Sections 4.1, 7.7, 7.8 and 12.4.3.3: the public ratchet tree, its changes, hashes and encoding.

Node values are immutable, so that a copy is cheap: a commit is tried on a copy. Nodes that came
from a snapshot stay encoded until they are asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from . import tree_math
from .codec import Reader, decode, numbers, opaque, u8, u32
from .errors import DecodingError, RuleBroken
from .leaf_node import LeafNode
from .limits import LEAVES_MAX
from .rules import Rule
from .suites import CipherSuite

LEAF_TYPE = 1
PARENT_TYPE = 2


class ParentNode(NamedTuple):
    """A node above leaves (section 7.1)."""

    encryption_key: bytes
    parent_hash: bytes
    unmerged_leaves: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        head = opaque(self.encryption_key) + opaque(self.parent_hash)
        return head + numbers(self.unmerged_leaves, u32)

    @classmethod
    def read(cls, reader: Reader) -> "ParentNode":
        """Read the structure, or raise DecodingError if the unmerged leaves are not in order."""
        encryption_key, parent_hash = reader.opaque(), reader.opaque()
        unmerged = reader.vector(Reader.u32)
        if list(unmerged) != sorted(set(unmerged)):
            raise DecodingError("unmerged leaves are not in increasing order")
        return cls(encryption_key, parent_hash, unmerged)


Node = LeafNode | ParentNode | None


def read_node(reader: Reader) -> Node:
    """Read an ``optional<Node>``, or raise DecodingError."""
    present = reader.u8()
    if not present:
        return None
    kind = reader.u8() if present == 1 else 0
    if kind == LEAF_TYPE:
        return LeafNode.read(reader)
    if kind == PARENT_TYPE:
        return ParentNode.read(reader)
    raise DecodingError("a node of the tree is neither blank, leaf nor parent")


def encode_nodes(nodes: Sequence[Node | bytes]) -> bytes:
    """Return an ``optional<Node><V>``, of leaves at even places and parents at odd ones."""
    parts = []
    for at, node in enumerate(nodes):
        if node is None:
            parts.append(b"\0")
        else:
            raw = node if isinstance(node, bytes) else node.encode()
            parts.append(b"\1" + u8(PARENT_TYPE if at % 2 else LEAF_TYPE) + raw)
    return opaque(b"".join(parts))


class RatchetTree:
    """The public state of a group's members."""

    __slots__ = ("_hashes", "_nodes", "leaf_count", "suite")

    def __init__(self, suite: CipherSuite, nodes: list[Node | bytes]) -> None:
        """Take all nodes of a complete tree, each as a value, or as its encoding."""
        self.suite = suite
        self._nodes = nodes
        self._hashes: list[bytes | None] = [None] * len(nodes)
        self.leaf_count = (len(nodes) + 1) // 2
        """Leaves with the blank ones: a power of two."""

    def copy(self) -> "RatchetTree":
        """Return a tree that changes on its own."""
        copied = RatchetTree(self.suite, self._nodes.copy())
        copied._hashes = self._hashes.copy()
        return copied

    # Looking.

    @property
    def root(self) -> int:
        """The root node."""
        return tree_math.root(self.leaf_count)

    def node(self, at: int) -> Node:
        """Return a node's value."""
        value = self._nodes[at]
        if not isinstance(value, bytes):
            return value
        node: LeafNode | ParentNode = (
            decode(value, ParentNode.read) if at % 2 else decode(value, LeafNode.read)
        )
        self._nodes[at] = node
        return node

    def is_blank(self, at: int) -> bool:
        """Whether a node is blank."""
        return self._nodes[at] is None

    def leaf(self, number: int) -> LeafNode | None:
        """Return a member's leaf; None if it is blank or outside the tree."""
        if not 0 <= number < self.leaf_count:
            return None
        node = self.node(2 * number)
        return node if isinstance(node, LeafNode) else None

    def parent(self, at: int) -> ParentNode | None:
        """Return a parent node."""
        node = self.node(at)
        return node if isinstance(node, ParentNode) else None

    def leaves(self) -> Iterator[tuple[int, LeafNode]]:
        """Yield the members' leaves with their numbers."""
        for number in range(self.leaf_count):
            leaf = self.leaf(number)
            if leaf is not None:
                yield number, leaf

    def parents(self) -> Iterator[tuple[int, ParentNode]]:
        """Yield the parents that are not blank, children before parents on each path."""
        for height in range(1, self.leaf_count.bit_length()):
            for at in range((1 << height) - 1, len(self._nodes), 1 << (height + 1)):
                parent = self.parent(at)
                if parent is not None:
                    yield at, parent

    def encryption_key(self, at: int) -> bytes:
        """Return the encryption key of a node that is not blank."""
        node = self.node(at)
        assert node is not None, "a blank node has no key"
        return node.encryption_key

    def encryption_keys(self) -> set[bytes]:
        """Return the encryption keys of all nodes."""
        nodes = [self.node(at) for at in range(len(self._nodes))]
        return {node.encryption_key for node in nodes if node is not None}

    def resolution(self, at: int) -> list[int]:
        """Return the nodes that together reach all members below (section 4.1.1)."""
        node = self.node(at)
        if node is None:
            if at % 2 == 0:
                return []
            return self.resolution(tree_math.left(at)) + self.resolution(tree_math.right(at))
        if isinstance(node, ParentNode):
            return [at, *[2 * leaf for leaf in node.unmerged_leaves]]
        return [at]

    def filtered_path(self, leaf: int) -> list[tuple[int, int]]:
        """Return the filtered direct path of a leaf (section 4.1.2): each node and its copath child."""
        path = []
        below = 2 * leaf
        for at in tree_math.direct_path(leaf, self.leaf_count):
            other = tree_math.sibling(below)
            if self.resolution(other):
                path.append((at, other))
            below = at
        return path

    # Changing (section 7.7).

    def put(self, at: int, node: Node) -> None:
        """Set a node; the hashes above are forgotten."""
        self._nodes[at] = node
        self._forget_hashes(at)

    def _forget_hashes(self, at: int) -> None:
        hashes, top = self._hashes, self.root
        hashes[at] = None
        while at != top:
            at = tree_math.parent(at)
            hashes[at] = None

    def blank_path(self, leaf: int) -> None:
        """Blank the nodes above a leaf."""
        for at in tree_math.direct_path(leaf, self.leaf_count):
            self._nodes[at] = None
        self._forget_hashes(2 * leaf)

    def add(self, leaf: LeafNode) -> int:
        """Put a leaf at the leftmost blank place, extending the tree if there is none."""
        blanks = self._nodes[::2]
        number = blanks.index(None) if None in blanks else self.leaf_count
        if number == self.leaf_count:
            grown = len(self._nodes) + 1
            self._nodes += [None] * grown
            self._hashes += [None] * grown
            self.leaf_count = (len(self._nodes) + 1) // 2
        for at in tree_math.direct_path(number, self.leaf_count):
            parent = self.parent(at)
            if parent is not None:
                unmerged = tuple(sorted((*parent.unmerged_leaves, number)))
                self._nodes[at] = parent._replace(unmerged_leaves=unmerged)
        self.put(2 * number, leaf)
        return number

    def update(self, number: int, leaf: LeafNode) -> None:
        """Replace a leaf and blank the nodes above."""
        self._nodes[2 * number] = leaf
        self.blank_path(number)

    def remove(self, number: int) -> None:
        """Blank a leaf and the nodes above, and halve the tree while its right half is empty."""
        self._nodes[2 * number] = None
        self.blank_path(number)
        while self.leaf_count > 1 and not any(self._nodes[self.leaf_count :: 2]):
            del self._nodes[self.leaf_count - 1 :], self._hashes[self.leaf_count - 1 :]
            self.leaf_count //= 2

    # Hashes (section 7.8).

    def hash(self, at: int | None = None) -> bytes:
        """Return the tree hash of the subtree of a node; of the whole tree without one."""
        at = self.root if at is None else at
        value = self._hashes[at]
        if value is None:
            value = self._hashes[at] = self._hash(at, frozenset(), self.hash)
        return value

    def original_hash(self, at: int, without: frozenset[int]) -> bytes:
        """Return the hash that a subtree had before these leaves came (section 7.9)."""
        if without.isdisjoint(tree_math.leaves_below(at)):
            return self.hash(at)
        return self._hash(at, without, lambda child: self.original_hash(child, without))

    def _hash(self, at: int, without: frozenset[int], below: Callable[[int], bytes]) -> bytes:
        if at % 2 == 0:
            leaf = None if at // 2 in without else self.leaf(at // 2)
            body = b"\0" if leaf is None else b"\1" + leaf.encode()
            return self.suite.hash(b"\1" + u32(at // 2) + body)
        parent = self.parent(at)
        if parent is not None and without:
            kept = tuple([leaf for leaf in parent.unmerged_leaves if leaf not in without])
            parent = parent._replace(unmerged_leaves=kept)
        body = b"\0" if parent is None else b"\1" + parent.encode()
        hashes = opaque(below(tree_math.left(at))) + opaque(below(tree_math.right(at)))
        return self.suite.hash(b"\2" + body + hashes)

    # Encoding (section 12.4.3.3).

    def encode(self) -> bytes:
        """Return the content of the ratchet_tree extension."""
        return encode_nodes(self._nodes[: self._last() + 1])

    def _last(self) -> int:
        at = len(self._nodes) - 1
        while at > 0 and self._nodes[at] is None:
            at -= 1
        return at

    @classmethod
    def decode(cls, suite: CipherSuite, data: bytes) -> "RatchetTree":
        """Read the content of the ratchet_tree extension; raise DecodingError or RuleBroken."""
        nodes: list[Node | bytes] = list(decode(data, lambda reader: reader.vector(read_node)))
        if not nodes or nodes[-1] is None:
            raise RuleBroken(Rule.TREE_TRIMMED)
        for at, node in enumerate(nodes):
            if node is not None and isinstance(node, LeafNode) != (at % 2 == 0):
                raise RuleBroken(Rule.TREE_SHAPE, f"node {at}")
        leaves = tree_math.next_power_of_two(len(nodes) // 2 + 1)
        if leaves > LEAVES_MAX:
            raise DecodingError(f"a tree of {leaves} leaves is too large")
        nodes += [None] * (tree_math.node_width(leaves) - len(nodes))
        return cls(suite, nodes)

    # Snapshots.

    def raw(self, at: int) -> bytes:
        """Return a node's encoding; empty if it is blank."""
        node = self._nodes[at]
        if node is None:
            return b""
        return node if isinstance(node, bytes) else node.encode()

    def known_hashes(self) -> list[bytes]:
        """Return all hashes."""
        self.hash()
        return [value or b"" for value in self._hashes]

    def trust_hashes(self, hashes: list[bytes]) -> None:
        """Take the hashes that ``known_hashes`` gave for the same nodes."""
        self._hashes = [value or None for value in hashes]

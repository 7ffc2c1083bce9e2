"""Section 9: the secret tree, and the ratchets that give each message its own key.

A key is looked up without being taken. Only when the message turned out to be genuine is it
``consume``d, which moves the ratchet and deletes the key: a forged message changes nothing.
"""

from enum import IntEnum
from typing import NamedTuple

from . import tree_math
from .codec import Reader, opaque, u8, u32, vector
from .errors import KeyConsumed, RuleBroken, TooFarAhead
from .limits import FORWARD_GENERATIONS_MAX, SKIP_GENERATIONS_MAX, SKIPPED_KEYS_MAX
from .rules import Rule
from .suites import CipherSuite

GENERATION_MAX = (1 << 32) - 1


class RatchetKind(IntEnum):
    """Each member has one ratchet for proposals and commits, and one for application messages."""

    HANDSHAKE = 0
    APPLICATION = 1


class MessageKey(NamedTuple):
    """The key and nonce of one message."""

    key: bytes
    nonce: bytes


class SkippedKey(NamedTuple):
    """A key kept for a message that is late."""

    generation: int
    key: bytes
    nonce: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return u32(self.generation) + opaque(self.key) + opaque(self.nonce)

    @classmethod
    def read(cls, reader: Reader) -> "SkippedKey":
        """Read the structure."""
        return cls(reader.u32(), reader.opaque(), reader.opaque())


class Taken(NamedTuple):
    """A key that was looked up, and the ratchet's state once it is consumed."""

    message_key: MessageKey
    generation: int
    next_generation: int
    next_secret: bytes
    passed: tuple[SkippedKey, ...]
    """Keys before this one that were not used yet."""


class Ratchet:
    """A symmetric ratchet (section 9.1)."""

    __slots__ = ("generation", "secret", "skipped", "suite")

    def __init__(self, suite: CipherSuite, secret: bytes, generation: int = 0) -> None:
        self.suite = suite
        self.secret = secret
        self.generation = generation
        """The first whose key was not derived."""
        self.skipped: dict[int, MessageKey] = {}

    def look(self, generation: int) -> Taken:
        """Return a generation's key without taking it.

        Raises:
            KeyConsumed: it was used or given up.
            TooFarAhead: the ratchet would move further than the limit.
        """
        if generation < self.generation:
            kept = self.skipped.get(generation)
            if kept is None:
                raise KeyConsumed(f"the key of generation {generation} is gone")
            return Taken(kept, generation, self.generation, self.secret, ())
        if generation - self.generation > FORWARD_GENERATIONS_MAX:
            raise TooFarAhead(f"generation {generation}, the ratchet is at {self.generation}")
        secret = self.secret
        passed = []
        for behind in range(self.generation, generation):
            key, secret = self._step(secret, behind)
            passed.append(SkippedKey(behind, *key))
        key, following = self._step(secret, generation)
        return Taken(key, generation, generation + 1, following, tuple(passed))

    def consume(self, taken: Taken) -> None:
        """Delete a key that was looked up; keys before it are kept, the oldest given up."""
        self.skipped.pop(taken.generation, None)
        for one in taken.passed:
            self.skipped[one.generation] = MessageKey(one.key, one.nonce)
        while len(self.skipped) > SKIPPED_KEYS_MAX:
            del self.skipped[next(iter(self.skipped))]
        self.generation, self.secret = taken.next_generation, taken.next_secret

    def skip(self, generation: int) -> None:
        """Give up every key before a generation, storing none; raise TooFarAhead past the limit."""
        if generation - self.generation > SKIP_GENERATIONS_MAX:
            raise TooFarAhead(f"{generation - self.generation} generations at once")
        for behind in [one for one in self.skipped if one < generation]:
            del self.skipped[behind]
        while self.generation < generation:
            self.secret = self._next(self.secret, self.generation)
            self.generation += 1

    def _step(self, secret: bytes, generation: int) -> tuple[MessageKey, bytes]:
        """Return a generation's key and the secret of the next one."""
        suite, context = self.suite, opaque(u32(generation))
        expand = suite.expander(secret).expand
        key = MessageKey(
            expand(b"key", context, suite.key_size), expand(b"nonce", context, suite.nonce_size)
        )
        return key, expand(b"secret", context, suite.hash_size)

    def _next(self, secret: bytes, generation: int) -> bytes:
        return self.suite.derive_tree_secret(secret, b"secret", generation, self.suite.hash_size)

    def encode(self) -> bytes:
        """Return the ratchet's state, for a snapshot."""
        skipped = [SkippedKey(generation, *key) for generation, key in self.skipped.items()]
        return opaque(self.secret) + u32(self.generation) + vector(skipped)

    @classmethod
    def read(cls, suite: CipherSuite, reader: Reader) -> "Ratchet":
        """Read what ``encode`` wrote."""
        ratchet = cls(suite, reader.opaque(), reader.u32())
        for one in reader.vector(SkippedKey.read):
            ratchet.skipped[one.generation] = MessageKey(one.key, one.nonce)
        return ratchet


class Growth(NamedTuple):
    """What a leaf's first message derives: nodes in place of one, and the leaf's ratchets."""

    spent: int
    nodes: dict[int, bytes]
    ratchets: tuple[Ratchet, ...]


class Look(NamedTuple):
    """A key that was looked up in the tree, and what consuming it changes."""

    leaf: int
    growth: Growth | None
    ratchet: Ratchet
    taken: Taken


class SecretTree:
    """The secrets of one epoch (section 9), derived leaf by leaf and deleted on the way."""

    __slots__ = ("_leaves", "_nodes", "_ratchets", "_suite")

    def __init__(self, suite: CipherSuite, encryption_secret: bytes, leaves: int) -> None:
        self._suite = suite
        self._leaves = leaves
        self._nodes = {tree_math.root(leaves): encryption_secret}
        self._ratchets: dict[tuple[int, RatchetKind], Ratchet] = {}

    def look(self, leaf: int, kind: RatchetKind, generation: int | None = None) -> Look:
        """Return the key of a member's message without taking it; without a generation, the next.

        Raises:
            RuleBroken: the leaf is outside the tree.
            KeyConsumed: the key was used or given up.
            TooFarAhead: the ratchet would move further than the limit.
        """
        growth = None
        ratchet = self._ratchets.get((leaf, kind))
        if ratchet is None:
            growth = self._growth(leaf)
            ratchet = growth.ratchets[kind]
        taken = ratchet.look(ratchet.generation if generation is None else generation)
        return Look(leaf, growth, ratchet, taken)

    def consume(self, look: Look) -> None:
        """Take a key that was looked up: it is deleted, and what it came from."""
        if look.growth is not None:
            self._grow(look.leaf, look.growth)
        look.ratchet.consume(look.taken)

    def ratchet(self, leaf: int, kind: RatchetKind) -> Ratchet:
        """Return a member's ratchet, or raise ``RuleBroken`` for a leaf outside the tree."""
        if (leaf, kind) not in self._ratchets:
            self._grow(leaf, self._growth(leaf))
        return self._ratchets[leaf, kind]

    def _growth(self, leaf: int) -> Growth:
        """Derive what leads to a leaf, or raise RuleBroken for one outside the tree."""
        if not 0 <= leaf < self._leaves:
            raise RuleBroken(Rule.FRAMING_SENDER_IS_MEMBER, f"leaf {leaf}")
        suite, nodes = self._suite, {}
        path = [2 * leaf, *tree_math.direct_path(leaf, self._leaves)]
        known = next(place for place, node in enumerate(path) if node in self._nodes)
        secret = self._nodes[path[known]]
        for node in reversed(path[1 : known + 1]):
            for child, side in ((tree_math.left(node), b"left"), (tree_math.right(node), b"right")):
                nodes[child] = suite.expand_with_label(secret, b"tree", side, suite.hash_size)
            secret = nodes.pop(tree_math.left(node) if 2 * leaf < node else tree_math.right(node))
        ratchets = [
            Ratchet(suite, suite.derive_secret(secret, kind.name.lower().encode()))
            for kind in RatchetKind
        ]
        return Growth(path[known], nodes, tuple(ratchets))

    def _grow(self, leaf: int, growth: Growth) -> None:
        del self._nodes[growth.spent]
        self._nodes.update(growth.nodes)
        for kind in RatchetKind:
            self._ratchets[leaf, kind] = growth.ratchets[kind]

    def encode(self) -> bytes:
        """Return the tree's state, for a snapshot."""
        nodes = [u32(node) + opaque(secret) for node, secret in self._nodes.items()]
        ratchets = [
            u32(leaf) + u8(kind) + ratchet.encode()
            for (leaf, kind), ratchet in self._ratchets.items()
        ]
        return u32(self._leaves) + opaque(b"".join(nodes)) + opaque(b"".join(ratchets))

    @classmethod
    def read(cls, suite: CipherSuite, reader: Reader) -> "SecretTree":
        """Read what ``encode`` wrote."""
        tree = cls(suite, b"", reader.u32())
        tree._nodes = dict(reader.vector(lambda inner: (inner.u32(), inner.opaque())))
        ratchets = reader.vector(
            lambda inner: (inner.u32(), RatchetKind(inner.u8()), Ratchet.read(suite, inner))
        )
        tree._ratchets = {(leaf, kind): ratchet for leaf, kind, ratchet in ratchets}
        return tree

"""The state of a group as versioned bytes, for the caller's store.

The encoding is the engine's own, in the RFC's presentation language. Trees are written node by
node and read back without decoding them, so that a large group costs little per step.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .codec import Reader, decode, opaque, optional, u8, u32, u64, vector
from .committing import Committed
from .credentials import Credential
from .errors import DecodingError, MlsError, SnapshotError
from .extensions import Capabilities, read_extensions
from .framing import Sender
from .group import Epoch, Group, OwnUpdate, Resolved, encryption
from .kem import KeyPair
from .key_package import KeyPackage
from .key_schedule import EpochSecrets, GroupContext
from .leaf_node import Identity, LeafNode
from .limits import LEAVES_MAX
from .proposal_list import Changes
from .proposals import ReInit, encode_proposal, read_proposal
from .ratchet_tree import Node, RatchetTree
from .secret_tree import SecretTree
from .suites import CipherSuite, suite_of
from .tree_math import node_width

VERSION = 1


class State(NamedTuple):
    """Everything of a group that is kept."""

    group: Group | None
    past: tuple[Epoch, ...]
    pending: Committed | None


def encode_state(state: State) -> bytes:
    """Return a state as bytes."""
    group = b"\0" if state.group is None else b"\1" + _group(state.group)
    past = [opaque(_past_epoch(epoch, state.group)) for epoch in state.past]
    pending = b"\0" if state.pending is None else b"\1" + _committed(state.pending)
    return u8(VERSION) + group + opaque(b"".join(past)) + pending


def decode_state(data: bytes) -> State:
    """Return the state of the bytes, or raise SnapshotError."""
    if data[:1] != u8(VERSION):
        raise SnapshotError(f"the state has version {data[:1].hex()}, known is {VERSION}")
    try:
        return decode(data[1:], _read_state)
    except (MlsError, ValueError) as error:
        raise SnapshotError(f"the state is damaged: {error}") from error


def reduced(epoch: Epoch) -> Epoch:
    """Return what a past epoch needs to open late messages: its members, no parents."""
    nodes: list[Node | bytes] = [
        b"" if at % 2 else epoch.tree.raw(at) for at in range(node_width(epoch.tree.leaf_count))
    ]
    tree = RatchetTree(epoch.suite, [node or None for node in nodes])
    return epoch._replace(tree=tree, membership_key=b"")


def _read_state(reader: Reader) -> State:
    group = reader.optional(_read_group)
    past = reader.vector(lambda inner: decode(inner.opaque(), _past_reader(group)))
    return State(group, past, reader.optional(_read_committed))


# Groups.


def _group(group: Group) -> bytes:
    epoch = group.epoch
    return b"".join([
        opaque(epoch.encoded_context),
        _tree(epoch.tree),
        u32(epoch.leaf),
        epoch.secret_tree.encode(),
        _identity(group.identity),
        _pairs((u32(node), key) for node, key in group.keys.items()),
        group.secrets.encode(),
        opaque(group.confirmation_tag),
        opaque(group.interim_transcript_hash),
        _pairs((u64(number), key) for number, key in group.resumption_psks.items()),
        opaque(b"".join([_resolved(one) for one in group.proposals.values()])),
        opaque(b"".join([_own_update(*item) for item in group.own_updates.items()])),
        optional(group.reinit),
        u8(group.is_member),
    ])


def _read_group(reader: Reader) -> Group:
    encoded = reader.opaque()
    context = decode(encoded, GroupContext.read)
    suite = suite_of(context.cipher_suite)
    tree = _read_tree(suite, reader)
    leaf = reader.u32()
    secret_tree = SecretTree.read(suite, reader)
    identity = _read_identity(reader)
    keys = dict(reader.vector(lambda inner: (inner.u32(), inner.opaque())))
    secrets = EpochSecrets.read(reader)
    sealing = encryption(suite, secrets.sender_data, secret_tree)
    epoch = Epoch(
        suite, context, encoded, tree, leaf, secrets.sender_data, secrets.membership, sealing
    )
    return Group(
        epoch,
        identity,
        keys,
        secrets,
        reader.opaque(),
        reader.opaque(),
        dict(reader.vector(lambda inner: (inner.u64(), inner.opaque()))),
        {one.reference: one for one in reader.vector(_read_resolved)},
        dict(reader.vector(_read_own_update)),
        reader.optional(ReInit.read),
        bool(reader.u8()),
    )


def _pairs(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    return opaque(b"".join([key + opaque(value) for key, value in items]))


def _tree(tree: RatchetTree) -> bytes:
    nodes = [opaque(tree.raw(at)) for at in range(node_width(tree.leaf_count))]
    hashes = [opaque(value) for value in tree.known_hashes()]
    return u32(tree.leaf_count) + b"".join(nodes) + b"".join(hashes)


def _read_tree(suite: CipherSuite, reader: Reader) -> RatchetTree:
    """Read what ``_tree`` wrote, or raise DecodingError."""
    leaves = reader.u32()
    if leaves == 0 or leaves & (leaves - 1) or leaves > reader.rest:
        raise DecodingError(f"a tree has {leaves} leaves")
    take = reader.opaque
    width = range(node_width(leaves))
    tree = RatchetTree(suite, [take() or None for _ in width])
    tree.trust_hashes([take() for _ in width])
    return tree


def _identity(identity: Identity) -> bytes:
    keys = identity.signature_key
    return b"".join([
        opaque(keys.private),
        opaque(keys.public),
        identity.credential.encode(),
        identity.capabilities.encode(),
        vector(identity.extensions),
    ])


def _read_identity(reader: Reader) -> Identity:
    return Identity(
        KeyPair(reader.opaque(), reader.opaque()),
        Credential.read(reader),
        Capabilities.read(reader),
        read_extensions(reader),
    )


def _resolved(one: Resolved) -> bytes:
    return opaque(one.reference) + one.sender.encode() + encode_proposal(one.proposal)


def _read_resolved(reader: Reader) -> Resolved:
    reference, sender = reader.opaque(), Sender.read(reader)
    return Resolved(read_proposal(reader), sender, reference)


def _own_update(public: bytes, update: OwnUpdate) -> bytes:
    return opaque(public) + opaque(update.encryption_key) + _identity(update.identity)


def _read_own_update(reader: Reader) -> tuple[bytes, OwnUpdate]:
    return reader.opaque(), OwnUpdate(reader.opaque(), _read_identity(reader))


# Past epochs: their members are written as the difference from those of the present.


def _past_epoch(epoch: Epoch, group: Group | None) -> bytes:
    present = None if group is None else group.tree
    changed = []
    for number in range(epoch.tree.leaf_count):
        raw = epoch.tree.raw(2 * number)
        if raw != _raw_leaf(present, number):
            changed.append(u32(number) + opaque(raw))
    return b"".join([
        opaque(epoch.encoded_context),
        u32(epoch.tree.leaf_count),
        opaque(b"".join(changed)),
        u32(epoch.leaf),
        opaque(epoch.sender_data_secret),
        epoch.secret_tree.encode(),
    ])


def _raw_leaf(tree: RatchetTree | None, number: int) -> bytes:
    if tree is None or number >= tree.leaf_count:
        return b""
    return tree.raw(2 * number)


def _past_reader(group: Group | None) -> Callable[[Reader], Epoch]:
    present = None if group is None else group.tree

    def read(reader: Reader) -> Epoch:
        encoded = reader.opaque()
        context = decode(encoded, GroupContext.read)
        suite = suite_of(context.cipher_suite)
        leaves = reader.u32()
        if not 0 < leaves <= LEAVES_MAX:
            raise DecodingError(f"a tree has {leaves} leaves")
        nodes: list[Node | bytes] = [None] * node_width(leaves)
        for number in range(leaves):
            nodes[2 * number] = _raw_leaf(present, number) or None
        for number, raw in reader.vector(lambda inner: (inner.u32(), inner.opaque())):
            nodes[2 * number] = raw or None
        tree = RatchetTree(suite, nodes)
        own, sender_data = reader.u32(), reader.opaque()
        keys = encryption(suite, sender_data, SecretTree.read(suite, reader))
        return Epoch(suite, context, encoded, tree, own, sender_data, b"", keys)

    return read


# Pending commits.


def _committed(made: Committed) -> bytes:
    changes = made.changes
    added = [u32(number) + package.encode() for number, package in changes.added]
    removed = [u32(number) + leaf.encode() for number, leaf in changes.removed]
    return b"".join([
        opaque(made.message),
        opaque(made.welcome or b""),
        opaque(made.group_info),
        opaque(made.tree),
        _group(made.group),
        opaque(b"".join(added)),
        opaque(b"".join(removed)),
    ])


def _read_committed(reader: Reader) -> Committed:
    message, welcome, info, tree = (reader.opaque() for _ in range(4))
    group = _read_group(reader)
    changes = Changes(
        group.tree,
        group.context.extensions,
        list(reader.vector(lambda inner: (inner.u32(), KeyPackage.read(inner)))),
        list(reader.vector(lambda inner: (inner.u32(), LeafNode.read(inner)))),
        reinit=group.reinit,
    )
    return Committed(message, welcome or None, info, tree, group, changes)

"""Section 12.4.3.2: joining by an external commit."""

from typing import NamedTuple

from .codec import Reader, decode
from .committing import Committed, Options, Work, finish
from .errors import RuleBroken
from .extensions import EXTERNAL_PUB, find
from .framing import Sender, SenderType
from .group import Epoch, Group, Ports, Resolved, encryption
from .joining import checked_tree
from .key_schedule import EpochSecrets, new_external_init
from .leaf_node import Identity, Source
from .proposal_list import apply_list, check_external_list
from .proposals import ExternalInit, PreSharedKey, Proposal, Remove
from .psk import PskId
from .ratchet_tree import RatchetTree
from .rules import Rule
from .secret_tree import SecretTree
from .suites import CipherSuite, suite_of
from .transcript import interim_transcript_hash
from .tree_validation import check_members
from .treekem import new_path
from .welcome import GroupInfo


class ExternalJoin(NamedTuple):
    """How a client joins by itself."""

    identity: Identity
    removes: int | None = None
    """The client's earlier leaf, which the new one replaces."""
    psks: tuple[PskId, ...] = ()


def join_externally(
    info: GroupInfo, wanted: ExternalJoin, ports: Ports, tree: bytes | None = None
) -> Committed:
    """Return a commit by which a client joins; it is a member once the commit is accepted.

    Raises:
        RuleBroken: the GroupInfo breaks a rule, or has no external_pub.
        MissingTree: the tree is neither in the GroupInfo nor given.
    """
    suite = suite_of(info.context.cipher_suite)
    ratchet_tree = checked_tree(suite, info, tree, ports)
    public = find(info.extensions, EXTERNAL_PUB)
    if public is None:
        raise RuleBroken(Rule.EXTERNAL_PUB)
    key = decode(public, Reader.opaque)
    kem_output, init_secret = new_external_init(suite, key, ports.random)
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    listed = [Resolved(one, sender) for one in _proposals(wanted, kem_output)]
    outside = _outside(suite, info, ratchet_tree, wanted.identity)
    leaf = wanted.identity.leaf(b"", Source.COMMIT)
    check_external_list(outside.epoch, listed, leaf, ports)
    changes = apply_list(outside.epoch, listed, ports)
    number = changes.tree.add(leaf)
    options = Options(encrypted=False)
    work = Work(outside, sender, number, wanted.identity, changes, ports, options)
    path = new_path(changes.tree, number, wanted.identity, info.context.group_id, ports.random)
    check_members(changes.tree)
    return finish(work, listed, path, init_secret)


def _proposals(wanted: ExternalJoin, kem_output: bytes) -> list[Proposal]:
    proposals: list[Proposal] = [ExternalInit(kem_output)]
    if wanted.removes is not None:
        proposals.append(Remove(wanted.removes))
    return [*proposals, *[PreSharedKey(psk) for psk in wanted.psks]]


def _outside(suite: CipherSuite, info: GroupInfo, tree: RatchetTree, identity: Identity) -> Group:
    """Return the epoch as far as one outside knows it: no secret is real."""
    nothing = encryption(suite, suite.zero, SecretTree(suite, suite.zero, tree.leaf_count))
    context = info.context
    epoch = Epoch(suite, context, context.encode(), tree, -1, b"", b"", nothing)
    confirmed, tag = context.confirmed_transcript_hash, info.confirmation_tag
    interim = interim_transcript_hash(suite, confirmed, tag)
    return Group(epoch, identity, {}, EpochSecrets(*[b""] * 9), tag, interim, {})

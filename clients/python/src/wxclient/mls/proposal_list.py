"""Sections 12.1 to 12.3: which proposals are valid, which lists of them, and what they change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .errors import RuleBroken
from .extensions import Extensions, external_senders, required_capabilities
from .framing import Sender, SenderType
from .group import Epoch, Ports, Resolved, leaf_rules
from .key_package import KeyPackage, check_key_package
from .leaf_node import LeafNode, Position, Source
from .leaf_rules import LeafRules
from .proposals import (
    FROM_OUTSIDE,
    Add,
    ContextExtensions,
    ExternalInit,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from .psk import PskId, Usage
from .ratchet_tree import RatchetTree
from .rules import Rule
from .tree_validation import check_replacement


def check_proposal(epoch: Epoch, resolved: Resolved, ports: Ports) -> None:
    """Judge one proposal on its own (section 12.1), or raise ``RuleBroken``."""
    proposal, sender = resolved.proposal, resolved.sender
    _check_sender(proposal, sender)
    rules = leaf_rules(epoch.suite, epoch.context.extensions, ports)
    if isinstance(proposal, Add):
        check_key_package(proposal.key_package, rules)
    elif isinstance(proposal, Update):
        _check_update(epoch, proposal.leaf, sender, rules)
    elif isinstance(proposal, Remove):
        _check_remove(epoch.tree, proposal)
    elif isinstance(proposal, PreSharedKey):
        _check_psk(epoch, proposal.psk)
    elif isinstance(proposal, ReInit):
        _check_reinit(epoch, proposal)
    elif isinstance(proposal, ContextExtensions):
        check_context_extensions(epoch.tree, proposal.extensions)


def _check_sender(proposal: Proposal, sender: Sender) -> None:
    if sender.type is SenderType.EXTERNAL and not isinstance(proposal, FROM_OUTSIDE):
        raise RuleBroken(Rule.EXTERNAL_SENDER_PROPOSAL, type(proposal).__name__)
    if sender.type is SenderType.NEW_MEMBER_PROPOSAL and not isinstance(proposal, Add):
        raise RuleBroken(Rule.FRAMING_SENDER_MAY_SEND, type(proposal).__name__)


def _check_update(epoch: Epoch, leaf: LeafNode, sender: Sender, rules: LeafRules) -> None:
    old = epoch.tree.leaf(sender.number)
    if old is None:
        raise RuleBroken(Rule.FRAMING_SENDER_IS_MEMBER, f"leaf {sender.number}")
    check_replacement(old, leaf, rules, Source.UPDATE)
    rules.check(leaf, Position(epoch.context.group_id, sender.number))


def _check_remove(tree: RatchetTree, proposal: Remove) -> None:
    if tree.leaf(proposal.removed) is None:
        raise RuleBroken(Rule.REMOVE_MEMBER, f"leaf {proposal.removed}")


def _check_psk(epoch: Epoch, psk: PskId) -> None:
    if len(psk.nonce) != epoch.suite.hash_size:
        raise RuleBroken(Rule.PSK_NONCE, f"{len(psk.nonce)} bytes")
    if psk.usage in (Usage.REINIT, Usage.BRANCH) and not _is_first_commit(epoch, psk):
        raise RuleBroken(Rule.PSK_USAGE)


def _is_first_commit(epoch: Epoch, psk: PskId) -> bool:
    """Whether this is the commit that makes a group which goes on another (sections 11.2, 11.3).

    Only its creator ever applies it: alone in the group, in the group's first epoch.
    """
    members = sum(1 for _ in epoch.tree.leaves())
    return epoch.number == 0 and members == 1 and psk.group_id != epoch.context.group_id


def _check_reinit(epoch: Epoch, proposal: ReInit) -> None:
    if proposal.version < epoch.context.version:
        raise RuleBroken(Rule.REINIT_VERSION)


def check_context_extensions(tree: RatchetTree, extensions: Extensions) -> None:
    """Check that members support new context extensions, or raise RuleBroken, DecodingError."""
    required = required_capabilities(extensions)
    external_senders(extensions)
    kinds = [extension.type for extension in extensions]
    for capabilities in {leaf.capabilities for _, leaf in tree.leaves()}:
        if not required.met_by(capabilities) or not capabilities.extends_to(kinds):
            raise RuleBroken(Rule.CONTEXT_EXTENSIONS_SUPPORTED)


# Lists (section 12.2).


def _proposals(listed: Iterable[Resolved]) -> list[Proposal]:
    return [one.proposal for one in listed]


def check_list(epoch: Epoch, listed: Sequence[Resolved], committer: int, ports: Ports) -> None:
    """Judge the proposals of a member's commit together, or raise ``RuleBroken``."""
    proposals = _proposals(listed)
    if any(isinstance(one, ExternalInit) for one in proposals):
        raise RuleBroken(Rule.LIST_EXTERNAL_INIT)
    if any(isinstance(one, ReInit) for one in proposals) and len(proposals) > 1:
        raise RuleBroken(Rule.LIST_REINIT_ALONE)
    changed = _changed_leaves(listed)
    for one in listed:
        if isinstance(one.proposal, Update) and one.sender.number == committer:
            raise RuleBroken(Rule.LIST_UPDATE_BY_COMMITTER)
        if isinstance(one.proposal, Remove) and one.proposal.removed == committer:
            raise RuleBroken(Rule.LIST_REMOVES_COMMITTER)
    if len(set(changed)) != len(changed):
        raise RuleBroken(Rule.LIST_LEAF_TWICE)
    _check_adds(epoch.tree, proposals, ports)
    _check_once(proposals)


def _changed_leaves(listed: Iterable[Resolved]) -> list[int]:
    changed = []
    for one in listed:
        if isinstance(one.proposal, Update):
            changed.append(one.sender.number)
        if isinstance(one.proposal, Remove):
            changed.append(one.proposal.removed)
    return changed


def _check_adds(tree: RatchetTree, proposals: list[Proposal], ports: Ports) -> None:
    adds = [one.key_package.leaf for one in proposals if isinstance(one, Add)]
    if not adds:
        return
    clients = {ports.policy.client(leaf) for leaf in adds}
    if len(clients) != len(adds):
        raise RuleBroken(Rule.LIST_ADD_TWICE)
    removed = {one.removed for one in proposals if isinstance(one, Remove)}
    staying = {ports.policy.client(leaf) for number, leaf in tree.leaves() if number not in removed}
    if not staying.isdisjoint(clients):
        raise RuleBroken(Rule.LIST_ADD_MEMBER)


def _check_once(proposals: list[Proposal]) -> None:
    psks = [one.psk for one in proposals if isinstance(one, PreSharedKey)]
    if len(set(psks)) != len(psks):
        raise RuleBroken(Rule.LIST_PSK_TWICE)
    if sum(isinstance(one, ContextExtensions) for one in proposals) > 1:
        raise RuleBroken(Rule.LIST_CONTEXT_EXTENSIONS_TWICE)


def check_external_list(
    epoch: Epoch, listed: Sequence[Resolved], joiner: LeafNode, ports: Ports
) -> None:
    """Judge the proposals of an external commit together (12.2, 12.4.3.2), or raise RuleBroken."""
    proposals = _proposals(listed)
    if any(one.reference for one in listed):
        raise RuleBroken(Rule.EXTERNAL_COMMIT_BY_VALUE)
    if sum(isinstance(one, ExternalInit) for one in proposals) != 1:
        raise RuleBroken(Rule.EXTERNAL_COMMIT_ONE_INIT)
    removes = [one for one in proposals if isinstance(one, Remove)]
    if len(proposals) != 1 + len(removes) + sum(isinstance(one, PreSharedKey) for one in proposals):
        raise RuleBroken(Rule.EXTERNAL_COMMIT_PROPOSALS)
    if len(removes) > 1:
        raise RuleBroken(Rule.EXTERNAL_COMMIT_REMOVE, "more than one")
    for one in removes:
        old = epoch.tree.leaf(one.removed)
        if old is None or not ports.policy.accepts_successor(old, joiner):
            raise RuleBroken(Rule.EXTERNAL_COMMIT_REMOVE, f"leaf {one.removed}")
    _check_once(proposals)


# Application (section 12.3).


@dataclass(slots=True)
class Changes:
    """What a list of proposals makes of a group, before any path."""

    tree: RatchetTree
    extensions: Extensions
    added: list[tuple[int, KeyPackage]] = field(default_factory=list)
    removed: list[tuple[int, LeafNode]] = field(default_factory=list)
    updated: list[int] = field(default_factory=list)
    psks: list[PskId] = field(default_factory=list)
    kem_output: bytes = b""
    reinit: ReInit | None = None

    @property
    def added_leaves(self) -> list[int]:
        """The numbers of the new leaves."""
        return [number for number, _ in self.added]


ORDER: tuple[type[Proposal], ...] = (
    ContextExtensions,
    Update,
    Remove,
    Add,
    PreSharedKey,
    ExternalInit,
    ReInit,
)


def apply_list(epoch: Epoch, listed: Sequence[Resolved], ports: Ports) -> Changes:
    """Judge each proposal, apply all to a copy of the tree; raise ``RuleBroken`` for a bad one."""
    changes = Changes(epoch.tree.copy(), epoch.context.extensions)
    for one in listed:
        if isinstance(one.proposal, ContextExtensions):
            changes.extensions = one.proposal.extensions
    rules = leaf_rules(epoch.suite, changes.extensions, ports)
    for kind in ORDER:
        for one in listed:
            if isinstance(one.proposal, kind):
                _check_sender(one.proposal, one.sender)
                _apply(epoch, one, changes, rules)
    if changes.extensions is not epoch.context.extensions:
        check_context_extensions(changes.tree, changes.extensions)
    return changes


def _apply(epoch: Epoch, one: Resolved, changes: Changes, rules: LeafRules) -> None:
    proposal = one.proposal
    if isinstance(proposal, Update):
        _check_update(epoch, proposal.leaf, one.sender, rules)
        changes.tree.update(one.sender.number, proposal.leaf)
        changes.updated.append(one.sender.number)
    elif isinstance(proposal, Remove):
        _check_remove(epoch.tree, proposal)
        leaf = changes.tree.leaf(proposal.removed)
        assert leaf is not None, "leaves are removed once and by their old numbers"
        changes.tree.remove(proposal.removed)
        changes.removed.append((proposal.removed, leaf))
    elif isinstance(proposal, Add):
        check_key_package(proposal.key_package, rules)
        number = changes.tree.add(proposal.key_package.leaf)
        changes.added.append((number, proposal.key_package))
    elif isinstance(proposal, PreSharedKey):
        _check_psk(epoch, proposal.psk)
        changes.psks.append(proposal.psk)
    elif isinstance(proposal, ExternalInit):
        changes.kem_output = proposal.kem_output
    elif isinstance(proposal, ReInit):
        _check_reinit(epoch, proposal)
        changes.reinit = proposal

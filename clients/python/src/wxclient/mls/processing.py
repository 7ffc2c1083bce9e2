"""Section 12.4.2: processing a commit that another member, or an external joiner, made."""

from typing import NamedTuple

from .commit import Commit
from .errors import MissingProposal, RuleBroken
from .framing import AuthenticatedContent, Sender
from .group import Group, OwnUpdate, Ports, Resolved, leaf_rules
from .key_schedule import GroupContext, external_init
from .leaf_node import Position, Source
from .next_epoch import Inputs, Place, derive, group_psks, start
from .proposal_list import Changes, apply_list, check_external_list, check_list
from .rules import Rule
from .transcript import confirmed_transcript_hash
from .tree_validation import check_members, check_replacement
from .treekem import (
    PrivateKeys,
    Receiver,
    UpdatePath,
    apply_path,
    check_new_keys,
    check_path_ciphertexts,
    open_path,
)


class Applied(NamedTuple):
    """What a commit made of a group."""

    group: Group
    changes: Changes
    committer: int
    """The committer's leaf in the new epoch."""
    is_external: bool


def process_commit(group: Group, signed: AuthenticatedContent, ports: Ports) -> Applied:
    """Return the next epoch, or raise an ``MlsError``; ``group`` is left as it is.

    The signature was judged before (``receiving``).
    """
    group.expect_open()
    commit = signed.content.content
    assert isinstance(commit, Commit), "only commits come here"
    sender = signed.content.sender
    listed = resolve(group, commit, sender)
    _check_list(group, commit, listed, sender, ports)
    changes = apply_list(group.epoch, listed, ports)
    committer = sender.number
    if commit.path is not None:
        committer = _apply_path(group, commit.path, sender, changes, ports)
    check_members(changes.tree)
    if changes.tree.leaf(group.leaf) is None or _replaced(group, changes):
        return Applied(_removed(group), changes, committer, not sender.is_member)
    context = group.context._replace(
        epoch=group.context.epoch + 1,
        tree_hash=changes.tree.hash(),
        extensions=changes.extensions,
    )
    keys, commit_secret = _open_path(group, commit, committer, changes, context)
    next_group = _confirm(group, signed, changes, context, (keys, commit_secret), ports)
    return Applied(next_group, changes, committer, not sender.is_member)


def resolve(group: Group, commit: Commit, sender: Sender) -> list[Resolved]:
    """Return the commit's proposals with their senders, or raise MissingProposal."""
    listed = []
    for entry in commit.proposals:
        if entry.proposal is not None:
            listed.append(Resolved(entry.proposal, sender))
            continue
        known = group.proposals.get(entry.reference)
        if known is None:
            raise MissingProposal(f"no proposal {entry.reference.hex()} came in this epoch")
        listed.append(known)
    return listed


def _check_list(
    group: Group, commit: Commit, listed: list[Resolved], sender: Sender, ports: Ports
) -> None:
    """Apply section 12.2 and the need of a path, or raise RuleBroken."""
    if sender.is_member:
        check_list(group.epoch, listed, sender.number, ports)
    elif commit.path is not None:
        joiner = commit.path.leaf
        check_external_list(group.epoch, listed, joiner, ports)
        members = tuple(leaf for _, leaf in group.tree.leaves())
        if not ports.policy.accepts_external_join(joiner, members):
            raise RuleBroken(Rule.EXTERNAL_COMMIT_ACCEPTED)
    if commit.path is None and needs_path(listed):
        raise RuleBroken(Rule.COMMIT_PATH_REQUIRED)


def needs_path(listed: list[Resolved]) -> bool:
    """Whether a commit of these proposals must have a path (section 12.4)."""
    return not listed or any(one.proposal.needs_path for one in listed)


def _apply_path(
    group: Group, path: UpdatePath, sender: Sender, changes: Changes, ports: Ports
) -> int:
    """Put the path into the changed tree; return the committer's leaf, or raise RuleBroken."""
    tree = changes.tree
    rules = leaf_rules(group.suite, changes.extensions, ports)
    committer = sender.number
    if sender.is_member:
        old = tree.leaf(committer)
        assert old is not None, "a committer is not removed by its own commit"
        check_replacement(old, path.leaf, rules, Source.COMMIT)
    check_new_keys(tree, path)
    if not sender.is_member:
        if path.leaf.source is not Source.COMMIT:
            raise RuleBroken(Rule.LEAF_SOURCE, "an external joiner's leaf")
        committer = tree.add(path.leaf)
    rules.check(path.leaf, Position(group.context.group_id, committer))
    apply_path(tree, committer, path)
    check_path_ciphertexts(tree, committer, path, changes.added_leaves)
    return committer


def _replaced(group: Group, changes: Changes) -> bool:
    """Whether we were removed, though our place is taken again by one who was added."""
    return any(number == group.leaf for number, _ in changes.removed)


def _removed(group: Group) -> Group:
    """Return what is left of a group to one who was removed."""
    return Group(
        group.epoch,
        group.identity,
        {},
        group.secrets,
        group.confirmation_tag,
        group.interim_transcript_hash,
        group.resumption_psks,
        is_member=False,
    )


def _open_path(
    group: Group, commit: Commit, committer: int, changes: Changes, context: GroupContext
) -> tuple[PrivateKeys, bytes]:
    """Return our private keys in the changed tree, and the commit secret."""
    keys = group.keys.copy()
    own = _own_update(group, changes)
    if own is not None:
        keys[2 * group.leaf] = own.encryption_key
    if commit.path is None:
        return keys, group.suite.zero
    receiver = Receiver(group.leaf, _usable(keys, changes))
    added = changes.added_leaves
    found, secret = open_path(
        changes.tree, committer, commit.path, receiver, context.encode(), added
    )
    return {**keys, **found}, secret


def _usable(keys: PrivateKeys, changes: Changes) -> PrivateKeys:
    width = 2 * changes.tree.leaf_count - 1
    return {at: key for at, key in keys.items() if at < width}


def _own_update(group: Group, changes: Changes) -> OwnUpdate | None:
    """Return what we proposed if the commit put it in our place."""
    if group.leaf not in changes.updated:
        return None
    return group.own_updates[changes.tree.encryption_key(2 * group.leaf)]


def _confirm(
    group: Group,
    signed: AuthenticatedContent,
    changes: Changes,
    context: GroupContext,
    held: tuple[PrivateKeys, bytes],
    ports: Ports,
) -> Group:
    """Derive the new epoch and compare the confirmation tag, or raise RuleBroken."""
    suite = group.suite
    confirmed = confirmed_transcript_hash(suite, group.interim_transcript_hash, signed)
    context = context._replace(confirmed_transcript_hash=confirmed)
    init = group.secrets.init
    if changes.kem_output:
        init = external_init(suite, group.secrets.external, changes.kem_output)
    keys, commit_secret = held
    psks = group_psks(group, changes.psks, suite, ports)
    derived = derive(suite, context, Inputs(init, commit_secret, psks))
    tag = signed.auth.confirmation_tag or b""
    if not suite.mac_fits(derived.secrets.confirmation, confirmed, tag):
        raise RuleBroken(Rule.COMMIT_CONFIRMATION_TAG)
    own = _own_update(group, changes)
    identity = group.identity if own is None else own.identity
    place = Place(changes.tree, group.leaf, identity, keys)
    following = start(derived, place, tag, group.remembered())
    following.reinit = changes.reinit
    return following

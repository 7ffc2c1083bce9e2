"""Section 12.4.1: creating a commit, its Welcome and its GroupInfo."""

from collections.abc import Sequence
from typing import NamedTuple

from .codec import opaque
from .commit import Commit, ProposalOrRef
from .errors import RuleBroken
from .extensions import EXTERNAL_PUB, RATCHET_TREE, Extension
from .framing import (
    AuthData,
    AuthenticatedContent,
    FramedContent,
    Sender,
    WireFormat,
    member,
    signed,
)
from .group import Group, Ports, Resolved
from .key_schedule import external_keys, welcome_secret
from .leaf_node import Identity
from .messages import encode_message
from .next_epoch import Derived, Inputs, Place, derive, group_psks, start
from .private_message import protect_private
from .processing import needs_path
from .proposal_list import Changes, apply_list, check_list
from .proposals import Proposal, Update
from .public_message import protect_public
from .transcript import confirmed_transcript_hash
from .tree_validation import check_members
from .treekem import NewPath, UpdatePath, new_path, seal_path
from .welcome import (
    GroupInfo,
    GroupSecrets,
    PathSecret,
    Welcome,
    seal_group_info,
    seal_group_secrets,
)


class Options(NamedTuple):
    """How a commit is made."""

    encrypted: bool = True
    """As a PrivateMessage; else anyone who carries it can read which proposals it has."""
    tree_in_welcome: bool = True
    """Without, the tree goes to joiners beside the Welcome."""
    force_path: bool = True
    """New keys for the committer though the proposals need none."""
    authenticated_data: bytes = b""
    new_identity: Identity | None = None
    """Another signature key or credential for the committer's leaf; implies a path."""


DEFAULTS = Options()


class Committed(NamedTuple):
    """A commit that was made: what to send, and the state if it is accepted."""

    message: bytes
    welcome: bytes | None
    """For those who were added; None if nobody was."""
    group_info: bytes
    """By which others may join externally; without the tree."""
    tree: bytes
    """The new ratchet tree, for those who get none with the Welcome or GroupInfo."""
    group: Group
    changes: Changes


class Work(NamedTuple):
    """A commit in the making."""

    group: Group
    """The epoch that the commit ends; an external joiner's idea of it."""
    sender: Sender
    leaf: int
    identity: Identity
    """The committer's in the new epoch."""
    changes: Changes
    ports: Ports
    options: Options


def create_commit(
    group: Group, proposals: Sequence[Proposal], ports: Ports, options: Options = DEFAULTS
) -> Committed:
    """Commit what was proposed in this epoch, and these proposals; the group stays as it is.

    Only the ratchet of the group moves, when the commit is encrypted.
    """
    group.expect_open()
    sender = member(group.leaf)
    by_value = [Resolved(proposal, sender) for proposal in proposals]
    listed = [*_referenced(group, by_value, ports), *by_value]
    check_list(group.epoch, listed, group.leaf, ports)
    changes = apply_list(group.epoch, listed, ports)
    identity = options.new_identity or group.identity
    work = Work(group, sender, group.leaf, identity, changes, ports, options)
    wants_path = options.force_path or options.new_identity is not None
    path = _make_path(work) if needs_path(listed) or wants_path else None
    check_members(changes.tree)
    return finish(work, listed, path, group.secrets.init)


def _referenced(group: Group, by_value: list[Resolved], ports: Ports) -> list[Resolved]:
    """Return the proposals of others that go together with ours, first come first."""
    chosen: list[Resolved] = []
    for one in group.proposals.values():
        if isinstance(one.proposal, Update) and one.sender.number == group.leaf:
            continue
        try:
            check_list(group.epoch, [*chosen, one, *by_value], group.leaf, ports)
        except RuleBroken:
            continue
        chosen.append(one)
    return chosen


def _make_path(work: Work) -> NewPath:
    group_id = work.group.context.group_id
    return new_path(work.changes.tree, work.leaf, work.identity, group_id, work.ports.random)


def finish(
    work: Work, listed: Sequence[Resolved], path: NewPath | None, init_secret: bytes
) -> Committed:
    """Seal the path, sign the commit, and derive the new epoch."""
    group, suite, changes = work.group, work.group.suite, work.changes
    context = group.context._replace(
        epoch=group.context.epoch + 1,
        tree_hash=changes.tree.hash(),
        extensions=changes.extensions,
    )
    sealed: UpdatePath | None = None
    if path is not None:
        added = changes.added_leaves
        sealed = seal_path(changes.tree, work.leaf, path, context.encode(), added)
    content = _sign(work, listed, sealed)
    confirmed = confirmed_transcript_hash(suite, group.interim_transcript_hash, content)
    context = context._replace(confirmed_transcript_hash=confirmed)
    psks = group_psks(group, changes.psks, suite, work.ports)
    secret = suite.zero if path is None else path.commit_secret
    derived = derive(suite, context, Inputs(init_secret, secret, psks))
    tag = derived.confirmation_tag(suite)
    content = content._replace(auth=AuthData(content.auth.signature, tag))
    keys = group.keys if path is None else {**group.keys, **path.private_keys(work.leaf)}
    place = Place(changes.tree, work.leaf, work.identity, keys)
    following = start(derived, place, tag, group.remembered())
    following.reinit = changes.reinit
    welcome = _welcome(work, derived, following, path)
    return Committed(
        protect(group, content, work.ports),  # last: it uses up a key
        welcome,
        encode_message(group_info(following, with_tree=False)),
        changes.tree.encode(),
        following,
        changes,
    )


def _sign(work: Work, listed: Sequence[Resolved], path: UpdatePath | None) -> AuthenticatedContent:
    entries = [
        ProposalOrRef(None, one.reference) if one.reference else ProposalOrRef(one.proposal)
        for one in listed
    ]
    group, options = work.group, work.options
    encrypted = options.encrypted and work.sender.is_member
    wire_format = WireFormat.PRIVATE_MESSAGE if encrypted else WireFormat.PUBLIC_MESSAGE
    content = FramedContent(
        group.context.group_id,
        group.context.epoch,
        work.sender,
        options.authenticated_data,
        Commit(tuple(entries), path),
    )
    context = group.epoch.encoded_context
    return signed(group.suite, group.signer, wire_format, content, context)


def protect(group: Group, content: AuthenticatedContent, ports: Ports) -> bytes:
    """Return signed content as an MLSMessage of the wire format that it was signed for."""
    if content.wire_format is WireFormat.PRIVATE_MESSAGE:
        return encode_message(protect_private(group.epoch.encryption, content, ports.random))
    key, context = group.secrets.membership, group.epoch.encoded_context
    return encode_message(protect_public(group.suite, key, content, context))


def group_info(group: Group, *, with_tree: bool) -> GroupInfo:
    """Return this epoch's GroupInfo, by which a client may join externally (section 12.4.3)."""
    public = external_keys(group.suite, group.secrets.external).public
    extensions = [Extension(EXTERNAL_PUB, opaque(public))]
    if with_tree:
        extensions.append(Extension(RATCHET_TREE, group.tree.encode()))
    info = GroupInfo(group.context, tuple(extensions), group.confirmation_tag, group.leaf)
    return info.signed(group.suite, group.signer)


def _welcome(work: Work, derived: Derived, following: Group, path: NewPath | None) -> bytes | None:
    """Return the Welcome for those who were added."""
    changes, suite = work.changes, following.suite
    if not changes.added:
        return None
    info = _welcome_info(following, with_tree=work.options.tree_in_welcome)
    secret = welcome_secret(suite, derived.joiner_secret, derived.psk_secret)
    sealed = seal_group_info(suite, secret, info)
    entries = []
    for number, package in changes.added:
        shared = None if path is None else path.secret_for(number)
        secrets = GroupSecrets(
            derived.joiner_secret,
            None if shared is None else PathSecret(shared),
            tuple(changes.psks),
        )
        entries.append(seal_group_secrets(suite, package, sealed, secrets))
    return encode_message(Welcome(suite.code, tuple(entries), sealed))


def _welcome_info(group: Group, *, with_tree: bool) -> GroupInfo:
    extensions = (Extension(RATCHET_TREE, group.tree.encode()),) if with_tree else ()
    info = GroupInfo(group.context, extensions, group.confirmation_tag, group.leaf)
    return info.signed(group.suite, group.signer)

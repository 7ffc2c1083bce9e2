"""What ``GroupCipher`` gives: commits to send, and what became of messages that came."""

from typing import NamedTuple

from .committing import Committed
from .credentials import Credential
from .framing import ContentType, Sender
from .group import Epoch
from .leaf_node import LeafNode
from .processing import Applied
from .proposals import Proposal
from .receiving import Received


class Member(NamedTuple):
    """A member as others see it."""

    leaf: int
    credential: Credential
    signature_key: bytes


class Outgoing(NamedTuple):
    """A commit to send; it counts once the server accepted it (``merge_pending``)."""

    epoch: int
    """The epoch that it ends."""
    message: bytes
    welcome: bytes | None
    """For those who are added."""
    group_info: bytes
    """Of the new epoch, without the tree: by it others join externally."""
    tree: bytes
    """The ratchet tree of the new epoch."""


class Header(NamedTuple):
    """What a member can read of a private message without using up its key."""

    epoch: int
    type: ContentType
    sender: int
    generation: int


class Plaintext(NamedTuple):
    """An application message, opened."""

    epoch: int
    sender: Member
    generation: int
    data: bytes
    authenticated_data: bytes


class Proposed(NamedTuple):
    """A proposal that waits for a commit."""

    sender: Sender
    proposal: Proposal
    reference: bytes


class EpochChanged(NamedTuple):
    """A commit was applied."""

    epoch: int
    """The new one."""
    committer: int
    added: tuple[Member, ...]
    removed: tuple[Member, ...]
    is_external: bool
    """Whether the committer joined by this commit."""
    are_we_removed: bool
    is_closed: bool
    """Whether the group is to be followed by another (re-init)."""
    dropped_pending: bool
    """Whether a commit of ours lost against this one."""
    authenticated_data: bytes


Event = Plaintext | Proposed | EpochChanged


def member_of(number: int, leaf: LeafNode) -> Member:
    """Return a leaf as others see it."""
    return Member(number, leaf.credential, leaf.signature_key)


def outgoing(made: Committed) -> Outgoing:
    """Return what is to be sent of a commit."""
    ended = made.group.context.epoch - 1
    return Outgoing(ended, made.message, made.welcome, made.group_info, made.tree)


def plaintext(epoch: Epoch, received: Received, data: bytes) -> Plaintext:
    """Return an application message that was received."""
    content, look = received.signed.content, received.look
    leaf = epoch.tree.leaf(content.sender.number)
    assert leaf is not None, "the signature was that of a member"
    assert look is not None, "application data is never public"
    sender = member_of(content.sender.number, leaf)
    return Plaintext(epoch.number, sender, look.taken.generation, data, content.authenticated_data)


def epoch_changed(applied: Applied, data: bytes, *, dropped_pending: bool) -> EpochChanged:
    """Return what a commit did."""
    changes, group = applied.changes, applied.group
    return EpochChanged(
        group.context.epoch + (not group.is_member),
        applied.committer,
        tuple(member_of(number, package.leaf) for number, package in changes.added),
        tuple(member_of(number, leaf) for number, leaf in changes.removed),
        applied.is_external,
        not group.is_member,
        changes.reinit is not None,
        dropped_pending,
        data,
    )

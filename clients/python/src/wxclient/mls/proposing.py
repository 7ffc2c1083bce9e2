"""Section 12.1: sending proposals in messages of their own, and gathering those of others."""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .commit import Commit
from .committing import protect
from .errors import StateError
from .framing import (
    AuthenticatedContent,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    member,
    signed,
)
from .group import Group, OwnUpdate, Ports, Resolved
from .kem import KeyPair
from .key_package import PrivateKeyPackage
from .leaf_node import Identity, Position, Source
from .limits import PROPOSALS_MAX
from .messages import encode_message
from .proposal_list import check_proposal
from .proposals import Add, Proposal, Update
from .public_message import PublicMessage
from .suites import CipherSuite, suite_of


def propose(group: Group, proposal: Proposal, ports: Ports, *, encrypted: bool = True) -> bytes:
    """Return a message that proposes; our own next commit takes it too.

    Raises:
        RuleBroken: the proposal is not valid.
        StateError: too many proposals wait already.
    """
    group.expect_open()
    sender = member(group.leaf)
    check_proposal(group.epoch, Resolved(proposal, sender), ports)
    context = group.context
    content = FramedContent(context.group_id, context.epoch, sender, b"", proposal)
    wire_format = WireFormat.PRIVATE_MESSAGE if encrypted else WireFormat.PUBLIC_MESSAGE
    encoded = group.epoch.encoded_context
    authenticated = signed(group.suite, group.signer, wire_format, content, encoded)
    _keep(group, authenticated, proposal)
    return protect(group, authenticated, ports)


def propose_update(
    group: Group, ports: Ports, identity: Identity | None = None, *, encrypted: bool = True
) -> bytes:
    """Return a message that proposes new keys for our leaf."""
    group.expect_open()
    who = identity or group.identity
    keys = group.suite.derive_key_pair(ports.random(group.suite.hash_size))
    position = Position(group.context.group_id, group.leaf)
    leaf = who.leaf(keys.public, Source.UPDATE).signed(group.suite, who.signer, position)
    message = propose(group, Update(leaf), ports, encrypted=encrypted)
    group.own_updates[keys.public] = OwnUpdate(keys.private, who)
    return message


def gather(group: Group, authenticated: AuthenticatedContent, ports: Ports) -> bytes:
    """Keep a proposal of another for the next commit; return its reference.

    Raises:
        RuleBroken: the proposal is not valid.
        StateError: too many proposals wait already.
    """
    proposal = authenticated.content.content
    assert not isinstance(proposal, bytes | Commit), "only proposals come here"
    check_proposal(group.epoch, Resolved(proposal, authenticated.content.sender), ports)
    return _keep(group, authenticated, proposal)


def _keep(group: Group, authenticated: AuthenticatedContent, proposal: Proposal) -> bytes:
    """Keep a proposal under its reference, or raise StateError."""
    if len(group.proposals) >= PROPOSALS_MAX:
        raise StateError(f"{PROPOSALS_MAX} proposals wait for a commit")
    reference = authenticated.reference(group.suite)
    group.proposals[reference] = Resolved(proposal, authenticated.content.sender, reference)
    return reference


class Outside(NamedTuple):
    """What one outside must know of a group to propose something to it."""

    suite: CipherSuite
    group_id: bytes
    epoch: int


def propose_from_outside(
    group: Outside, number: int, signature_key: KeyPair, proposal: Proposal
) -> bytes:
    """Return the proposal of the external sender with a place in the list (section 12.1.8)."""
    signer = Ed25519PrivateKey.from_private_bytes(signature_key.private)
    return _outside(group, Sender(SenderType.EXTERNAL, number), proposal, signer)


def propose_own_add(group_id: bytes, epoch: int, package: PrivateKeyPackage) -> bytes:
    """Return the proposal of a client that asks to be added (section 12.1.8)."""
    suite = suite_of(package.public.cipher_suite)
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    group = Outside(suite, group_id, epoch)
    return _outside(group, sender, Add(package.public), package.identity.signer)


def _outside(
    group: Outside, sender: Sender, proposal: Proposal, signer: Ed25519PrivateKey
) -> bytes:
    content = FramedContent(group.group_id, group.epoch, sender, b"", proposal)
    whole = signed(group.suite, signer, WireFormat.PUBLIC_MESSAGE, content, b"")
    return encode_message(PublicMessage(whole.content, whole.auth, None))

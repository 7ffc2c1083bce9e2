"""A dishonest member: messages that are signed and tagged as they should be, and wrong within."""

from collections.abc import Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wxclient import mls
from wxclient.mls.codec import decode
from wxclient.mls.commit import Commit, ProposalOrRef
from wxclient.mls.extensions import RATCHET_TREE
from wxclient.mls.framing import (
    AuthData,
    AuthenticatedContent,
    Content,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    member,
    signed,
)
from wxclient.mls.key_package import KeyPackage
from wxclient.mls.key_schedule import GroupContext, welcome_secret
from wxclient.mls.leaf_node import Position
from wxclient.mls.messages import decode_message
from wxclient.mls.next_epoch import derive_from_joiner
from wxclient.mls.psk import psk_secret
from wxclient.mls.public_message import PublicMessage, protect_public
from wxclient.mls.ratchet_tree import RatchetTree
from wxclient.mls.treekem import NewPath, UpdatePath, new_path, seal_path
from wxclient.mls.welcome import (
    GroupInfo,
    GroupSecrets,
    PathSecret,
    Welcome,
    seal_group_info,
    seal_group_secrets,
)

from .scene import DICE, SUITE, Client

OUTSIDE = Sender(SenderType.NEW_MEMBER_COMMIT)


def public(
    insider: mls.GroupCipher,
    content: Content,
    sender: Sender | None = None,
    signer: Ed25519PrivateKey | None = None,
) -> bytes:
    """Return a PublicMessage with any content from any sender, tagged with the group's key."""
    group = insider.group
    framed = FramedContent(
        insider.group_id, insider.epoch, sender or member(insider.leaf), b"", content
    )
    key, context = signer or group.signer, group.epoch.encoded_context
    whole = signed(group.suite, key, WireFormat.PUBLIC_MESSAGE, framed, context)
    tag = bytes(group.suite.hash_size) if isinstance(content, Commit) else None
    return tagged(insider, whole._replace(auth=AuthData(whole.auth.signature, tag)))


def tagged(insider: mls.GroupCipher, whole: AuthenticatedContent) -> bytes:
    """Return signed content as a PublicMessage with its membership tag."""
    group = insider.group
    key, context = group.secrets.membership, group.epoch.encoded_context
    return mls.encode_message(protect_public(group.suite, key, whole, context))


def listing(*proposals: mls.Proposal, path: UpdatePath | None = None) -> Commit:
    """Return a commit of proposals by value."""
    return Commit(tuple([ProposalOrRef(one) for one in proposals]), path)


class Path(NamedTuple):
    """A path in the making, before it is sealed."""

    tree: RatchetTree
    made: NewPath
    context: bytes

    def sealed(self, sender: int) -> UpdatePath:
        """Return the path as it is sent."""
        return seal_path(self.tree, sender, self.made, self.context, ())


def path_of(insider: mls.GroupCipher) -> Path:
    """Return a path that an honest member would make for a commit of nothing else."""
    group = insider.group
    tree = group.tree.copy()
    made = new_path(tree, group.leaf, group.identity, insider.group_id, DICE)
    context = group.context._replace(epoch=insider.epoch + 1, tree_hash=tree.hash())
    return Path(tree, made, context.encode())


def honest_path(insider: mls.GroupCipher) -> UpdatePath:
    """Return the path of an honest member."""
    return path_of(insider).sealed(insider.leaf)


def with_leaf(insider: mls.GroupCipher, path: UpdatePath, leaf: mls.LeafNode) -> UpdatePath:
    """Return a path with another leaf, signed."""
    position = Position(insider.group_id, insider.leaf)
    resigned = leaf.signed(insider.group.suite, insider.group.signer, position)
    return path._replace(leaf=resigned)


def resigned(owner: Client, package: KeyPackage) -> KeyPackage:
    """Return a key package with its leaf and itself signed again."""
    signer = owner.identity.signer
    bare = package._replace(leaf=package.leaf.signed(SUITE, signer), signature=b"")
    return bare._replace(signature=SUITE.sign(signer, b"KeyPackageTBS", bare.to_be_signed()))


def content_of(message: bytes) -> PublicMessage:
    """Return the public message of an MLSMessage."""
    decoded = decode_message(message)
    assert isinstance(decoded, PublicMessage)
    return decoded


def external(insider: mls.GroupCipher, joiner: mls.Identity, commit: Commit) -> bytes:
    """Return an external commit with any proposals, signed by the joiner."""
    return public(insider, commit, OUTSIDE, joiner.signer)


class Invitation(NamedTuple):
    """Everything of a Welcome that a dishonest member chooses freely; all tags fit."""

    context: GroupContext
    tree: bytes
    signer: int
    signing_key: Ed25519PrivateKey
    path_secret: bytes | None = None
    psks: tuple[mls.PskId, ...] = ()
    psk_values: tuple[bytes, ...] = ()
    tag: bytes | None = None

    def welcome(self, package: mls.PrivateKeyPackage) -> bytes:
        """Return the Welcome for a key package."""
        joiner = DICE(SUITE.hash_size)
        psks = psk_secret(SUITE, zip(self.psks, self.psk_values, strict=True))
        derived = derive_from_joiner(SUITE, self.context, joiner, psks)
        tag = derived.confirmation_tag(SUITE) if self.tag is None else self.tag
        extensions = (mls.Extension(RATCHET_TREE, self.tree),)
        info = GroupInfo(self.context, extensions, tag, self.signer)
        info = info.signed(SUITE, self.signing_key)
        sealed = seal_group_info(SUITE, welcome_secret(SUITE, joiner, psks), info)
        shared = None if self.path_secret is None else PathSecret(self.path_secret)
        secrets = GroupSecrets(joiner, shared, self.psks)
        entry = seal_group_secrets(SUITE, package.public, sealed, secrets)
        return mls.encode_message(Welcome(SUITE.code, (entry,), sealed))


def invitation(
    insider: mls.GroupCipher, package: mls.PrivateKeyPackage, tree: RatchetTree | None = None
) -> Invitation:
    """Return an honest Welcome in the making: the joiner's leaf is in the tree."""
    if tree is None:
        tree = insider.group.tree.copy()
        tree.add(package.public.leaf)
    context = insider.group.context._replace(epoch=insider.epoch + 1, tree_hash=tree.hash())
    return Invitation(context, tree.encode(), insider.leaf, insider.group.signer)


def proposals_of(commit: Commit) -> Sequence[mls.Proposal]:
    """Return the proposals that a commit has by value."""
    return [one.proposal for one in commit.proposals if one.proposal is not None]


def commit_in(message: bytes) -> Commit:
    """Return the commit of a public message."""
    content = content_of(message).content.content
    assert isinstance(content, Commit)
    return decode(content.encode(), Commit.read)

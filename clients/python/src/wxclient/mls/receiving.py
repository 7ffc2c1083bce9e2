"""Section 6.1: opening a message of an epoch and judging who sent it."""

from typing import NamedTuple

from .commit import Commit
from .errors import OwnMessage, RuleBroken
from .extensions import external_senders
from .framing import AuthenticatedContent, FramedContent, Sender, SenderType
from .group import Epoch, Ports
from .policy import Place
from .private_message import PrivateMessage, open_private, open_sender_data
from .proposals import Add
from .public_message import PublicMessage, open_public
from .rules import Rule
from .secret_tree import Look, SecretTree


class Received(NamedTuple):
    """Content whose signature holds, and the key to consume once it is acted on."""

    signed: AuthenticatedContent
    secret_tree: SecretTree
    look: Look | None
    """None for public messages."""

    def consume(self) -> None:
        """Delete the message's key."""
        if self.look is not None:
            self.secret_tree.consume(self.look)


def receive(epoch: Epoch, message: PublicMessage | PrivateMessage, ports: Ports) -> Received:
    """Return a message's content; nothing is changed yet.

    Raises:
        RuleBroken: it is not signed by whom it claims.
        MlsError: what is wrong with it otherwise.
    """
    received = _open(epoch, message)
    content = received.signed.content
    _check_sender_kind(content)
    key = signature_key(epoch, content, ports)
    if not received.signed.is_signed_by(epoch.suite, key, epoch.encoded_context):
        raise RuleBroken(Rule.FRAMING_SIGNATURE)
    return received


def _open(epoch: Epoch, message: PublicMessage | PrivateMessage) -> Received:
    """Open a message, or raise OwnMessage for what we sent ourselves."""
    if isinstance(message, PublicMessage):
        sender = message.content.sender
        signed = open_public(epoch.suite, epoch.membership_key, message, epoch.encoded_context)
        if sender.is_member and sender.number == epoch.leaf:
            raise OwnMessage("we sent this")
        return Received(signed, epoch.secret_tree, None)
    keys = epoch.encryption
    data = open_sender_data(keys, message)
    if data.leaf == epoch.leaf:
        raise OwnMessage("we sent this")
    signed, look = open_private(keys, message, data)
    return Received(signed, keys.secret_tree, look)


def _check_sender_kind(content: FramedContent) -> None:
    """Check who may send what (section 6), or raise RuleBroken."""
    kind, what = content.sender.type, content.content
    if kind is SenderType.MEMBER:
        return
    fits = {
        SenderType.EXTERNAL: not isinstance(what, bytes | Commit),
        SenderType.NEW_MEMBER_PROPOSAL: isinstance(what, Add),
        SenderType.NEW_MEMBER_COMMIT: isinstance(what, Commit),
    }
    if not fits[kind]:
        raise RuleBroken(Rule.FRAMING_SENDER_MAY_SEND, f"{kind.name}: {content.type.name}")


def signature_key(epoch: Epoch, content: FramedContent, ports: Ports) -> bytes:
    """Return the key that must have signed, or raise RuleBroken if there is no such sender."""
    sender, what = content.sender, content.content
    if sender.is_member:
        leaf = epoch.tree.leaf(sender.number)
        if leaf is None:
            raise RuleBroken(Rule.FRAMING_SENDER_IS_MEMBER, f"leaf {sender.number}")
        return leaf.signature_key
    if sender.type is SenderType.EXTERNAL:
        return _external_key(epoch, sender, ports)
    if sender.type is SenderType.NEW_MEMBER_PROPOSAL and isinstance(what, Add):
        return what.key_package.leaf.signature_key
    assert isinstance(what, Commit), "_check_sender_kind let nothing else pass"
    if what.path is None:
        raise RuleBroken(Rule.COMMIT_PATH_REQUIRED, "an external commit")
    return what.path.leaf.signature_key


def _external_key(epoch: Epoch, sender: Sender, ports: Ports) -> bytes:
    senders = external_senders(epoch.context.extensions)
    if sender.number >= len(senders):
        raise RuleBroken(Rule.EXTERNAL_SENDER_LISTED, f"number {sender.number}")
    listed = senders[sender.number]
    if not ports.policy.accepts(listed.credential, listed.signature_key, Place.EXTERNAL_SENDER):
        raise RuleBroken(Rule.LEAF_CREDENTIAL, "of an external sender")
    return listed.signature_key

"""Vectors of framing: message protection, and every message's encoding."""

from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wxclient.mls.codec import Encodable, Reader, decode
from wxclient.mls.commit import Commit
from wxclient.mls.framing import (
    AuthData,
    Content,
    FramedContent,
    WireFormat,
    encode_content,
    member,
    signed,
)
from wxclient.mls.key_schedule import GroupContext
from wxclient.mls.messages import decode_message, encode_message
from wxclient.mls.private_message import (
    Encryption,
    PrivateMessage,
    open_private,
    open_sender_data,
    protect_private,
)
from wxclient.mls.proposals import (
    Add,
    ContextExtensions,
    ExternalInit,
    PreSharedKey,
    ReInit,
    Remove,
    Update,
    read_proposal,
)
from wxclient.mls.public_message import PublicMessage, open_public, protect_public
from wxclient.mls.ratchet_tree import encode_nodes, read_node
from wxclient.mls.secret_tree import SecretTree
from wxclient.mls.suites import MLS10, CipherSuite
from wxclient.mls.welcome import GroupSecrets

from .cases import Case, data, refused, same, suite

SENDER = 1
LEAVES = 2


class Scene(NamedTuple):
    """The group of a message-protection case: two members, the second one sends."""

    suite: CipherSuite
    context: GroupContext
    keys: Callable[[], Encryption]
    membership_key: bytes
    signature_key: bytes


def message_protection(case: Case) -> None:
    """A proposal, a commit and application data, opened; and our own."""
    scene = _scene(case)
    proposal = decode(data(case, "proposal"), read_proposal)
    commit = decode(data(case, "commit"), Commit.read)
    same("proposal", data(case, "proposal"), encode_content(proposal))
    same("commit", data(case, "commit"), commit.encode())
    contents: dict[str, Content] = {
        "proposal": proposal,
        "commit": commit,
        "application": data(case, "application"),
    }
    for name, content in contents.items():
        same(f"{name}_priv", content, _opened(scene, data(case, f"{name}_priv")))
        _own(scene, case, WireFormat.PRIVATE_MESSAGE, content)
        if name != "application":
            same(f"{name}_pub", content, _opened(scene, data(case, f"{name}_pub")))
            _own(scene, case, WireFormat.PUBLIC_MESSAGE, content)


def _scene(case: Case) -> Scene:
    chosen = suite(case)
    context = GroupContext(
        MLS10,
        chosen.code,
        data(case, "group_id"),
        case["epoch"],
        data(case, "tree_hash"),
        data(case, "confirmed_transcript_hash"),
        (),
    )
    sender_data, encryption = data(case, "sender_data_secret"), data(case, "encryption_secret")
    same("signature key", data(case, "signature_pub"), _public(chosen, case))

    def keys() -> Encryption:
        return Encryption(
            chosen, chosen.expander(sender_data), SecretTree(chosen, encryption, LEAVES)
        )

    return Scene(chosen, context, keys, data(case, "membership_key"), data(case, "signature_pub"))


def _public(chosen: CipherSuite, case: Case) -> bytes:
    return chosen.signature_public(data(case, "signature_priv"))


def _opened(scene: Scene, message: bytes) -> Content:
    """Return what a message holds; its sender and signature are judged."""
    decoded = decode_message(message)
    same("encoding of the message", message, encode_message(decoded))
    encoded = scene.context.encode()
    if isinstance(decoded, PublicMessage):
        whole = open_public(scene.suite, scene.membership_key, decoded, encoded)
    else:
        refused("a message of a group", holds=isinstance(decoded, PrivateMessage))
        assert isinstance(decoded, PrivateMessage)
        keys = scene.keys()
        whole, _ = open_private(keys, decoded, open_sender_data(keys, decoded))
    same("group id", scene.context.group_id, whole.content.group_id)
    same("epoch", scene.context.epoch, whole.content.epoch)
    same("sender", member(SENDER), whole.content.sender)
    holds = whole.is_signed_by(scene.suite, scene.signature_key, encoded)
    refused("the signature", holds=holds)
    return whole.content.content


def _own(scene: Scene, case: Case, wire_format: WireFormat, content: Content) -> None:
    """Protect content and open it again."""
    encoded = scene.context.encode()
    framed = FramedContent(
        scene.context.group_id, scene.context.epoch, member(SENDER), b"", content
    )
    key = Ed25519PrivateKey.from_private_bytes(data(case, "signature_priv"))
    whole = signed(scene.suite, key, wire_format, framed, encoded)
    if isinstance(content, Commit):
        tag = bytes(scene.suite.hash_size)
        whole = whole._replace(auth=AuthData(whole.auth.signature, tag))
    if wire_format is WireFormat.PUBLIC_MESSAGE:
        message: PublicMessage | PrivateMessage = protect_public(
            scene.suite, scene.membership_key, whole, encoded
        )
    else:
        message = protect_private(scene.keys(), whole, bytes, padding=10)
    same("our own", content, _opened(scene, encode_message(message)))


STRUCTURES: dict[str, Callable[[Reader], Encodable]] = {
    "group_secrets": GroupSecrets.read,
    "add_proposal": Add.read,
    "update_proposal": Update.read,
    "remove_proposal": Remove.read,
    "pre_shared_key_proposal": PreSharedKey.read,
    "re_init_proposal": ReInit.read,
    "external_init_proposal": ExternalInit.read,
    "group_context_extensions_proposal": ContextExtensions.read,
    "commit": Commit.read,
}
MESSAGES = {
    "mls_welcome": "Welcome",
    "mls_group_info": "GroupInfo",
    "mls_key_package": "KeyPackage",
    "public_message_application": "PublicMessage",
    "public_message_proposal": "PublicMessage",
    "public_message_commit": "PublicMessage",
    "private_message": "PrivateMessage",
}


def messages(case: Case) -> None:
    """Every structure is read, and written as it was."""
    for name, kind in MESSAGES.items():
        decoded = decode_message(data(case, name))
        same(f"kind of {name}", kind, type(decoded).__name__)
        same(name, data(case, name), encode_message(decoded))
    for name, read in STRUCTURES.items():
        same(name, data(case, name), decode(data(case, name), read).encode())
    tree = decode(data(case, "ratchet_tree"), lambda reader: reader.vector(read_node))
    same("ratchet_tree", data(case, "ratchet_tree"), encode_nodes(tree))

"""Section 6.3: messages that are signed and encrypted."""

from struct import Struct
from typing import NamedTuple

from .codec import Reader, opaque
from .errors import CryptoError, RuleBroken
from .framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    WireFormat,
    encode_content,
    member,
    read_auth,
    read_content,
    read_content_type,
)
from .rules import Rule
from .secret_tree import Look, RatchetKind, SecretTree
from .suites import CipherSuite, Expander, Random

EPOCH_AND_TYPE = Struct(">QB")
SENDER_DATA = Struct(">II4s")


class PrivateMessage(NamedTuple):
    """What a member's message looks like from outside."""

    group_id: bytes
    epoch: int
    type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        sealed = opaque(self.encrypted_sender_data) + opaque(self.ciphertext)
        return self.aad() + sealed

    @classmethod
    def read(cls, reader: Reader) -> "PrivateMessage":
        """Read the structure."""
        return cls(
            reader.opaque(),
            reader.u64(),
            read_content_type(reader),
            reader.opaque(),
            reader.opaque(),
            reader.opaque(),
        )

    def aad(self) -> bytes:
        """Return PrivateContentAAD."""
        head = sender_data_aad(self.group_id, self.epoch, self.type)
        return head + opaque(self.authenticated_data)


def sender_data_aad(group_id: bytes, epoch: int, kind: ContentType) -> bytes:
    """Return SenderDataAAD, with which PrivateContentAAD begins too."""
    return opaque(group_id) + EPOCH_AND_TYPE.pack(epoch, kind)


class SenderData(NamedTuple):
    """Whose message this is, which of them, and four random bytes for its nonce (6.3.2)."""

    leaf: int
    generation: int
    reuse_guard: bytes


RATCHETS = {
    ContentType.APPLICATION: RatchetKind.APPLICATION,
    ContentType.PROPOSAL: RatchetKind.HANDSHAKE,
    ContentType.COMMIT: RatchetKind.HANDSHAKE,
}
"""The ratchet that content of a type takes its keys from."""


def sender_data_key(suite: CipherSuite, secret: Expander, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Return the key and nonce of sender data, which a sample of the ciphertext chooses."""
    sample = opaque(ciphertext[: suite.hash_size])
    key = secret.expand(b"key", sample, suite.key_size)
    return key, secret.expand(b"nonce", sample, suite.nonce_size)


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    """Return the nonce with the reuse guard (section 6.3.1)."""
    mixed = int.from_bytes(nonce, "big") ^ int.from_bytes(guard, "big") << 8 * (len(nonce) - 4)
    return mixed.to_bytes(len(nonce), "big")


class Encryption(NamedTuple):
    """What encrypting needs of a group: its suite, and the secrets of the epoch."""

    suite: CipherSuite
    sender_data: Expander
    """Over the epoch's sender_data_secret."""
    secret_tree: SecretTree


def protect_private(
    keys: Encryption, signed: AuthenticatedContent, random: Random, padding: int = 0
) -> PrivateMessage:
    """Return signed content of a member as a PrivateMessage; its key is deleted on the way."""
    suite, content = keys.suite, signed.content
    kind, leaf, data = content.type, content.sender.number, content.authenticated_data
    look = keys.secret_tree.look(leaf, RATCHETS[kind])
    keys.secret_tree.consume(look)
    guard = random(4)
    plaintext = encode_content(content.content) + signed.auth.encode() + bytes(padding)
    aad = sender_data_aad(content.group_id, content.epoch, kind)
    key, nonce = look.taken.message_key
    ciphertext = suite.seal(key, _guarded(nonce, guard), aad + opaque(data), plaintext)
    sender = SENDER_DATA.pack(leaf, look.taken.generation, guard)
    key, nonce = sender_data_key(suite, keys.sender_data, ciphertext)
    sealed = suite.seal(key, nonce, aad, sender)
    return PrivateMessage(content.group_id, content.epoch, kind, data, sealed, ciphertext)


def open_sender_data(keys: Encryption, message: PrivateMessage) -> SenderData:
    """Return a message's sender and generation, or raise CryptoError."""
    key, nonce = sender_data_key(keys.suite, keys.sender_data, message.ciphertext)
    aad = sender_data_aad(message.group_id, message.epoch, message.type)
    plain = keys.suite.open(key, nonce, aad, message.encrypted_sender_data)
    if len(plain) != SENDER_DATA.size:
        raise CryptoError("the sender data has the wrong size")
    return SenderData(*SENDER_DATA.unpack(plain))


def open_private(
    keys: Encryption, message: PrivateMessage, sender: SenderData
) -> tuple[AuthenticatedContent, Look]:
    """Return what a PrivateMessage holds, its signature not judged yet, and its key, not consumed.

    ``sender`` is what ``open_sender_data`` gave for it.

    Raises:
        RuleBroken: the padding is not zero.
        CryptoError: it does not open.
        KeyConsumed: it was opened before, or given up.
        TooFarAhead: its generation is past the limit.
    """
    look = keys.secret_tree.look(sender.leaf, RATCHETS[message.type], sender.generation)
    key, nonce = look.taken.message_key
    plain = keys.suite.open(
        key, _guarded(nonce, sender.reuse_guard), message.aad(), message.ciphertext
    )
    reader = Reader(plain)
    content = read_content(message.type, reader)
    auth = read_auth(message.type, reader)
    if reader.take(reader.rest).strip(b"\0"):
        raise RuleBroken(Rule.FRAMING_PADDING)
    framed = FramedContent(
        message.group_id,
        message.epoch,
        member(sender.leaf),
        message.authenticated_data,
        content,
    )
    return AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, auth), look

"""Sections 6 and 6.1: who sends what, and its signature."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .codec import Reader, opaque, u8, u16, u32
from .commit import Commit
from .errors import DecodingError
from .proposals import Proposal, encode_proposal, read_proposal
from .suites import MLS10, CipherSuite

LABEL = b"FramedContentTBS"


class WireFormat(IntEnum):
    """What an MLSMessage holds."""

    PUBLIC_MESSAGE = 1
    PRIVATE_MESSAGE = 2
    WELCOME = 3
    GROUP_INFO = 4
    KEY_PACKAGE = 5


class ContentType(IntEnum):
    """What is framed."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


CONTENT_TYPES = {int(kind): kind for kind in ContentType}


class SenderType(IntEnum):
    """Who may send."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


class Sender(NamedTuple):
    """A member by its leaf, an external sender by its place in the list, or a new member."""

    type: SenderType
    number: int = 0

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        if self.type <= SenderType.EXTERNAL:
            return u8(self.type) + u32(self.number)
        return u8(self.type)

    @classmethod
    def read(cls, reader: Reader) -> "Sender":
        """Read the structure, or raise DecodingError."""
        kind = reader.u8()
        if not 1 <= kind <= 4:
            raise DecodingError(f"sender type {kind} is not known")
        return cls(SenderType(kind), reader.u32() if kind <= SenderType.EXTERNAL else 0)

    @property
    def is_member(self) -> bool:
        """Whether this is a leaf of the tree."""
        return self.type is SenderType.MEMBER


def member(leaf: int) -> Sender:
    """Return the sender that is a member."""
    return Sender(SenderType.MEMBER, leaf)


Content = bytes | Proposal | Commit


def encode_content(content: Content) -> bytes:
    """Return the content of its type."""
    if isinstance(content, bytes):
        return opaque(content)
    return content.encode() if isinstance(content, Commit) else encode_proposal(content)


def read_content(kind: ContentType, reader: Reader) -> Content:
    """Read content of a type."""
    if kind is ContentType.APPLICATION:
        return reader.opaque()
    return Commit.read(reader) if kind is ContentType.COMMIT else read_proposal(reader)


def read_content_type(reader: Reader) -> ContentType:
    """Read a content type, or raise DecodingError."""
    kind = reader.u8()
    if not 1 <= kind <= 3:
        raise DecodingError(f"content type {kind} is not known")
    return CONTENT_TYPES[kind]


EPOCH_AND_INDEXED = Struct(">QBI")
EPOCH_AND_NEW = Struct(">QB")
APPLICATION_TYPE = u8(ContentType.APPLICATION)


class FramedContent(NamedTuple):
    """Content with its group, epoch and sender."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    content: Content

    @property
    def type(self) -> ContentType:
        """The content's type."""
        if isinstance(self.content, bytes):
            return ContentType.APPLICATION
        return ContentType.COMMIT if isinstance(self.content, Commit) else ContentType.PROPOSAL

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        kind, number = self.sender
        if kind <= SenderType.EXTERNAL:
            sender = EPOCH_AND_INDEXED.pack(self.epoch, kind, number)
        else:
            sender = EPOCH_AND_NEW.pack(self.epoch, kind)
        head = opaque(self.group_id) + sender + opaque(self.authenticated_data)
        if isinstance(self.content, bytes):  # the usual case, written out
            return head + APPLICATION_TYPE + opaque(self.content)
        return head + u8(self.type) + encode_content(self.content)

    @classmethod
    def read(cls, reader: Reader) -> "FramedContent":
        """Read the structure."""
        head = reader.opaque(), reader.u64(), Sender.read(reader), reader.opaque()
        return cls(*head, read_content(read_content_type(reader), reader))


class AuthData(NamedTuple):
    """FramedContentAuthData: the signature, and a commit's confirmation tag."""

    signature: bytes
    confirmation_tag: bytes | None = None

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        if self.confirmation_tag is None:
            return opaque(self.signature)
        return opaque(self.signature) + opaque(self.confirmation_tag)


def read_auth(kind: ContentType, reader: Reader) -> AuthData:
    """Read what goes with content of a type."""
    signature = reader.opaque()
    return AuthData(signature, reader.opaque() if kind is ContentType.COMMIT else None)


class AuthenticatedContent(NamedTuple):
    """Signed content, whichever way it travels."""

    wire_format: WireFormat
    content: FramedContent
    auth: AuthData

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return u16(self.wire_format) + self.content.encode() + self.auth.encode()

    @classmethod
    def read(cls, reader: Reader) -> "AuthenticatedContent":
        """Read the structure, or raise DecodingError."""
        kind = reader.u16()
        if kind not in (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE):
            raise DecodingError(f"content does not travel in wire format {kind}")
        content = FramedContent.read(reader)
        return cls(WireFormat(kind), content, read_auth(content.type, reader))

    def to_be_signed(self, context: bytes) -> bytes:
        """Return FramedContentTBS in an encoded group context."""
        return to_be_signed(self.wire_format, self.content, context)

    def is_signed_by(self, suite: CipherSuite, key: bytes, context: bytes) -> bool:
        """Whether the signature is that of a key, in an encoded group context."""
        return suite.verify(key, LABEL, self.to_be_signed(context), self.auth.signature)

    def reference(self, suite: CipherSuite) -> bytes:
        """Return the ProposalRef (section 5.2)."""
        return suite.ref_hash(b"MLS 1.0 Proposal Reference", self.encode())


TBS_HEADS = {wire_format: u16(MLS10) + u16(wire_format) for wire_format in WireFormat}
KNOW_THE_CONTEXT = (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT)


def to_be_signed(wire_format: WireFormat, content: FramedContent, context: bytes) -> bytes:
    """Return FramedContentTBS; the context counts for those who know it."""
    head = TBS_HEADS[wire_format] + content.encode()
    return head + context if content.sender.type in KNOW_THE_CONTEXT else head


def signed(
    suite: CipherSuite,
    key: Ed25519PrivateKey,
    wire_format: WireFormat,
    content: FramedContent,
    context: bytes,
) -> AuthenticatedContent:
    """Return content with its signature; the confirmation tag of a commit comes later."""
    signature = suite.sign(key, LABEL, to_be_signed(wire_format, content, context))
    return AuthenticatedContent(wire_format, content, AuthData(signature))

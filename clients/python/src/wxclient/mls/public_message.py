"""Section 6.2: messages that are signed and not encrypted."""

from typing import NamedTuple

from .codec import Reader, opaque
from .errors import RuleBroken
from .framing import (
    AuthData,
    AuthenticatedContent,
    ContentType,
    FramedContent,
    SenderType,
    WireFormat,
    read_auth,
)
from .rules import Rule
from .suites import CipherSuite


class PublicMessage(NamedTuple):
    """Signed content, with a tag that only members can make."""

    content: FramedContent
    auth: AuthData
    membership_tag: bytes | None

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.content.encode() + self.auth.encode() + tag

    @classmethod
    def read(cls, reader: Reader) -> "PublicMessage":
        """Read the structure."""
        content = FramedContent.read(reader)
        auth = read_auth(content.type, reader)
        is_member = content.sender.type is SenderType.MEMBER
        return cls(content, auth, reader.opaque() if is_member else None)

    @property
    def authenticated(self) -> AuthenticatedContent:
        """What is signed."""
        return AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, self.content, self.auth)


def protect_public(
    suite: CipherSuite, membership_key: bytes, signed: AuthenticatedContent, context: bytes
) -> PublicMessage:
    """Return signed content as a PublicMessage, in an encoded group context."""
    tag = None
    if signed.content.sender.is_member:
        tag = suite.mac(membership_key, signed.to_be_signed(context) + signed.auth.encode())
    return PublicMessage(signed.content, signed.auth, tag)


def open_public(
    suite: CipherSuite, membership_key: bytes, message: PublicMessage, context: bytes
) -> AuthenticatedContent:
    """Return what a PublicMessage holds, its signature not judged yet.

    Raises:
        RuleBroken: it holds application data, or the membership tag does not fit.
    """
    if message.content.type is ContentType.APPLICATION:
        raise RuleBroken(Rule.FRAMING_APPLICATION_ENCRYPTED)
    signed = message.authenticated
    if message.membership_tag is not None:
        tagged = signed.to_be_signed(context) + signed.auth.encode()
        if not suite.mac_fits(membership_key, tagged, message.membership_tag):
            raise RuleBroken(Rule.FRAMING_MEMBERSHIP_TAG)
    return signed

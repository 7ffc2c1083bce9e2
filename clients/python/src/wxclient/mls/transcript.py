"""Section 8.2: transcript hashes."""

from .codec import opaque, u16
from .framing import AuthenticatedContent
from .suites import CipherSuite


def confirmed_transcript_hash(
    suite: CipherSuite, interim: bytes, commit: AuthenticatedContent
) -> bytes:
    """Return the hash that covers a commit, after the interim hash of the epoch before."""
    covered = u16(commit.wire_format) + commit.content.encode() + opaque(commit.auth.signature)
    return suite.hash(interim + covered)


def interim_transcript_hash(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """Return the hash that covers a commit's confirmation tag too."""
    return suite.hash(confirmed + opaque(confirmation_tag))

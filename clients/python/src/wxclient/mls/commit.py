"""Section 12.4: commits as they are written."""

from typing import NamedTuple

from .codec import Reader, opaque, optional, u8, vector
from .errors import DecodingError
from .proposals import Proposal, encode_proposal, read_proposal
from .treekem import UpdatePath

BY_VALUE = 1
BY_REFERENCE = 2


class ProposalOrRef(NamedTuple):
    """A proposal in the commit itself, or the reference of one that was sent before."""

    proposal: Proposal | None
    reference: bytes = b""

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        if self.proposal is None:
            return u8(BY_REFERENCE) + opaque(self.reference)
        return u8(BY_VALUE) + encode_proposal(self.proposal)

    @classmethod
    def read(cls, reader: Reader) -> "ProposalOrRef":
        """Read the structure, or raise DecodingError."""
        kind = reader.u8()
        if kind == BY_VALUE:
            return cls(read_proposal(reader))
        if kind == BY_REFERENCE:
            return cls(None, reader.opaque())
        raise DecodingError(f"proposal-or-reference type {kind} is not known")


class Commit(NamedTuple):
    """A list of proposals to apply, and new keys on the committer's path."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return vector(self.proposals) + optional(self.path)

    @classmethod
    def read(cls, reader: Reader) -> "Commit":
        """Read the structure."""
        return cls(reader.vector(ProposalOrRef.read), reader.optional(UpdatePath.read))

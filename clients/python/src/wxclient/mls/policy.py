"""Section 5.3.1: what the application says about credentials and who may join."""

from enum import Enum
from typing import Protocol

from .credentials import Credential
from .leaf_node import LeafNode


class Place(Enum):
    """Where a credential is presented."""

    MEMBER = "a leaf of the tree"
    EXTERNAL_SENDER = "the external_senders extension"


class CredentialPolicy(Protocol):
    """What the application decides; the authentication service of RFC 9750.

    A policy must answer alike at every member, or members part ways.
    """

    def accepts(self, credential: Credential, signature_key: bytes, place: Place) -> bool:
        """Whether the key belongs to whom the credential names."""
        ...

    def accepts_successor(self, old: LeafNode, new: LeafNode) -> bool:
        """Whether ``new`` may take the place of ``old`` (section 5.3.1)."""
        ...

    def client(self, leaf: LeafNode) -> bytes:
        """Return what tells clients apart; a group has each once at most (section 12.2)."""
        ...

    def accepts_external_join(self, joiner: LeafNode, members: tuple[LeafNode, ...]) -> bool:
        """Whether a client that nobody added may join by an external commit."""
        ...


class SameIdentity:
    """The built-in policy: names are trusted, and only an identity of the group may join alone.

    It checks no binding of keys to names. An application with a directory brings its own policy.
    """

    def accepts(self, credential: Credential, signature_key: bytes, place: Place) -> bool:
        """Accept every credential."""
        del credential, signature_key, place
        return True

    def accepts_successor(self, old: LeafNode, new: LeafNode) -> bool:
        """Accept the same credential."""
        return old.credential == new.credential

    def client(self, leaf: LeafNode) -> bytes:
        """Tell clients apart by their signature keys."""
        return leaf.signature_key

    def accepts_external_join(self, joiner: LeafNode, members: tuple[LeafNode, ...]) -> bool:
        """Accept a credential that a member has already: another device of it, or its return."""
        return any(member.credential == joiner.credential for member in members)

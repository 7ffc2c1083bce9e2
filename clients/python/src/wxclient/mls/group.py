"""The state of a group at one member, in one epoch.

A commit makes a new ``Group`` and leaves the old one as it is; within an epoch only ratchets move
and proposals are gathered.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .errors import StateError
from .extensions import Extensions, required_capabilities
from .framing import Sender
from .key_schedule import EpochSecrets, GroupContext
from .leaf_node import Identity
from .leaf_rules import Clock, LeafRules
from .limits import RESUMPTION_PSKS_MAX
from .policy import CredentialPolicy, SameIdentity
from .private_message import Encryption
from .proposals import Proposal, ReInit
from .psk import PskId, PskSource, no_psks
from .ratchet_tree import RatchetTree
from .secret_tree import SecretTree
from .suites import CipherSuite, Random
from .treekem import PrivateKeys


class Ports(NamedTuple):
    """What the engine is given from outside."""

    random: Random
    policy: CredentialPolicy = SameIdentity()
    clock: Clock | None = None
    """Without one, lifetimes are not looked at."""
    psks: PskSource = no_psks


class Epoch(NamedTuple):
    """What opening and writing messages needs; kept for a few epochs that are past."""

    suite: CipherSuite
    context: GroupContext
    encoded_context: bytes
    tree: RatchetTree
    leaf: int
    """Our own."""
    sender_data_secret: bytes
    membership_key: bytes
    encryption: Encryption
    """What private messages need, made of the sender data secret and the secret tree."""

    @property
    def secret_tree(self) -> SecretTree:
        """The secret tree."""
        return self.encryption.secret_tree

    @property
    def number(self) -> int:
        """The epoch's number."""
        return self.context.epoch


def encryption(suite: CipherSuite, sender_data_secret: bytes, tree: SecretTree) -> Encryption:
    """Return what private messages need of an epoch."""
    return Encryption(suite, suite.expander(sender_data_secret), tree)


class Resolved(NamedTuple):
    """A proposal with who made it, and its reference if it came in a message of its own."""

    proposal: Proposal
    sender: Sender
    reference: bytes = b""


class OwnUpdate(NamedTuple):
    """What we are once a commit takes our update proposal."""

    encryption_key: bytes
    """The private one."""
    identity: Identity


@dataclass(slots=True)
class Group:
    """A member's state of a group."""

    epoch: Epoch
    identity: Identity
    keys: PrivateKeys
    """Of nodes on our path."""
    secrets: EpochSecrets
    confirmation_tag: bytes
    interim_transcript_hash: bytes
    resumption_psks: dict[int, bytes]
    """By epoch; the oldest are given up."""
    proposals: dict[bytes, Resolved] = field(default_factory=dict)
    """Of this epoch, by reference."""
    own_updates: dict[bytes, OwnUpdate] = field(default_factory=dict)
    """Our own update proposals of this epoch, by encryption key."""
    reinit: ReInit | None = None
    """Set once the group was closed in favour of another."""
    is_member: bool = True
    """False after the commit that removed us."""
    signer: Ed25519PrivateKey = field(init=False, repr=False)
    """Our private signature key, made ready: that takes longer than a signature."""

    def __post_init__(self) -> None:
        self.signer = self.identity.signer

    @property
    def suite(self) -> CipherSuite:
        """The cipher suite."""
        return self.epoch.suite

    @property
    def context(self) -> GroupContext:
        """The group context."""
        return self.epoch.context

    @property
    def tree(self) -> RatchetTree:
        """The ratchet tree."""
        return self.epoch.tree

    @property
    def leaf(self) -> int:
        """Our leaf's number."""
        return self.epoch.leaf

    def expect_open(self) -> None:
        """Raise StateError if this group can do nothing any more."""
        if not self.is_member:
            raise StateError("we are not a member any more")
        if self.reinit is not None:
            raise StateError("the group was re-initialised")

    def resumption_psk(self, wanted: PskId, source: PskSource) -> bytes | None:
        """Return a pre-shared key: of this group's own past, or from the application."""
        if wanted.usage is not None and wanted.group_id == self.context.group_id:
            found = self.resumption_psks.get(wanted.epoch)
            if found is not None:
                return found
        return source(wanted)

    def remembered(self) -> dict[int, bytes]:
        """Return the resumption keys that the next epoch starts with."""
        newest = sorted(self.resumption_psks.items())[-(RESUMPTION_PSKS_MAX - 1) :]
        return dict(newest)


def leaf_rules(suite: CipherSuite, extensions: Extensions, ports: Ports) -> LeafRules:
    """Return what a leaf must be in a group with these context extensions."""
    required = required_capabilities(extensions)
    return LeafRules(suite, required, extensions, ports.policy, ports.clock)

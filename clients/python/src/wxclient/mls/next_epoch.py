"""Section 8: from a commit to the secrets and the state of the epoch that it starts."""

from collections.abc import Sequence
from typing import NamedTuple

from .errors import MissingPsk
from .group import Epoch, Group, Ports, encryption
from .key_schedule import (
    EpochSecrets,
    GroupContext,
    epoch_secret,
    epoch_secrets,
    joiner_secret,
)
from .leaf_node import Identity
from .psk import PskId, PskSource, psk_secret
from .ratchet_tree import RatchetTree
from .secret_tree import SecretTree
from .suites import CipherSuite
from .transcript import interim_transcript_hash
from .treekem import PrivateKeys


class Inputs(NamedTuple):
    """The three secrets that go into an epoch."""

    init_secret: bytes
    commit_secret: bytes
    psk_secret: bytes


class Derived(NamedTuple):
    """An epoch's context and secrets."""

    context: GroupContext
    joiner_secret: bytes
    psk_secret: bytes
    secrets: EpochSecrets

    def confirmation_tag(self, suite: CipherSuite) -> bytes:
        """Return the tag that proves the secrets and the transcript (section 8.1)."""
        return suite.mac(self.secrets.confirmation, self.context.confirmed_transcript_hash)


def derive(suite: CipherSuite, context: GroupContext, inputs: Inputs) -> Derived:
    """Run the key schedule for a context that a commit made."""
    encoded = context.encode()
    joiner = joiner_secret(suite, inputs.init_secret, inputs.commit_secret, encoded)
    return derive_from_joiner(suite, context, joiner, inputs.psk_secret)


def derive_from_joiner(
    suite: CipherSuite, context: GroupContext, joiner: bytes, psks: bytes
) -> Derived:
    """Run the key schedule from the joiner secret on."""
    secret = epoch_secret(suite, joiner, psks, context.encode())
    return Derived(context, joiner, psks, epoch_secrets(suite, secret))


def collect_psks(suite: CipherSuite, psks: Sequence[PskId], source: PskSource) -> bytes:
    """Return psk_secret, or raise MissingPsk if a key is not known."""
    found = []
    for psk in psks:
        key = source(psk)
        if key is None:
            raise MissingPsk(f"{psk}")
        found.append((psk, key))
    return psk_secret(suite, found)


def group_psks(group: Group, psks: Sequence[PskId], suite: CipherSuite, ports: Ports) -> bytes:
    """Return psk_secret with keys of a group's own past too, or raise ``MissingPsk``."""
    return collect_psks(suite, psks, lambda wanted: group.resumption_psk(wanted, ports.psks))


class Place(NamedTuple):
    """Where a member stands in the new epoch, and what it holds there."""

    tree: RatchetTree
    leaf: int
    identity: Identity
    keys: PrivateKeys


def start(derived: Derived, place: Place, tag: bytes, remembered: dict[int, bytes]) -> Group:
    """Return the state of the new epoch."""
    tree, suite = place.tree, place.tree.suite
    context, secrets = derived.context, derived.secrets
    secret_tree = SecretTree(suite, secrets.encryption, tree.leaf_count)
    epoch = Epoch(
        suite,
        context,
        context.encode(),
        tree,
        place.leaf,
        secrets.sender_data,
        secrets.membership,
        encryption(suite, secrets.sender_data, secret_tree),
    )
    width = 2 * tree.leaf_count - 1
    held = {at: key for at, key in place.keys.items() if at < width and not tree.is_blank(at)}
    return Group(
        epoch,
        place.identity,
        held,
        secrets._replace(encryption=b""),
        tag,
        interim_transcript_hash(suite, context.confirmed_transcript_hash, tag),
        {**remembered, context.epoch: secrets.resumption},
    )

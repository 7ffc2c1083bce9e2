"""Section 11: creating a group, alone in its epoch 0."""

from .extensions import ANY_TIME, Extensions
from .group import Group, Ports, leaf_rules
from .key_schedule import GroupContext, epoch_secrets
from .leaf_node import Identity, Source
from .next_epoch import Derived, Place, start
from .proposal_list import check_context_extensions
from .ratchet_tree import RatchetTree
from .suites import MLS10, CipherSuite


def create_group(
    suite: CipherSuite, identity: Identity, group_id: bytes, extensions: Extensions, ports: Ports
) -> Group:
    """Return a group with its creator as the one member, or raise ``RuleBroken``."""
    keys = suite.derive_key_pair(ports.random(suite.hash_size))
    leaf = identity.leaf(keys.public, Source.KEY_PACKAGE, ANY_TIME).signed(suite, identity.signer)
    tree = RatchetTree(suite, [leaf])
    leaf_rules(suite, extensions, ports).check(leaf, None)
    check_context_extensions(tree, extensions)
    context = GroupContext(MLS10, suite.code, group_id, 0, tree.hash(), b"", extensions)
    secrets = epoch_secrets(suite, ports.random(suite.hash_size))
    derived = Derived(context, b"", b"", secrets)
    tag = suite.mac(secrets.confirmation, b"")
    return start(derived, Place(tree, 0, identity, {0: keys.private}), tag, {})

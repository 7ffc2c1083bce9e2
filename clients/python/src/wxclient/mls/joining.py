"""Section 12.4.3.1: joining by a Welcome."""

from collections.abc import Sequence

from .errors import MissingTree, NotForUs, RuleBroken
from .extensions import RATCHET_TREE, find
from .group import Group, Ports, leaf_rules
from .key_package import PrivateKeyPackage
from .key_schedule import welcome_secret
from .leaf_node import LeafNode
from .next_epoch import Place, collect_psks, derive_from_joiner, group_psks, start
from .psk import PskId, Usage
from .ratchet_tree import RatchetTree
from .rules import Rule
from .suites import CipherSuite, suite_of
from .tree_validation import check_tree
from .treekem import PrivateKeys, joiner_keys
from .welcome import (
    EncryptedGroupSecrets,
    GroupInfo,
    GroupSecrets,
    Welcome,
    open_group_info,
    open_group_secrets,
)


def join(
    welcome: Welcome,
    package: PrivateKeyPackage,
    ports: Ports,
    tree: bytes | None = None,
    parent: Group | None = None,
) -> Group:
    """Return the group that a Welcome leads into.

    Args:
        welcome: the Welcome.
        package: the key package that it was made for.
        ports: what the engine is given from outside.
        tree: the ratchet tree, if the Welcome has none.
        parent: the group that this one follows (sections 11.2 and 11.3).

    Raises:
        RuleBroken: the Welcome breaks a rule.
        CryptoError: it does not open.
        NotForUs: it is not for this key package.
        MissingPsk: a pre-shared key is not known.
        MissingTree: the tree is neither in it nor given.
    """
    suite = suite_of(welcome.cipher_suite)
    entry = _entry(welcome, package, suite)
    secrets = open_group_secrets(suite, package.init_key, welcome.encrypted_group_info, entry)
    successor = _successor_psk(secrets.psks)
    if parent is None:
        psks = collect_psks(suite, secrets.psks, ports.psks)
    else:
        psks = group_psks(parent, secrets.psks, suite, ports)
    key = welcome_secret(suite, secrets.joiner_secret, psks)
    info = open_group_info(suite, key, welcome.encrypted_group_info)
    ratchet_tree = checked_tree(suite, info, tree, ports)
    leaf = _own_leaf(ratchet_tree, package.public.leaf)
    if successor is not None:
        check_successor(info, ratchet_tree, successor, parent)
    keys = _keys(info, ratchet_tree, secrets, package, leaf)
    derived = derive_from_joiner(suite, info.context, secrets.joiner_secret, psks)
    confirmed = info.context.confirmed_transcript_hash
    if not suite.mac_fits(derived.secrets.confirmation, confirmed, info.confirmation_tag):
        raise RuleBroken(Rule.WELCOME_CONFIRMATION_TAG)
    place = Place(ratchet_tree, leaf, package.identity, keys)
    return start(derived, place, info.confirmation_tag, {})


def _entry(
    welcome: Welcome, package: PrivateKeyPackage, suite: CipherSuite
) -> EncryptedGroupSecrets:
    """Return the entry for a key package, or raise RuleBroken or NotForUs."""
    if package.public.cipher_suite != welcome.cipher_suite:
        raise RuleBroken(Rule.WELCOME_SUITE)
    reference = package.public.reference(suite)
    for entry in welcome.secrets:
        if entry.new_member == reference:
            return entry
    raise NotForUs("the Welcome names other key packages")


def _successor_psk(psks: Sequence[PskId]) -> PskId | None:
    """Return the key of the group that this one follows, or raise RuleBroken for two."""
    found = [psk for psk in psks if psk.usage in (Usage.REINIT, Usage.BRANCH)]
    if len(found) > 1:
        raise RuleBroken(Rule.WELCOME_PSKS)
    return found[0] if found else None


def checked_tree(
    suite: CipherSuite, info: GroupInfo, given: bytes | None, ports: Ports
) -> RatchetTree:
    """Return the tree of a GroupInfo, judged, and its signature too.

    Raises:
        MissingTree: it is neither in the GroupInfo nor given.
        RuleBroken: the tree, the signer or the cipher suite breaks a rule.
    """
    data = find(info.extensions, RATCHET_TREE) or given
    if data is None:
        raise MissingTree("the ratchet tree is neither in the GroupInfo nor given")
    if info.context.cipher_suite != suite.code:
        raise RuleBroken(Rule.WELCOME_SUITE, "of the GroupInfo")
    tree = RatchetTree.decode(suite, data)
    signer = tree.leaf(info.signer)
    if signer is None:
        raise RuleBroken(Rule.WELCOME_SIGNER, f"leaf {info.signer}")
    if not info.is_signed_by(suite, signer.signature_key):
        raise RuleBroken(Rule.WELCOME_GROUP_INFO_SIGNATURE)
    if tree.hash() != info.context.tree_hash:
        raise RuleBroken(Rule.TREE_HASH)
    rules = leaf_rules(suite, info.context.extensions, ports)._replace(clock=None)
    check_tree(tree, rules, info.context.group_id)
    return tree


def _own_leaf(tree: RatchetTree, own: LeafNode) -> int:
    """Return our leaf's number, or raise RuleBroken."""
    for number, leaf in tree.leaves():
        if leaf.encoded == own.encoded:
            return number
    raise RuleBroken(Rule.WELCOME_OWN_LEAF)


def _keys(
    info: GroupInfo,
    tree: RatchetTree,
    secrets: GroupSecrets,
    package: PrivateKeyPackage,
    leaf: int,
) -> PrivateKeys:
    """Return our private keys."""
    keys = {2 * leaf: package.encryption_key}
    if secrets.path_secret is not None:
        shared = secrets.path_secret.path_secret
        keys |= joiner_keys(tree, info.signer, leaf, shared)
    return keys


def check_successor(info: GroupInfo, tree: RatchetTree, psk: PskId, parent: Group | None) -> None:
    """Check that a group follows its parent (sections 11.2 and 11.3), or raise RuleBroken."""
    rule = Rule.REINIT_CONTINUES if psk.usage is Usage.REINIT else Rule.BRANCH_CONTINUES
    if parent is None or parent.context.group_id != psk.group_id:
        raise RuleBroken(rule, "the group that it follows is not given")
    if info.context.epoch != 1:
        raise RuleBroken(rule, f"epoch {info.context.epoch}")
    if psk.usage is Usage.REINIT:
        _check_reinit(info, parent)
        return
    if info.context.cipher_suite != parent.context.cipher_suite:
        raise RuleBroken(rule, "another cipher suite")
    if info.context.version != parent.context.version:
        raise RuleBroken(rule, "another version")
    known = {leaf.credential for _, leaf in parent.tree.leaves()}
    for number, leaf in tree.leaves():
        if leaf.credential not in known:
            raise RuleBroken(rule, f"leaf {number} is not of the main group")


def _check_reinit(info: GroupInfo, parent: Group) -> None:
    """Compare a new group with what its parent's last commit said, or raise RuleBroken."""
    said, context = parent.reinit, info.context
    if said is None:
        raise RuleBroken(Rule.REINIT_CONTINUES, "the parent goes on")
    new = context.group_id, context.version, context.cipher_suite, context.extensions
    if new != (said.group_id, said.version, said.cipher_suite, said.extensions):
        raise RuleBroken(Rule.REINIT_CONTINUES, "another id, version, suite or extensions")

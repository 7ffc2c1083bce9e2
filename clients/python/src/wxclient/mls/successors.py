"""Sections 11.2 and 11.3: the group that follows a re-initialised one, and subgroups."""

from collections.abc import Sequence

from .committing import Committed, Options, create_commit
from .creating import create_group
from .errors import StateError
from .extensions import Extensions
from .group import Group, Ports
from .key_package import KeyPackage
from .leaf_node import Identity
from .proposals import Add, PreSharedKey, Proposal
from .psk import PskId, Usage, resumption_psk
from .suites import suite_of


def reinitialise(
    parent: Group, identity: Identity, packages: Sequence[KeyPackage], ports: Ports
) -> Committed:
    """Return the group that a re-init announced, with its Welcome (section 11.2).

    Raises:
        StateError: the parent was not re-initialised.
    """
    said = parent.reinit
    if said is None:
        raise StateError("the group was not re-initialised")
    suite = suite_of(said.cipher_suite)
    group = create_group(suite, identity, said.group_id, said.extensions, ports)
    return _first_commit(parent, Usage.REINIT, group, packages, ports)


def branch(
    parent: Group,
    group_id: bytes,
    extensions: Extensions,
    packages: Sequence[KeyPackage],
    ports: Ports,
) -> Committed:
    """Return a subgroup of a group, with its Welcome (section 11.3)."""
    parent.expect_open()
    group = create_group(parent.suite, parent.identity, group_id, extensions, ports)
    return _first_commit(parent, Usage.BRANCH, group, packages, ports)


def _first_commit(
    parent: Group, usage: Usage, group: Group, packages: Sequence[KeyPackage], ports: Ports
) -> Committed:
    nonce = ports.random(group.suite.hash_size)
    psk = resumption_psk(usage, parent.context.group_id, parent.context.epoch, nonce)

    def source(wanted: PskId) -> bytes | None:
        return parent.resumption_psk(wanted, ports.psks)

    adds: list[Proposal] = [Add(package) for package in packages]
    proposals = [*adds, PreSharedKey(psk)]
    return create_commit(group, proposals, ports._replace(psks=source), Options())

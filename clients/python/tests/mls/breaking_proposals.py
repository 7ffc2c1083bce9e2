"""Breakers of sections 12.1 and 12.2: proposals and lists of them."""

from wxclient import mls
from wxclient.mls.commit import Commit, ProposalOrRef
from wxclient.mls.framing import Sender, SenderType
from wxclient.mls.psk import external_psk, resumption_psk

from .breaking import Attempt, breaks, sent
from .breaking_leaves import honest_update, placed
from .forging import commit_in, external, listing, public
from .scene import CUSTOM, DICE, PORTS, SUITE, client, deliver, group_of

Rule = mls.Rule
NONCE = bytes(32)


@breaks(Rule.REMOVE_MEMBER)
def removed_leaf_is_blank() -> Attempt:
    mallory, victim = group_of(2)
    return sent(victim, public(mallory, mls.Remove(5)))


@breaks(Rule.PSK_USAGE)
def branch_key_is_used_in_a_group_that_goes_on() -> Attempt:
    mallory, victim = group_of(2)
    psk = resumption_psk(mls.Usage.BRANCH, b"other", 1, NONCE)
    return sent(victim, public(mallory, mls.PreSharedKey(psk)))


@breaks(Rule.PSK_USAGE)
def reinit_key_is_used_in_a_group_that_goes_on() -> Attempt:
    mallory, victim = group_of(2)
    psk = resumption_psk(mls.Usage.REINIT, b"group", 1, NONCE)
    return sent(victim, public(mallory, mls.PreSharedKey(psk)))


@breaks(Rule.PSK_NONCE)
def nonce_is_too_short() -> Attempt:
    mallory, victim = group_of(2)
    return sent(victim, public(mallory, mls.PreSharedKey(external_psk(b"key", b"short"))))


@breaks(Rule.REINIT_VERSION)
def version_falls() -> Attempt:
    mallory, victim = group_of(2)
    return sent(victim, public(mallory, mls.ReInit(b"next", 0, 1, ())))


@breaks(Rule.CONTEXT_EXTENSIONS_SUPPORTED)
def extension_is_not_supported_by_members() -> Attempt:
    mallory, victim = group_of(2)
    proposal = mls.ContextExtensions((mls.Extension(CUSTOM, b""),))
    return sent(victim, public(mallory, proposal))


@breaks(Rule.CONTEXT_EXTENSIONS_SUPPORTED)
def capability_is_required_that_members_lack() -> Attempt:
    mallory, victim = group_of(2)
    required = mls.RequiredCapabilities(proposals=(CUSTOM,)).extension()
    return sent(victim, public(mallory, mls.ContextExtensions((required,))))


@breaks(Rule.EXTERNAL_SENDER_LISTED)
def external_sender_is_not_listed() -> Attempt:
    _, victim = group_of(2)
    outside = mls.Outside(SUITE, b"group", victim.epoch)
    keys = client("bot").identity.signature_key
    return sent(victim, mls.propose_from_outside(outside, 0, keys, mls.Remove(0)))


@breaks(Rule.EXTERNAL_SENDER_PROPOSAL)
def external_sender_proposes_an_external_init() -> Attempt:
    owner = client("bot").identity
    listed = mls.ExternalSender(owner.signature_key.public, owner.credential)
    _, victim = group_of(2, extensions=[mls.external_senders_extension([listed])])
    outside = mls.Outside(SUITE, b"group", victim.epoch)
    message = mls.propose_from_outside(outside, 0, owner.signature_key, mls.ExternalInit(bytes(32)))
    return sent(victim, message)


# Lists.


def committed(*proposals: mls.Proposal) -> Attempt:
    """Return the attempt to commit proposals in a group of three, by its first member."""
    mallory, _, victim = group_of(3)
    return sent(victim, public(mallory, listing(*proposals)))


@breaks(Rule.LIST_UPDATE_BY_COMMITTER)
def committer_updates_itself() -> Attempt:
    mallory, victim = group_of(2)
    update = mls.Update(placed(mallory, honest_update(mallory)))
    return sent(victim, public(mallory, listing(update)))


@breaks(Rule.LIST_REMOVES_COMMITTER)
def committer_removes_itself() -> Attempt:
    return committed(mls.Remove(0))


@breaks(Rule.LIST_LEAF_TWICE)
def leaf_is_removed_twice() -> Attempt:
    return committed(mls.Remove(1), mls.Remove(1))


@breaks(Rule.LIST_LEAF_TWICE)
def leaf_is_updated_and_removed() -> Attempt:
    mallory, honest, victim = group_of(3)
    proposal = honest.propose_update(encrypted=False)
    reference = deliver(proposal, [victim])[0]
    assert isinstance(reference, mls.Proposed)
    entries = ProposalOrRef(None, reference.reference), ProposalOrRef(mls.Remove(1))
    return sent(victim, public(mallory, Commit(entries, None)))


@breaks(Rule.LIST_ADD_TWICE)
def client_is_added_twice() -> Attempt:
    owner = client("twice")
    return committed(mls.Add(owner.package().public), mls.Add(owner.package().public))


@breaks(Rule.LIST_ADD_MEMBER)
def member_is_added() -> Attempt:
    mallory, victim = group_of(2)
    again = mls.new_key_package(SUITE, victim.group.identity, DICE).public
    return sent(victim, public(mallory, listing(mls.Add(again))))


@breaks(Rule.LIST_PSK_TWICE)
def key_is_mixed_in_twice() -> Attempt:
    psk = mls.PreSharedKey(external_psk(b"key", NONCE))
    return committed(psk, psk)


@breaks(Rule.LIST_CONTEXT_EXTENSIONS_TWICE)
def context_extensions_are_changed_twice() -> Attempt:
    return committed(mls.ContextExtensions(()), mls.ContextExtensions(()))


@breaks(Rule.LIST_REINIT_ALONE)
def reinit_comes_with_a_removal() -> Attempt:
    return committed(mls.ReInit(b"next", 1, 1, ()), mls.Remove(1))


@breaks(Rule.LIST_EXTERNAL_INIT)
def member_brings_an_external_init() -> Attempt:
    return committed(mls.ExternalInit(bytes(32)))


# External commits.


def joining(*extra: mls.Proposal, keep: bool = True) -> Attempt:
    """Return an external commit of a member's other device, with proposals that do not belong."""
    insider, victim = group_of(2)
    joiner = client("0").identity
    info = insider.group_info(with_tree=True)
    _, outgoing = mls.GroupCipher.join_externally(info, mls.ExternalJoin(joiner), PORTS)
    honest = commit_in(outgoing.message)
    entries = [*(honest.proposals if keep else ()), *[ProposalOrRef(one) for one in extra]]
    return sent(victim, external(insider, joiner, Commit(tuple(entries), honest.path)))


@breaks(Rule.EXTERNAL_COMMIT_ONE_INIT)
def external_commit_has_no_init() -> Attempt:
    return joining(keep=False)


@breaks(Rule.EXTERNAL_COMMIT_ONE_INIT)
def external_commit_has_two_inits() -> Attempt:
    return joining(mls.ExternalInit(bytes(32)))


@breaks(Rule.EXTERNAL_COMMIT_PROPOSALS)
def external_commit_adds_another() -> Attempt:
    return joining(mls.Add(client("friend").package().public))


@breaks(Rule.EXTERNAL_COMMIT_REMOVE)
def external_commit_removes_another_client() -> Attempt:
    return joining(mls.Remove(1))


@breaks(Rule.EXTERNAL_COMMIT_REMOVE)
def external_commit_removes_two() -> Attempt:
    return joining(mls.Remove(0), mls.Remove(1))


@breaks(Rule.EXTERNAL_COMMIT_BY_VALUE)
def external_commit_has_a_reference() -> Attempt:
    insider, victim = group_of(2)
    proposed = victim.process(insider.propose(mls.Remove(1)))
    assert isinstance(proposed, mls.Proposed)
    joiner = client("0").identity
    info = insider.group_info(with_tree=True)
    _, outgoing = mls.GroupCipher.join_externally(info, mls.ExternalJoin(joiner), PORTS)
    honest = commit_in(outgoing.message)
    entries = (*honest.proposals, ProposalOrRef(None, proposed.reference))
    return sent(victim, external(insider, joiner, Commit(entries, honest.path)))


@breaks(Rule.EXTERNAL_COMMIT_ACCEPTED)
def stranger_joins() -> Attempt:
    insider, victim = group_of(2)
    stranger = mls.ExternalJoin(client("stranger").identity)
    info = insider.group_info(with_tree=True)
    _, outgoing = mls.GroupCipher.join_externally(info, stranger, PORTS)
    return sent(victim, outgoing.message)


@breaks(Rule.COMMIT_PATH_REQUIRED)
def removal_has_no_path() -> Attempt:
    return committed(mls.Remove(1))


@breaks(Rule.COMMIT_PATH_REQUIRED)
def external_commit_has_no_path() -> Attempt:
    insider, victim = group_of(2)
    commit = listing(mls.ExternalInit(bytes(32)))
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    return sent(victim, public(insider, commit, sender))

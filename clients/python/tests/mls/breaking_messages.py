"""Breakers of section 6: framing."""

from typing import Any

from wxclient import mls
from wxclient.mls.framing import FramedContent, Sender, SenderType, WireFormat, member, signed
from wxclient.mls.private_message import protect_private

from .breaking import Attempt, breaks, sent
from .forging import content_of, listing, public
from .scene import DICE, client, group_of

Rule = mls.Rule


@breaks(Rule.FRAMING_SENDER_IS_MEMBER)
def sender_is_a_blank_leaf() -> Attempt:
    mallory, victim = group_of(2)
    return sent(victim, public(mallory, mls.Remove(1), member(7)))


@breaks(Rule.FRAMING_SENDER_MAY_SEND)
def external_sender_commits() -> Attempt:
    mallory, victim = group_of(2)
    return sent(victim, public(mallory, listing(), Sender(SenderType.EXTERNAL, 0)))


@breaks(Rule.FRAMING_SENDER_MAY_SEND)
def new_member_proposes_a_removal() -> Attempt:
    mallory, victim = group_of(2)
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    return sent(victim, public(mallory, mls.Remove(1), sender))


@breaks(Rule.FRAMING_SIGNATURE)
def signature_is_of_another_key() -> Attempt:
    mallory, victim = group_of(2)
    signer = client("stranger").identity.signer
    return sent(victim, public(mallory, mls.Remove(1), signer=signer))


@breaks(Rule.FRAMING_SIGNATURE)
def member_speaks_for_another() -> Attempt:
    mallory, _, victim = group_of(3)
    return sent(victim, public(mallory, mls.Remove(0), member(1)))


@breaks(Rule.FRAMING_APPLICATION_ENCRYPTED)
def application_data_is_public() -> Attempt:
    mallory, victim = group_of(2)
    return sent(victim, public(mallory, b"in the clear"))


@breaks(Rule.FRAMING_MEMBERSHIP_TAG)
def membership_tag_is_another() -> Attempt:
    mallory, victim = group_of(2)
    message = content_of(public(mallory, mls.Remove(1)))
    return sent(victim, mls.encode_message(message._replace(membership_tag=bytes(32))))


@breaks(Rule.FRAMING_PADDING)
def padding_is_not_zero() -> Attempt:
    mallory, victim = group_of(2)
    group = mallory.group
    content = FramedContent(mallory.group_id, mallory.epoch, member(0), b"", b"hello")
    context = group.epoch.encoded_context
    whole = signed(group.suite, group.signer, WireFormat.PRIVATE_MESSAGE, content, context)
    padding: Any = b"\0\1\0"  # bytes(b"...") is b"..."
    message = protect_private(group.epoch.encryption, whole, DICE, padding)
    return sent(victim, mls.encode_message(message))

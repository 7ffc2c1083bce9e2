"""Frames that administer conversations, members and devices. Source: docs/protocol.md."""

from typing import Annotated, NamedTuple

from .entry_frames import States
from .fields import U8, U16, U63, Bool, Bytes, Many
from .identifiers import AccountId
from .limits import (
    ACCOUNT_DEVICES_MAX,
    CREATE_BODY_BYTES_MAX,
    INVITE_ACCOUNTS_MAX,
    PAGE_MEMBERS_MAX,
)
from .named_fields import Account, Accounts, Conversation, Device, Name, Op
from .schema import Record


class Create(NamedTuple):
    """Create a direct conversation or a group. Answer: ACCEPTED with its first entry.

    Attributes:
        op: names the operation.
        kind: 1 direct, 2 group.
        members: direct: the other account alone; group: accounts to invite.
        body: opaque, becomes part of the first entry, such as the group's title.
    """

    op: Op
    kind: U8
    members: Accounts
    body: Annotated[bytes, Bytes(0, CREATE_BODY_BYTES_MAX)]


class Invite(NamedTuple):
    """Invite accounts into a group. Answer: ACCEPTED.

    Attributes:
        op: names the operation.
        conversation: the group.
        accounts: whom to invite.
    """

    op: Op
    conversation: Conversation
    accounts: Annotated[tuple[AccountId, ...], Many(Bytes(16, 16), 1, INVITE_ACCOUNTS_MAX)]


class Accept(NamedTuple):
    """Join a group one was invited to. Answer: ACCEPTED.

    Attributes:
        op: names the operation.
        conversation: the group.
    """

    op: Op
    conversation: Conversation


class Leave(NamedTuple):
    """Leave a group, or decline an invitation. Answer: ACCEPTED.

    Attributes:
        op: names the operation.
        conversation: the group.
    """

    op: Op
    conversation: Conversation


class Remove(NamedTuple):
    """Remove a member or an invited account from a group. Answer: ACCEPTED.

    Attributes:
        op: names the operation.
        conversation: the group.
        account: whom to remove.
    """

    op: Op
    conversation: Conversation
    account: Account


class SetRole(NamedTuple):
    """Give a member a role. Answer: ACCEPTED.

    Attributes:
        op: names the operation.
        conversation: the group.
        account: a joined member.
        role: 1 member, 2 administrator, 3 owner.
    """

    op: Op
    conversation: Conversation
    account: Account
    role: U8


class Close(NamedTuple):
    """Close a group for writing, for ever. Answer: ACCEPTED.

    Attributes:
        op: names the operation.
        conversation: the group.
    """

    op: Op
    conversation: Conversation


class Redact(NamedTuple):
    """Delete the content of an entry for everybody. Answer: ACCEPTED.

    Attributes:
        op: names the operation.
        conversation: which one.
        seq: the entry whose content goes.
    """

    op: Op
    conversation: Conversation
    seq: U63


class ListConversations(NamedTuple):
    """List one's conversations in the order of their ids, after `after`. Answer: CONVERSATIONS.

    Attributes:
        after: last id of the page before; empty for the first page.
        limit: how many at most, 1 … 256.
    """

    after: Annotated[bytes, Bytes(0, 16)]
    limit: U16


class Conversations(NamedTuple):
    """A page of conversations.

    Attributes:
        conversations: in the order of their ids.
        more: whether there are further ones.
    """

    conversations: States
    more: Bool


class Members(NamedTuple):
    """List the members of a conversation after account `after`. Answer: MEMBER_LIST.

    Attributes:
        conversation: which one.
        after: last account of the page before; empty for the first page.
        limit: how many at most, 1 … 256.
    """

    conversation: Conversation
    after: Annotated[bytes, Bytes(0, 16)]
    limit: U16


class Member(NamedTuple):
    """One member: an element of MEMBER_LIST.

    Attributes:
        account: its id.
        role: 1 member, 2 administrator, 3 owner.
        state: 1 invited, 2 joined.
        name: as given at enrolment.
    """

    account: Account
    role: U8
    state: U8
    name: Name


class MemberList(NamedTuple):
    """A page of members.

    Attributes:
        members: in the order of their accounts.
        more: whether there are further ones.
    """

    members: Annotated[
        tuple[Member, ...],
        Many(Record(Member), 0, PAGE_MEMBERS_MAX),
    ]
    more: Bool


class ListDevices(NamedTuple):
    """List the devices of one's own account. Answer: DEVICES."""


class DeviceState(NamedTuple):
    """One device: an element of DEVICES.

    Attributes:
        device: its id.
        name: as given at enrolment or by RENAME_DEVICE.
        created_ms: when it was enrolled.
        seen_ms: about when it last logged in.
        state: 1 active, 2 revoked.
    """

    device: Device
    name: Name
    created_ms: U63
    seen_ms: U63
    state: U8


class Devices(NamedTuple):
    """The devices of one's own account.

    Attributes:
        devices: oldest first.
    """

    devices: Annotated[
        tuple[DeviceState, ...],
        Many(Record(DeviceState), 0, ACCOUNT_DEVICES_MAX),
    ]


class RenameDevice(NamedTuple):
    """Rename a device of one's own account. Answer: DONE.

    Attributes:
        device: which one.
        name: the new name.
    """

    device: Device
    name: Name


class RevokeDevice(NamedTuple):
    """Remove a device of one's own account for ever; its session ends. Answer: DONE.

    Attributes:
        device: which one.
    """

    device: Device


class LinkDevice(NamedTuple):
    """Ask for a code with which one more device can join one's own account. Answer: LINK_CODE."""


class LinkCode(NamedTuple):
    """An invite code for the caller's account.

    Attributes:
        code: an invite code, see "Invites".
        expires_ms: when it ends.
    """

    code: Annotated[bytes, Bytes(1, 128)]
    expires_ms: U63

"""Units of work on accounts and devices: enrol, log in, list, rename, revoke."""

from typing import NamedTuple

from wxserve.protocol.envelope import ConversationKind, Kind
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import DeviceState
from wxserve.protocol.identifiers import (
    AccountId,
    DeviceId,
    device_conversation,
    notice_conversation,
    self_conversation,
)

from .limits import StoreLimits
from .state import OPEN, Device, Member, MemberState, Role
from .transaction import Transaction


class Newcomer(NamedTuple):
    """A device that enrols, its invite already checked.

    Attributes:
        invite: the invite's id, used once.
        expires_ms: until when its use must be remembered.
        account: which account to join, None for a new one.
        new_account: the id a new account gets.
        new_device: the id the device gets.
        public_key: Ed25519, 32 bytes.
        account_name: of a new account.
        device_name: of the device.
    """

    invite: bytes
    expires_ms: int
    account: AccountId | None
    new_account: AccountId
    new_device: DeviceId
    public_key: bytes
    account_name: str
    device_name: str


def enrol(tx: Transaction, newcomer: Newcomer, limits: StoreLimits) -> Device:
    """Register a device by an invite; the same key and invite again get the same device.

    Raises:
        Refusal: INVITE_USED, AUTH_FAILED (the key is another device's), LIMIT_REACHED.
    """
    used = tx.sql.execute(
        "SELECT public_key, device FROM invite_use WHERE invite = ?", (newcomer.invite,)
    ).fetchone()
    if used is not None:
        if used[0] != newcomer.public_key:
            raise Refusal(ErrorCode.INVITE_USED)
        return log_in(tx, DeviceId(used[1]))
    taken = tx.sql.execute(
        "SELECT 1 FROM device WHERE public_key = ?", (newcomer.public_key,)
    ).fetchone()
    if taken is not None:
        raise Refusal(ErrorCode.AUTH_FAILED)
    account = newcomer.account or _create_account(tx, newcomer)
    if newcomer.account is not None:
        _check_room(tx, account, limits)
    return _create_device(tx, newcomer, account)


def _create_account(tx: Transaction, newcomer: Newcomer) -> AccountId:
    account = newcomer.new_account
    tx.sql.execute(
        "INSERT INTO account VALUES (?, ?, ?)", (account, newcomer.account_name, tx.now_ms)
    )
    owner = {account: Member(Role.OWNER, MemberState.JOINED, ((1, OPEN),), tx.next_position)}
    tx.create_conversation(self_conversation(account), ConversationKind.SELF, owner)
    tx.create_conversation(notice_conversation(account), ConversationKind.NOTICE, owner)
    return account


def _check_room(tx: Transaction, account: AccountId, limits: StoreLimits) -> None:
    exists = tx.sql.execute("SELECT 1 FROM account WHERE account = ?", (account,)).fetchone()
    if exists is None:
        raise Refusal(ErrorCode.INVITE_INVALID)
    (count,) = tx.sql.execute(
        "SELECT count(*) FROM device WHERE account = ? AND revoked_ms = 0", (account,)
    ).fetchone()
    if count >= limits.devices_per_account_max:
        raise Refusal(ErrorCode.LIMIT_REACHED)


def _create_device(tx: Transaction, newcomer: Newcomer, account: AccountId) -> Device:
    device, first_position = newcomer.new_device, tx.next_position
    tx.sql.execute(
        "INSERT INTO device (device, account, public_key, name, created_ms, seen_ms, awake_ms, "
        "first_position) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            device, account, newcomer.public_key, newcomer.device_name,
            tx.now_ms, tx.now_ms, tx.running_ms, first_position,
        ),
    )  # fmt: skip
    tx.sql.execute(
        "INSERT INTO invite_use VALUES (?, ?, ?, ?)",
        (newcomer.invite, newcomer.public_key, device, newcomer.expires_ms),
    )
    member = Member(Role.OWNER, MemberState.JOINED, ((1, OPEN),), first_position)
    tx.create_conversation(device_conversation(device), ConversationKind.DEVICE, {account: member})
    _notify(tx, account, ("device-added", device))
    state = tx.device(device)
    if state is None:
        raise Refusal(ErrorCode.INTERNAL)
    return state


def log_in(tx: Transaction, device: DeviceId) -> Device:
    """Return a device that may log in.

    Raises:
        Refusal: AUTH_FAILED, DEVICE_REVOKED.
    """
    state = tx.device(device)
    if state is None:
        raise Refusal(ErrorCode.AUTH_FAILED)
    if state.revoked:
        raise Refusal(ErrorCode.DEVICE_REVOKED)
    return state


def list_devices(tx: Transaction, account: AccountId) -> tuple[DeviceState, ...]:
    """Return the devices of an account, oldest first."""
    return tuple(
        DeviceState(device, name, created_ms, seen_ms, 2 if revoked_ms else 1)
        for device, name, created_ms, seen_ms, revoked_ms in tx.sql.execute(
            "SELECT device, name, created_ms, seen_ms, revoked_ms FROM device "
            "WHERE account = ? ORDER BY created_ms DESC, device LIMIT 256",
            (account,),
        )
    )[::-1]


def rename_device(tx: Transaction, account: AccountId, device: DeviceId, name: str) -> None:
    """Rename a device of the account.

    Raises:
        Refusal: FORBIDDEN.
    """
    _own(tx, account, device)
    tx.sql.execute("UPDATE device SET name = ? WHERE device = ?", (name, device))


def revoke_device(tx: Transaction, account: AccountId, device: DeviceId) -> None:
    """Remove a device of the account for ever; doing it again changes nothing.

    Raises:
        Refusal: FORBIDDEN.
    """
    if _own(tx, account, device).revoked:
        return
    tx.sql.execute("UPDATE device SET revoked_ms = ? WHERE device = ?", (tx.now_ms, device))
    tx.forget_device(device)
    _notify(tx, account, ("device-revoked", device))


def _own(tx: Transaction, account: AccountId, device: DeviceId) -> Device:
    state = tx.device(device)
    if state is None or state.account != account:
        raise Refusal(ErrorCode.FORBIDDEN)
    return state


def _notify(tx: Transaction, account: AccountId, body: tuple[object, ...]) -> None:
    notice = tx.conversation(notice_conversation(account))
    if notice is not None:
        tx.append_server(notice, Kind.NOTICE, body)

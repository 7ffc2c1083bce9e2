"""Units of work on registers: the last value per (conversation, account, key)."""

from typing import Final

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Register, SetRegister
from wxserve.protocol.identifiers import AccountId

from .limits import StoreLimits
from .state import MemberState
from .transaction import Transaction

_SELECT: Final = "SELECT version, value, position FROM register WHERE account = ? AND conversation = ? AND key = ?"


def set_register(
    tx: Transaction, account: AccountId, wanted: SetRegister, limits: StoreLimits
) -> Register:
    """Write a register if its version is newer; return what is stored afterwards.

    Raises:
        Refusal: FORBIDDEN, LIMIT_REACHED.
    """
    state = tx.conversation(wanted.conversation)
    member = state.members.get(account) if state is not None else None
    if member is None or (member.state == MemberState.GONE and not member.intervals):
        raise Refusal(ErrorCode.FORBIDDEN)
    if wanted.version >= 1 << 63:
        raise Refusal(ErrorCode.LIMIT_REACHED)
    place = (account, wanted.conversation, wanted.key)
    stored = tx.sql.execute(_SELECT, place).fetchone()
    if stored is not None and wanted.version <= stored[0]:
        return Register(wanted.conversation, wanted.key, *stored)
    if stored is None:
        _check_count(tx, account, wanted, limits)
    position = tx.touch(account)
    tx.sql.execute(
        "INSERT OR REPLACE INTO register VALUES (?, ?, ?, ?, ?, ?)",
        (*place, wanted.version, wanted.value, position),
    )
    return Register(wanted.conversation, wanted.key, wanted.version, wanted.value, position)


def _check_count(
    tx: Transaction, account: AccountId, wanted: SetRegister, limits: StoreLimits
) -> None:
    (count,) = tx.sql.execute(
        "SELECT count(*) FROM register WHERE account = ? AND conversation = ?",
        (account, wanted.conversation),
    ).fetchone()
    if count >= limits.registers_per_conversation_max:
        raise Refusal(ErrorCode.LIMIT_REACHED)

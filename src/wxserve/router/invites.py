"""Invite codes that prove themselves: issuing one writes nothing anywhere."""

import hmac
from hashlib import sha256
from typing import Final, NamedTuple

from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import ACCOUNT_BYTES, AccountId
from wxserve.store.ports import Clock, Entropy

CODE_VERSION: Final = 1
ID_BYTES: Final = 12
MAC_BYTES: Final = 16
CODE_BYTES: Final = 1 + ID_BYTES + 4 + ACCOUNT_BYTES + MAC_BYTES
NEW_ACCOUNT: Final = bytes(ACCOUNT_BYTES)
"""Stands in a code for "a new account"."""


class Invitation(NamedTuple):
    """What a genuine code says.

    Attributes:
        id: under which its use is remembered.
        expires_ms: when it ends.
        account: the account to join; None for a new one.
    """

    id: bytes
    expires_ms: int
    account: AccountId | None


class InviteAuthority:
    """Issues and checks codes: version, random id, expiry, account, MAC under a secret key."""

    def __init__(self, secret: bytes, clock: Clock, entropy: Entropy) -> None:
        self._secret = secret
        self._clock = clock
        self._entropy = entropy

    def issue(self, valid_s: int, account: AccountId | None = None) -> bytes:
        """Return a new one-time code.

        Args:
            valid_s: for how many seconds.
            account: whose further device it enrols; None for a new account.
        """
        expires_s = self._clock.now_ms() // 1000 + valid_s
        content = (
            bytes([CODE_VERSION])
            + self._entropy(ID_BYTES)
            + expires_s.to_bytes(4, "big")
            + (account or NEW_ACCOUNT)
        )
        return content + self._mac(content)

    def check(self, code: bytes) -> Invitation:
        """Read a code.

        Raises:
            Refusal: INVITE_INVALID, INVITE_EXPIRED. Whether it was used is the store's to say.
        """
        content, mac = code[:-MAC_BYTES], code[-MAC_BYTES:]
        if len(code) != CODE_BYTES or not hmac.compare_digest(mac, self._mac(content)):
            raise Refusal(ErrorCode.INVITE_INVALID)
        if content[0] != CODE_VERSION:
            raise Refusal(ErrorCode.INVITE_INVALID)
        expires_ms = int.from_bytes(content[1 + ID_BYTES : 5 + ID_BYTES], "big") * 1000
        if expires_ms <= self._clock.now_ms():
            raise Refusal(ErrorCode.INVITE_EXPIRED)
        account = content[5 + ID_BYTES :]
        return Invitation(
            content[1 : 1 + ID_BYTES],
            expires_ms,
            None if account == NEW_ACCOUNT else AccountId(account),
        )

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, b"wxserve invite v1" + content, sha256)[:MAC_BYTES]

"""Addresses: account ids as text that people can read out, type and copy.

``wx-`` and 28 characters in groups of four: 128 bits of account id and 12 bits of check, five bits
a character, in the alphabet of Crockford's Base32 (no i, l, o, u). Of the mistakes in typing, 4,095
of 4,096 are found. Case, hyphens and spaces do not matter; o is read as 0, i and l as 1.
Source: https://www.crockford.com/base32.html.
"""

from hashlib import sha256
from typing import Final

from wxclient import AccountId

PREFIX: Final = "wx-"
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {char: value for value, char in enumerate(_ALPHABET)} | {"o": 0, "i": 1, "l": 1}
_CHARS: Final = 28
_GROUP: Final = 4
_CHECK_BITS: Final = 12
_HEX_DIGITS: Final = 32


def format_address(account: AccountId) -> str:
    """Return the address of an account."""
    number = int.from_bytes(account, "big") << _CHECK_BITS | _check(account)
    chars = [_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARS))]
    groups = ("".join(chars[at : at + _GROUP]) for at in range(0, _CHARS, _GROUP))
    return PREFIX + "-".join(groups)


def short_address(account: AccountId) -> str:
    """Return the beginning of an address, for people whose name is not known."""
    return format_address(account)[: len(PREFIX) + _GROUP] + "…"


def parse_address(text: str) -> AccountId:
    """Return the account that an address names.

    Args:
        text: an address, or an account id in 32 hexadecimal digits, as the server's tools show it.

    Raises:
        ValueError: what is wrong with it, for a person.
    """
    plain = text.strip().lower()
    if len(plain) == _HEX_DIGITS and all(char in "0123456789abcdef" for char in plain):
        return AccountId(bytes.fromhex(plain))
    if not plain.startswith(PREFIX):
        raise ValueError(f"an address begins with {PREFIX}")
    chars = plain.removeprefix(PREFIX).replace("-", "").replace(" ", "")
    if len(chars) != _CHARS:
        raise ValueError(
            f"an address has {_CHARS} characters after {PREFIX}, this one {len(chars)}"
        )
    number = 0
    for char in chars:
        if char not in _VALUES:
            raise ValueError(f"an address has no {char!r}")
        number = number << 5 | _VALUES[char]
    account = AccountId((number >> _CHECK_BITS).to_bytes(16, "big"))
    if number & (1 << _CHECK_BITS) - 1 != _check(account):
        raise ValueError("the address is mistyped: its check does not fit")
    return account


def is_address(text: str) -> bool:
    """Whether a text is an address without mistakes."""
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def _check(account: AccountId) -> int:
    digest = sha256(b"wxserve address v1" + account).digest()
    return int.from_bytes(digest[:2], "big") >> 16 - _CHECK_BITS

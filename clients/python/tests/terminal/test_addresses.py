"""Addresses: readable, and mistakes are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxclient import AccountId
from wxclient.terminal.addresses import format_address, is_address, parse_address, short_address

ACCOUNTS = st.binary(min_size=16, max_size=16).map(AccountId)
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@given(ACCOUNTS)
def test_address_read_back_is_the_account(account: AccountId) -> None:
    address = format_address(account)
    assert parse_address(address) == account
    assert parse_address(f"  {address.upper()} ") == account
    assert parse_address(address.replace("-", "").replace("wx", "wx-")) == account
    assert parse_address(account.hex()) == account
    assert address.startswith(short_address(account).rstrip("…"))


@given(ACCOUNTS, st.integers(0, 27), st.sampled_from(ALPHABET))
def test_address_with_one_wrong_character_is_another_or_refused(
    account: AccountId, at: int, char: str
) -> None:
    """Every change of the check itself is found; elsewhere one in 4,096 is not."""
    address = format_address(account)
    place = [index for index, one in enumerate(address) if index > 2 and one != "-"][at]
    wrong = address[:place] + char + address[place + 1 :]
    if is_address(wrong):
        assert (parse_address(wrong) == account) == (wrong == address)


def test_address_characters_that_look_alike_mean_the_same() -> None:
    address = format_address(AccountId(bytes(16)))
    assert parse_address(address.replace("0", "O")) == bytes(16)
    one = next(
        account
        for account in (AccountId(bytes([number]) * 16) for number in range(256))
        if "1" in format_address(account)
    )
    for alike in ("i", "l", "I", "L"):
        assert parse_address(format_address(one).replace("1", alike)) == one


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "begins with wx-"),
        ("somebody", "begins with wx-"),
        ("wx-0000", "28 characters after wx-, this one 4"),
        ("wx-0000-0000-0000-0000-0000-0000-000u", "no 'u'"),
        ("wx-0000-0000-0000-0000-0000-0000-0000", "mistyped"),
    ],
)
def test_address_that_is_none_is_explained(text: str, complaint: str) -> None:
    assert not is_address(text)
    with pytest.raises(ValueError, match=complaint):
        parse_address(text)

import pytest

from wxserve.transport.addresses import AddressBook, network_keys
from wxserve.transport.limits import TransportLimits


@pytest.mark.parametrize(
    ("one", "other", "same_address", "same_network"),
    [
        ("192.0.2.1", "192.0.2.1", True, True),
        ("192.0.2.1", "192.0.2.2", False, True),
        ("192.0.2.1", "192.0.3.1", False, False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True, True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False, True),
        ("2001:db8:1:2::1", "2001:db8:1:102::1", False, False),
        ("::ffff:192.0.2.1", "192.0.2.1", True, True),
        ("fe80::1%eth0", "fe80::1%eth1", True, True),
        # Four bytes of an IPv6 address are not an IPv4 address.
        ("c000:201::", "192.0.2.1", False, False),
    ],
)
def test_network_keys_group_addresses_by_customer(
    one: str, other: str, same_address: bool, same_network: bool
) -> None:
    ours, theirs = network_keys(one), network_keys(other)
    assert (ours[0] == theirs[0], ours[1] == theirs[1]) == (same_address, same_network)


def test_rate_of_an_address_allows_a_burst_then_the_rate() -> None:
    book = AddressBook(TransportLimits(accepts_per_s=2, accepts_burst=5))
    assert [book.admit("192.0.2.1", 100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert book.admit("192.0.2.2", 100.0)
    assert not book.admit("192.0.2.1", 100.4)
    assert book.admit("192.0.2.1", 100.5)
    assert not book.admit("192.0.2.1", 100.5)
    assert [book.admit("192.0.2.1", 200.0) for _ in range(6)] == [True] * 5 + [False]


def test_rate_survives_a_sweep_until_the_allowance_is_full_again() -> None:
    book = AddressBook(TransportLimits(accepts_per_s=1, accepts_burst=2))
    assert [book.admit("192.0.2.1", 0.0) for _ in range(3)] == [True, True, False]
    book.sweep(0.5)
    assert not book.admit("192.0.2.1", 0.5)
    book.sweep(2.0)
    assert book.remembered == 0


def test_rates_of_more_addresses_than_are_remembered_share_one_allowance() -> None:
    book = AddressBook(TransportLimits(addresses_max=2, accepts_per_s=1, accepts_burst=1))
    assert book.admit("192.0.2.1", 0.0)
    assert book.admit("192.0.2.2", 0.0)
    assert book.admit("192.0.2.3", 0.0)
    assert not book.admit("192.0.2.4", 0.0)
    assert book.remembered == 3


def test_handshakes_of_address_and_network_are_counted_and_released() -> None:
    limits = TransportLimits(handshakes_per_address_max=2, handshakes_per_network_max=3)
    book = AddressBook(limits)
    assert [book.begin_handshake("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert book.begin_handshake("192.0.2.2")
    assert not book.begin_handshake("192.0.2.3")
    assert book.begin_handshake("198.51.100.1")
    book.end_handshake("192.0.2.1")
    assert book.begin_handshake("192.0.2.3")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1"):
        book.end_handshake(address)
    assert book.remembered == 0

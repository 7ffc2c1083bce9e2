"""How much one address may ask of us before it has logged in."""

import socket

from .limits import TransportLimits

_MAPPED = bytes(10) + b"\xff\xff"
_OVERFLOW = b""


def network_keys(address: str) -> tuple[bytes, bytes]:
    """Return the keys of an address and of its network: /32 and /24, or /64 and /56.

    One IPv6 customer commonly has a whole /56 to choose addresses from. An IPv4 address in IPv6
    notation counts as IPv4.
    """
    if ":" not in address:
        packed = socket.inet_pton(socket.AF_INET, address)
        return packed, packed[:3]
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if packed.startswith(_MAPPED):
        return packed[12:], packed[12:15]
    return packed[:8], packed[:7]


class AddressBook:
    """Counts unfinished handshakes and the rate of new sockets, per address and network."""

    __slots__ = ("_free_at", "_handshakes", "_limits")

    def __init__(self, limits: TransportLimits) -> None:
        self._limits = limits
        self._handshakes: dict[bytes, int] = {}
        self._free_at: dict[bytes, float] = {}

    def admit(self, address: str, now: float) -> bool:
        """Take one new socket from the allowance of its address.

        The bucket is one number, the time at which it is full again.
        Source: generic cell rate algorithm, ITU-T I.371, in its virtual scheduling form.

        Args:
            address: of the peer.
            now: monotonic seconds.

        Returns:
            False if the address opens sockets too fast.
        """
        key = network_keys(address)[0]
        if key not in self._free_at and len(self._free_at) >= self._limits.addresses_max:
            key = _OVERFLOW
        full_at = max(now, self._free_at.get(key, now))
        rate = self._limits.accepts_per_s
        if full_at - now > (self._limits.accepts_burst - 1) / rate:
            return False
        self._free_at[key] = full_at + 1 / rate
        return True

    def begin_handshake(self, address: str) -> bool:
        """Count an unfinished handshake of an address.

        Returns:
            False if the address or its network has too many; then nothing is counted.
        """
        one, network = network_keys(address)
        counts = self._handshakes
        if (
            counts.get(one, 0) >= self._limits.handshakes_per_address_max
            or counts.get(network, 0) >= self._limits.handshakes_per_network_max
        ):
            return False
        for key in (one, network):
            counts[key] = counts.get(key, 0) + 1
        return True

    def end_handshake(self, address: str) -> None:
        """Count a handshake as finished, well or badly."""
        for key in network_keys(address):
            left = self._handshakes[key] - 1
            if left:
                self._handshakes[key] = left
            else:
                del self._handshakes[key]

    def sweep(self, now: float) -> None:
        """Forget the addresses whose allowance is full again."""
        for key in [key for key, full_at in self._free_at.items() if full_at <= now]:
            del self._free_at[key]

    @property
    def remembered(self) -> int:
        """How many addresses take up memory."""
        return len(self._free_at) + len(self._handshakes)

"""Who takes part in a run against a peer: whoever it is, it has an account already."""

import os

from bench.plan import Device

GROUP_SIZE = 50


def newcomer() -> Device:
    """Return a device. Peers know it by its number in the plan, so all else is made up."""
    return Device(os.urandom(16), os.urandom(8), bytes(32))


class PeerCast:
    """Devices and conversations without anything to enrol or create. See ``bench.cast.Cast``."""

    def pairs(self, count: int, active: int) -> list[tuple[Device, Device, tuple[bytes, ...]]]:
        """Return pairs with one conversation each.

        Raises:
            ValueError: more conversations than pairs are asked for.
        """
        if active > count:
            raise ValueError("pairs of a peer have one conversation each")
        return [(newcomer(), newcomer(), (os.urandom(16),)) for _ in range(count)]

    def group(self, size: int) -> tuple[list[Device], bytes]:
        """Return a group of so many devices."""
        return self.crowd(size), os.urandom(16)

    def groups(self, devices: int) -> list[tuple[list[Device], bytes]]:
        """Return groups with so many devices in all, or a few less."""
        size = min(GROUP_SIZE, devices)
        return [self.group(size) for _ in range(max(1, devices // size))]

    def crowd(self, count: int) -> list[Device]:
        """Return so many devices."""
        return [newcomer() for _ in range(count)]

"""Who takes part: from a prefilled town, or enrolled over the wire for this run."""

import os
from typing import Protocol

from bench import enrol, town
from bench.plan import Device
from bench.server import Server


class Cast(Protocol):
    """Where a scenario gets its devices and conversations from. Devices are never given twice."""

    def pairs(self, count: int, active: int) -> list[tuple[Device, Device, tuple[bytes, ...]]]:
        """Return pairs of devices, each with conversations they share, ``active`` in all."""
        ...

    def group(self, size: int) -> tuple[list[Device], bytes]:
        """Return a group of so many devices."""
        ...

    def groups(self, devices: int) -> list[tuple[list[Device], bytes]]:
        """Return groups with so many devices in all, or a few less."""
        ...

    def crowd(self, count: int) -> list[Device]:
        """Return devices that are in as many conversations as the store offers."""
        ...


class TownCast:
    """People of a prefilled town."""

    def __init__(self, server: Server, people: town.Town, position: int) -> None:
        self._server = server
        self._town = people
        self._position = position

    def _device(self, number: int) -> Device:
        if not 0 <= number < self._town.accounts:
            raise ValueError(f"the prefilled store has only {self._town.accounts} accounts")
        return town.device(number, self._position)

    def pairs(self, count: int, active: int) -> list[tuple[Device, Device, tuple[bytes, ...]]]:
        """See ``Cast.pairs``."""
        each = active // count if active else 0
        if each > self._town.shared or (each and count > self._town.shared_pairs):
            most = self._town.shared_pairs * self._town.shared
            raise ValueError(f"at most {self._town.shared_pairs} pairs share {most} conversations")
        # Without shared groups the pairs are ordinary people, from the other end of the town.
        last = self._town.accounts // 2 - 1
        found = []
        for number in range(count):
            pair = number if each else last - number
            shared = tuple(town.shared_id(pair, index) for index in range(each))
            ids = shared or (town.direct_id(pair),)
            found.append((self._device(2 * pair), self._device(2 * pair + 1), ids))
        return found

    def group(self, size: int) -> tuple[list[Device], bytes]:
        """See ``Cast.group``."""
        members = [self._device(number) for number in range(size)]
        if size in self._town.large:
            return members, town.large_id(size)
        return members, enrol.create_group(self._server, members)

    def groups(self, devices: int) -> list[tuple[list[Device], bytes]]:
        """See ``Cast.groups``."""
        found = []
        size = self._town.group_members
        count = max(1, devices // size)
        first = 2 * self._town.shared_pairs // size + 1  # after the accounts that are the pairs
        if (first + count) * size > self._town.accounts:
            raise ValueError(f"the prefilled store has only {self._town.accounts} accounts")
        for number in range(first, first + count):
            accounts = town.group_accounts(self._town, number)
            found.append(([self._device(one) for one in accounts], town.group_id(number)))
        return found

    def crowd(self, count: int) -> list[Device]:
        """See ``Cast.crowd``."""
        return [self._device(self._town.accounts - 1 - number) for number in range(count)]


class WireCast:
    """Newcomers: every device enrols with an invite, every conversation is created."""

    GROUP_SIZE = 50

    def __init__(self, server: Server) -> None:
        self._server = server
        self._invites = list(server.invites)
        self._name = os.urandom(8).hex()
        self._enrolled = 0

    def crowd(self, count: int) -> list[Device]:
        """See ``Cast.crowd``."""
        if count > len(self._invites):
            raise ValueError(
                f"{count} more devices need as many invites; {len(self._invites)} left"
            )
        taken, self._invites = self._invites[:count], self._invites[count:]
        self._enrolled += count
        return enrol.enrol(self._server, taken, f"{self._name} {self._enrolled}")

    def pairs(self, count: int, active: int) -> list[tuple[Device, Device, tuple[bytes, ...]]]:
        """See ``Cast.pairs``."""
        if active > count:
            raise ValueError("many conversations for each pair need a prefilled store")
        people = self.crowd(2 * count)
        pairs = list(zip(people[::2], people[1::2], strict=True))
        ids = enrol.create_directs(self._server, pairs)
        return [(one, other, (id_,)) for (one, other), id_ in zip(pairs, ids, strict=True)]

    def group(self, size: int) -> tuple[list[Device], bytes]:
        """See ``Cast.group``."""
        members = self.crowd(size)
        return members, enrol.create_group(self._server, members)

    def groups(self, devices: int) -> list[tuple[list[Device], bytes]]:
        """See ``Cast.groups``."""
        count = max(1, devices // self.GROUP_SIZE)
        return [self.group(min(self.GROUP_SIZE, devices)) for _ in range(count)]

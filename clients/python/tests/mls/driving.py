"""Random histories of a world, repeated by their seed."""

import random
from collections.abc import Sequence

from .world import Device, World

STEPS = ("send", "deliver", "drop", "repeat", "propose", "commit", "submit", "crash", "join")
KINDS = ("add", "add", "remove", "update")


def drive(world: World, seed: int, steps: int) -> None:
    """Take random steps, checking after each, and settle in the end."""
    dice = random.Random(seed)
    with world.watching():
        for _ in range(steps):
            step(world, dice)
            world.check()
        world.settle()


def step(world: World, dice: random.Random) -> None:
    """Take one step."""
    devices = list(world.devices.values())
    device, other, place = dice.choice(devices), dice.choice(devices), dice.randrange(100)
    kind = dice.choices(STEPS, (6, 8, 1, 1, 1, 4, 4, 1, 1))[0]
    take(world, kind, (device, other), place, dice.choice(KINDS))


def take(world: World, step: str, devices: Sequence[Device], place: int, kind: str) -> None:
    """Take the step of a name."""
    device, other = devices
    if step == "send":
        world.send(device, crash=place % 10 == 0)
    elif step == "commit":
        world.commit(device, kind, other)
    elif step == "propose":
        world.propose(device, other if place % 3 == 0 else None)
    elif step == "join":
        world.join_externally(device, other)
    elif step in ("submit", "crash"):
        getattr(world, step)(device)
    else:
        getattr(world, step)(device, place)

"""Enrols the devices of a torture and makes their conversations.

Usage: torture_enrol.py with {"states": [...], "invites": [...], "groups": n} on standard input. It is
a program, because it may have to run in another network than its caller. It prints, for each device,
its conversations: a direct one with its neighbour, and groups. Group n holds every (n + 1)th device
from the nth on.
"""

import json
import sys
from contextlib import AsyncExitStack
from typing import Any

import anyio

import wxclient


async def enrol(config: dict[str, Any]) -> list[dict[str, str]]:
    """Return for each device its conversations and what each is: "direct" or "group"."""
    async with AsyncExitStack() as stack:
        clients = []
        for state, invite in zip(config["states"], config["invites"], strict=True):
            opening = wxclient.connect(invite, state=state)
            clients.append(await stack.enter_async_context(opening))
        found: list[dict[str, str]] = [{} for _ in clients]
        for number in range(0, len(clients) - 1, 2):
            direct = await clients[number].create_direct(clients[number + 1].account)
            found[number][direct.hex()] = found[number + 1][direct.hex()] = "direct"
        for number in range(config["groups"]):
            members = range(number, len(clients), number + 1)
            group = await create_group([clients[member] for member in members])
            for member in members:
                found[member][group.hex()] = "group"
    return found


async def create_group(members: list[wxclient.Client]) -> wxclient.ConversationId:
    """Return a group that all have joined."""
    first, *others = members
    group = await first.create_group([client.account for client in others], b"")
    async with anyio.create_task_group() as tasks:
        for client in others:
            tasks.start_soon(client.accept, group)
    return group


if __name__ == "__main__":
    wanted = json.loads(sys.stdin.read())
    sys.stdout.write(json.dumps(anyio.run(enrol, wanted, backend="trio")))

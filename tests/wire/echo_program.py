"""A program that answers every message once, until it is killed; see ``test_sdk_faults``.

Run as ``python echo_program.py STATE [INVITE]``. For each entry it prints a line before the commit
and one after it, so that a test can kill it between any two.
"""

import sys

import anyio

import wxclient
from wxclient import Options
from wxclient.limits import CoreLimits

QUICK = Options(core=CoreLimits(reconnect_min_s=0.02, reconnect_max_s=0.1))


async def main(state: str, invite: str | None = None) -> None:
    async with wxclient.connect(invite, state=state, options=QUICK) as client:
        async with client.transaction() as tx:
            await tx.execute("CREATE TABLE IF NOT EXISTS effect (conversation BLOB, seq INTEGER)")
        say(f"ready {client.account.hex()}")
        async for entry in client.entries():
            async with entry.commit() as tx:
                place = (entry.conversation, entry.seq)
                await tx.execute("INSERT INTO effect VALUES (?, ?)", place)
                if entry.kind == wxclient.Kind.MESSAGE:
                    tx.send(entry.conversation, b"re " + entry.body)
                say(f"inside {entry.seq}")
            say(f"after {entry.seq}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)

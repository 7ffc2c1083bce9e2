"""A process full of devices that send and receive until they are killed.

Usage: torture_client.py CONFIG.json — see ``tests/fault/torture.py``. Each device writes down facts
for ``tests/fault/checker.py``, which says what they mean. A line is one write, so that it survives
SIGKILL whole. Effects are stored in the SDK's own transaction, without a unique key, and each is told
by its row: what was stored twice is told twice, and what a killed life could not tell any more is told
by the next one. A file called ``stop`` beside the
configuration ends the sending; receiving goes on.
"""

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import anyio

import wxclient

EFFECTS = (
    "CREATE TABLE IF NOT EXISTS effect (number INTEGER PRIMARY KEY AUTOINCREMENT, "
    "conversation BLOB, seq INTEGER, body TEXT)"
)
REPORT_S = 0.1
"""How often counters are told."""
COPIED_ROWS_MAX = 1_000
OPTIONS = wxclient.Options(
    core=wxclient.CoreLimits(reconnect_min_s=0.05, reconnect_max_s=1.0, retry_max_s=1.0)
)
"""Quicker than a client should be: a test has no hour to wait."""


class Journal:
    """An append-only file of facts; a line is written whole or not at all.

    Attributes:
        copied: the last effect that stands in it.
    """

    def __init__(self, path: Path) -> None:
        self.copied = 0
        self.lives = 1
        if path.exists():
            for line in path.read_text().splitlines():
                if line.startswith("E "):
                    self.copied = int(line.split()[1])
                self.lives += line == "L"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.write("L")

    def write(self, *words: str | int) -> None:
        """Append one line."""
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())


class Device:
    """One device of the process."""

    def __init__(self, config: dict[str, Any], stop: Path) -> None:
        self.config = config
        self.name = Path(config["journal"]).name
        self.journal = Journal(Path(config["journal"]))
        self.stop = stop
        self.sent = 0
        self.senders = len(config["conversations"])
        self.client: wxclient.Client

    async def run(self) -> None:
        """Send and receive until the process ends."""
        async with wxclient.connect(state=Path(self.config["state"]), options=OPTIONS) as client:
            self.client = client
            async with client.transaction() as tx:
                await tx.execute(EFFECTS)
            await self.copy()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.receive)
                tasks.start_soon(self.report)
                for place, pause_s in self.config["conversations"]:
                    tasks.start_soon(self.send, bytes.fromhex(place), pause_s)

    async def send(self, place: bytes, pause_s: float) -> None:
        """Send one message after the other."""
        conversation = wxclient.ConversationId(place)
        while not self.stop.exists():
            self.sent += 1
            body = f"{self.name}.{self.journal.lives}.{self.sent}"
            self.journal.write("I", body, place.hex())
            op = self.client.send_nowait(conversation, body.encode())
            accepted = await self.client.wait_accepted(op)
            self.journal.write("A", body, accepted.conversation.hex(), accepted.seq)
            await anyio.sleep(random.uniform(0, 2 * pause_s))  # the pace is not part of a seed
        self.senders -= 1

    async def receive(self) -> None:
        """Store the effect of every entry, in the transaction that marks it handled."""
        async for entry in self.client.entries(own=True):
            body = entry.body.decode() if entry.kind == wxclient.Kind.MESSAGE else "-"
            async with entry.commit() as tx:
                ((number,),) = await tx.execute(
                    "INSERT INTO effect (conversation, seq, body) VALUES (?, ?, ?) "
                    "RETURNING number",
                    (entry.conversation, entry.seq, body),
                )
            self.journal.write("E", number, entry.conversation.hex(), entry.seq, body)

    async def report(self) -> None:
        """Say how far the device is."""
        settled = False
        told = (0, 0)
        while True:
            counts = self.client.statistics()
            if (counts.duplicates, counts.resends) != told:
                told = counts.duplicates, counts.resends
                self.journal.write("D", *told)
            if not settled and not self.senders and not counts.outbox_size:
                settled = True
                self.journal.write("Z")
            await anyio.sleep(REPORT_S)

    async def copy(self) -> None:
        """Write down what an earlier life stored and could not tell any more."""
        while True:
            async with self.client.transaction() as tx:
                rows = await tx.execute(
                    "SELECT number, conversation, seq, body FROM effect WHERE number > ? "
                    "ORDER BY number LIMIT ?",
                    (self.journal.copied, COPIED_ROWS_MAX),
                )
            for number, conversation, seq, body in rows:
                self.journal.write("E", number, conversation.hex(), seq, body)
                self.journal.copied = number
            if len(rows) < COPIED_ROWS_MAX:
                return


async def main(configs: list[dict[str, Any]], stop: Path) -> None:
    """Run every device of the configuration."""
    async with anyio.create_task_group() as tasks:
        for config in configs:
            tasks.start_soon(Device(config, stop).run)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    anyio.run(main, json.loads(path.read_text()), path.parent / "stop", backend="trio")

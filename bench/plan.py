"""What takes part in a run, and the file that tells the generator."""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

MAGIC: Final = b"WXBPLAN1"


class Device(NamedTuple):
    """A device that is enrolled."""

    account: bytes
    id: bytes
    key: bytes
    """Seed of its Ed25519 key."""
    position: int = 0
    """Where it resumes."""


class Conversation(NamedTuple):
    """A conversation, and those devices of the plan that must hear what is said in it."""

    id: bytes
    members: tuple[int, ...]


class Flow(NamedTuple):
    """One device that writes to its conversations in turn."""

    device: int
    conversations: tuple[int, ...]
    window: int
    body_bytes: int


@dataclass
class Plan:
    """Devices, conversations and flows; each refers to the former ones by index."""

    devices: list[Device] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)

    def write(self, path: Path, nonce: int) -> None:
        """Write the file.

        Args:
            path: where to.
            nonce: 64 bits that mark the messages of this run.
        """
        parts = [MAGIC, struct.pack(">Q", nonce)]
        parts.append(
            struct.pack(">III", len(self.devices), len(self.conversations), len(self.flows))
        )
        for device in self.devices:
            parts.append(device.account + device.id + device.key)
            parts.append(struct.pack(">Q", device.position))
        for conversation in self.conversations:
            parts += [conversation.id, _indices(conversation.members)]
        for flow in self.flows:
            parts.append(struct.pack(">III", flow.device, flow.window, flow.body_bytes))
            parts.append(_indices(flow.conversations))
        path.write_bytes(b"".join(parts))


def _indices(values: tuple[int, ...]) -> bytes:
    return struct.pack(f">I{len(values)}I", len(values), *values)

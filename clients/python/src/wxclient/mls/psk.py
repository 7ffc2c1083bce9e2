"""Section 8.4: pre-shared keys."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import NamedTuple

from .codec import Reader, opaque, u8, u16, u64
from .errors import DecodingError
from .suites import CipherSuite

EXTERNAL = 1
RESUMPTION = 2


class Usage(IntEnum):
    """What a resumption key is for."""

    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


class PskId(NamedTuple):
    """Which key: an external one by its id, or an epoch of a group; and a nonce."""

    psk_id: bytes
    """Of an external key; empty for a resumption key."""
    usage: Usage | None
    """Of a resumption key; None for an external one."""
    group_id: bytes
    epoch: int
    nonce: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        if self.usage is None:
            return u8(EXTERNAL) + opaque(self.psk_id) + opaque(self.nonce)
        group = opaque(self.group_id) + u64(self.epoch)
        return u8(RESUMPTION) + u8(self.usage) + group + opaque(self.nonce)

    @classmethod
    def read(cls, reader: Reader) -> "PskId":
        """Read the structure, or raise DecodingError."""
        kind = reader.u8()
        if kind == EXTERNAL:
            return cls(reader.opaque(), None, b"", 0, reader.opaque())
        usage = reader.u8()
        if kind != RESUMPTION or not 1 <= usage <= 3:
            raise DecodingError(f"pre-shared key type {kind} with usage {usage} is not known")
        return cls(b"", Usage(usage), reader.opaque(), reader.u64(), reader.opaque())


def external_psk(psk_id: bytes, nonce: bytes) -> PskId:
    """Return the id of an external key."""
    return PskId(psk_id, None, b"", 0, nonce)


def resumption_psk(usage: Usage, group_id: bytes, epoch: int, nonce: bytes) -> PskId:
    """Return the id of a resumption key."""
    return PskId(b"", usage, group_id, epoch, nonce)


PskSource = Callable[[PskId], bytes | None]
"""Returns a key that the application holds: an external one, or of a group of its past."""


def no_psks(wanted: PskId) -> bytes | None:
    """Return nothing: a source for those who have no such keys."""
    del wanted
    return None


def psk_secret(suite: CipherSuite, psks: Iterable[tuple[PskId, bytes]]) -> bytes:
    """Return psk_secret of the keys in their order."""
    listed = list(psks)
    secret = suite.zero
    for index, (psk, key) in enumerate(listed):
        extracted = suite.extract(suite.zero, key)
        label = psk.encode() + u16(index) + u16(len(listed))
        entry = suite.expand_with_label(extracted, b"derived psk", label, suite.hash_size)
        secret = suite.extract(entry, secret)
    return secret

"""Sections 7.2, 11.1, 12.1.8.1 and 13: capabilities, lifetimes and extensions."""

from collections.abc import Iterable
from typing import NamedTuple

from .codec import Reader, decode, numbers, opaque, u16, u64, vector
from .credentials import BASIC, Credential
from .errors import DecodingError
from .suites import MLS10, SUITES

APPLICATION_ID = 1
RATCHET_TREE = 2
REQUIRED_CAPABILITIES = 3
EXTERNAL_PUB = 4
EXTERNAL_SENDERS = 5
DEFAULT_EXTENSIONS = frozenset(range(1, 6))
"""Every client has these and does not list them (section 7.2)."""
DEFAULT_PROPOSALS = frozenset(range(1, 8))
FOREVER = (1 << 64) - 1


class Extension(NamedTuple):
    """An extension of any type; the data of types not known here is carried along."""

    type: int
    data: bytes

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return u16(self.type) + opaque(self.data)

    @classmethod
    def read(cls, reader: Reader) -> "Extension":
        """Read the structure."""
        return cls(reader.u16(), reader.opaque())


Extensions = tuple[Extension, ...]


def read_extensions(reader: Reader) -> Extensions:
    """Read a list of extensions, or raise DecodingError if a type occurs twice (section 13)."""
    extensions = reader.vector(Extension.read)
    if len({extension.type for extension in extensions}) != len(extensions):
        raise DecodingError("an extension type occurs twice")
    return extensions


def find(extensions: Iterable[Extension], kind: int) -> bytes | None:
    """Return the data of the extension of a type."""
    for extension in extensions:
        if extension.type == kind:
            return extension.data
    return None


class Capabilities(NamedTuple):
    """What a client supports (section 7.2); default types are not listed."""

    versions: tuple[int, ...] = (MLS10,)
    cipher_suites: tuple[int, ...] = tuple(SUITES)
    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = (BASIC,)

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return b"".join([numbers(values, u16) for values in self])

    @classmethod
    def read(cls, reader: Reader) -> "Capabilities":
        """Read the structure."""
        return cls(*[_numbers(reader) for _ in range(5)])

    def extends_to(self, kinds: Iterable[int]) -> bool:
        """Whether all these extension types are supported."""
        return all(kind in DEFAULT_EXTENSIONS or kind in self.extensions for kind in kinds)


DEFAULT_CAPABILITIES = Capabilities()


def _numbers(reader: Reader) -> tuple[int, ...]:
    """Read a vector of uint16, or raise DecodingError if half a one is left."""
    data = reader.opaque()
    if len(data) % 2:
        raise DecodingError("a vector of uint16 has an odd size")
    return tuple([data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)])


class Lifetime(NamedTuple):
    """Seconds since 1970 between which a key package may be used."""

    not_before: int = 0
    not_after: int = FOREVER

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return u64(self.not_before) + u64(self.not_after)

    @classmethod
    def read(cls, reader: Reader) -> "Lifetime":
        """Read the structure."""
        return cls(reader.u64(), reader.u64())

    def holds(self, now_s: float) -> bool:
        """Whether a moment lies inside."""
        return self.not_before <= now_s <= self.not_after


ANY_TIME = Lifetime()


class RequiredCapabilities(NamedTuple):
    """What every member must support (section 11.1)."""

    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return b"".join([numbers(values, u16) for values in self])

    @classmethod
    def read(cls, reader: Reader) -> "RequiredCapabilities":
        """Read the structure."""
        return cls(*[_numbers(reader) for _ in range(3)])

    def extension(self) -> Extension:
        """Return the extension of the group context."""
        return Extension(REQUIRED_CAPABILITIES, self.encode())

    def met_by(self, capabilities: Capabilities) -> bool:
        """Whether a client may be a member."""
        return (
            capabilities.extends_to(self.extensions)
            and DEFAULT_PROPOSALS.union(capabilities.proposals).issuperset(self.proposals)
            and set(capabilities.credentials).issuperset(self.credentials)
        )


class ExternalSender(NamedTuple):
    """One who may propose from outside the group (section 12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        """Return the structure's encoding."""
        return opaque(self.signature_key) + self.credential.encode()

    @classmethod
    def read(cls, reader: Reader) -> "ExternalSender":
        """Read the structure."""
        return cls(reader.opaque(), Credential.read(reader))


def external_senders_extension(senders: Iterable[ExternalSender]) -> Extension:
    """Return the extension of the group context."""
    return Extension(EXTERNAL_SENDERS, vector(senders))


def external_senders(extensions: Extensions) -> tuple[ExternalSender, ...]:
    """Return who may propose from outside, or raise ``DecodingError``."""
    data = find(extensions, EXTERNAL_SENDERS)
    if data is None:
        return ()
    return decode(data, lambda reader: reader.vector(ExternalSender.read))


def required_capabilities(extensions: Extensions) -> RequiredCapabilities:
    """Return what members must support, or raise ``DecodingError``."""
    data = find(extensions, REQUIRED_CAPABILITIES)
    return RequiredCapabilities() if data is None else decode(data, RequiredCapabilities.read)

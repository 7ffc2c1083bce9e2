"""What a case is, how its values are read, and how a failure is told."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from wxclient.mls.suites import SUITES, CipherSuite, suite_of

Case = Mapping[str, Any]
Run = Callable[[Case], None]


class Mismatch(Exception):
    """The engine gives another value than the vector."""


class Kind(NamedTuple):
    """A kind of vector file."""

    name: str
    fields: frozenset[str]
    """By which a case of this kind is told."""
    run: Run
    """Raises for a case that fails."""
    has_suite: bool = True


def same(what: str, expected: object, actual: object) -> None:
    """Raise Mismatch if two values differ."""
    if expected != actual:
        raise Mismatch(f"{what}: expected {_shown(expected)}, got {_shown(actual)}")


def _shown(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 72 else f"{text[:72]}…"


def refused(what: str, *, holds: bool) -> None:
    """Raise Mismatch unless a condition holds."""
    if not holds:
        raise Mismatch(what)


def data(case: Case, name: str) -> bytes:
    """Return a value that is written in hexadecimal digits."""
    return bytes.fromhex(case[name])


def suite(case: Case) -> CipherSuite:
    """Return the cipher suite of a case."""
    return suite_of(case["cipher_suite"])


def missing_suite(case: Case) -> str:
    """Return why a case cannot be run, or nothing."""
    code = case["cipher_suite"]
    return "" if code in SUITES else f"cipher suite {code} is not supported"

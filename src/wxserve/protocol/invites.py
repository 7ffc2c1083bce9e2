"""The invite: a URI with address, one-time code and the pins of the server's keys."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

SCHEME_TLS: Final = "wxserve"
SCHEME_PLAINTEXT: Final = "wxserve+plain"
URI_CHARS_MAX: Final = 2048
PIN_BYTES: Final = 32


class InviteUri(NamedTuple):
    """Where to connect, what to show, and whom to trust.

    Attributes:
        host: name or address; IPv6 without brackets.
        port: 1 … 65535.
        code: the one-time invite code.
        pins: SHA-256 of each acceptable SubjectPublicKeyInfo; empty only for plain TCP.
        tls: False only on loopback, for tests and benchmarks.
    """

    host: str
    port: int
    code: bytes
    pins: tuple[bytes, ...]
    tls: bool


def format_invite(invite: InviteUri) -> str:
    """Return the text form of an invite."""
    host = f"[{invite.host}]" if ":" in invite.host else invite.host
    scheme = SCHEME_TLS if invite.tls else SCHEME_PLAINTEXT
    query = "&".join(f"pin={_encode(pin)}" for pin in invite.pins)
    return f"{scheme}://{host}:{invite.port}/{_encode(invite.code)}" + (
        f"?{query}" if query else ""
    )


def parse_invite(text: str) -> InviteUri:
    """Return the invite that a text holds.

    Unknown query parameters are ignored. Everything else is read strictly, so that an invite with
    one character changed is refused here, or by the server, and never taken for another one.

    Raises:
        ValueError: what is wrong with it, for a person.
    """
    if len(text) > URI_CHARS_MAX:
        raise ValueError("the invite is too long")
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        raise ValueError("the invite's address is damaged") from None
    if parts.scheme not in {SCHEME_TLS, SCHEME_PLAINTEXT}:
        raise ValueError("an invite begins with wxserve:// or wxserve+plain://")
    if not parts.hostname or not _port(parts) or "@" in parts.netloc:
        raise ValueError("the invite names no host and port")
    tls = parts.scheme == SCHEME_TLS
    pins = tuple(_decode(pin, "pin") for pin in parse_qs(parts.query).get("pin", []))
    if any(len(pin) != PIN_BYTES for pin in pins) or tls != bool(pins):
        raise ValueError("the invite's pins are damaged")
    code = _decode(parts.path.removeprefix("/"), "code")
    if not code:
        raise ValueError("the invite has no code")
    return InviteUri(parts.hostname, _port(parts), code, pins, tls)


def _port(parts: SplitResult) -> int:
    """Return the port, 0 if there is no sensible one."""
    try:
        return parts.port or 0
    except ValueError:
        return 0


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str, what: str) -> bytes:
    """Return the bytes of base64url; the decoder alone would pass over foreign characters."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if _encode(data) != text:
        raise ValueError(f"the invite's {what} is damaged")
    return data

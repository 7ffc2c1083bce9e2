"""Test vectors of envelopes and of what the server writes into entries."""

from collections.abc import Iterator
from typing import Any, Final

from wxserve.protocol.envelope import (
    BLOBS_MAX,
    ENVELOPE_VERSION,
    Envelope,
    Kind,
    decode_envelope,
    encode_envelope,
)
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.identifiers import ConversationId, OpId
from wxserve.protocol.limits import ENVELOPE_BYTES_MAX
from wxserve.protocol.packing import pack
from wxserve.protocol.schema import Schema

from .notation import hex_runs, plain
from .samples import ANNA, BERT, DIRECT, OP, PHONE, lay, wrong

NO_OP: Final = OpId(bytes(16))
PLAIN: Final = Envelope(
    ENVELOPE_VERSION, Kind.MESSAGE, DIRECT, 0, 0, 0, OP, 0, 1, (), b"", b"hello"
)
_OVERHEAD: Final = len(encode_envelope(PLAIN._replace(body=bytes(1 << 16)))) - (1 << 16)
"""Bytes around a body of 64 KiB or more."""


def valid_envelopes() -> Iterator[dict[str, Any]]:
    """Give envelopes that a server takes from a client, or passes on."""
    fullest = Envelope(
        1, 255, ConversationId(b"\xff" * 16), 2**32 - 1, 2**64 - 1, 2**16 - 1, OpId(b"\xff" * 16), 2**32 - 1, 255,
        (b"\xff" * 32,) * BLOBS_MAX, b"\xff" * 32, b"",
    )  # fmt: skip
    for name, envelope in {
        "a message": PLAIN,
        "a message that expires after an hour": PLAIN._replace(ttl_s=3600),
        "an empty message": PLAIN._replace(body=b""),
        "every field at its largest, no body": fullest,
        "the largest": PLAIN._replace(body=bytes(ENVELOPE_BYTES_MAX - _OVERHEAD)),
    }.items():
        data = encode_envelope(envelope)
        assert decode_envelope(data) == envelope, name
        yield {"name": name, "hex": hex_runs(data), "decoded": plain(envelope)}


def invalid_envelopes() -> Iterator[dict[str, Any]]:
    """Give envelopes that are refused with ENVELOPE_INVALID; the connection lives."""
    yield _invalid("empty array", pack(()))
    yield _invalid("version 0", pack(PLAIN._replace(version=0)))
    yield _invalid("version 2", pack(PLAIN._replace(version=2)))
    yield _invalid("no array", b"\xc4\x05hello")
    yield _invalid("text", b"hello")
    yield _invalid("one field less", pack(tuple(PLAIN[:-1])))
    yield _invalid("one field more", pack((*PLAIN, None)))
    yield _invalid("a byte after its end", pack(PLAIN) + b"\xc0")
    yield _invalid("cut short", pack(PLAIN)[:-1])
    good = tuple(PLAIN)
    for index, field in enumerate(Schema(Envelope).fields):
        for what, value in wrong(field.type):
            data = lay((*good[:index], value, *good[index + 1 :]))
            yield _invalid(f"{field.name}: {what}", data)


def _invalid(name: str, data: bytes) -> dict[str, Any]:
    try:
        decode_envelope(data)
    except Refusal as refusal:
        return {"name": name, "hex": hex_runs(data), "error": refusal.code.name}
    raise SystemExit(f"envelope, {name}: accepted")


def body_vectors() -> Iterator[dict[str, Any]]:
    """Give the bodies of entries that the server writes."""
    for name, kind, body in (
        ("a direct conversation is created", Kind.CREATED, (1, ANNA, (ANNA, BERT), b"")),
        ("a group is created, one is invited", Kind.CREATED, (2, ANNA, (BERT,), b"title")),
        ("invited", Kind.MEMBERSHIP, (1, (BERT,), 1)),
        ("joined", Kind.MEMBERSHIP, (2, (BERT,), 1)),
        ("left", Kind.MEMBERSHIP, (3, (BERT,), 0)),
        ("removed", Kind.MEMBERSHIP, (4, (BERT,), 0)),
        ("made an administrator", Kind.MEMBERSHIP, (5, (BERT,), 2)),
        ("redacted", Kind.REDACTED, (12,)),
        ("closed", Kind.CLOSED, ()),
        ("notice of an invitation", Kind.NOTICE, ("invited", DIRECT, ANNA)),
        ("notice of a device", Kind.NOTICE, ("device-added", PHONE)),
        ("notice of a device removed", Kind.NOTICE, ("device-revoked", PHONE)),
    ):
        envelope = PLAIN._replace(kind=int(kind), op=NO_OP, body=pack(body))
        yield {
            "name": name,
            "kind": int(kind),
            "body": hex_runs(envelope.body),
            "decoded": plain(body),
            "envelope": hex_runs(encode_envelope(envelope)),
        }

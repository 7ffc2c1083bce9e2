"""The checked-in test vectors, read by a second reader and by the protocol room."""

from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.unit.protocol.reader import Value, expand, frames, load, restore, whole
from tools.generators.connections import connection_at
from tools.generators.vectors import wire_name
from wxserve.protocol.codec import BY_NUMBER, encode
from wxserve.protocol.connection import Connection
from wxserve.protocol.credentials import decode_credential
from wxserve.protocol.envelope import decode_envelope, encode_envelope
from wxserve.protocol.exceptions import Refusal, RemoteProtocolError
from wxserve.protocol.identifiers import (
    ConversationId,
    OpId,
    device_conversation,
    direct_conversation,
    group_conversation,
    notice_conversation,
    op_id,
    self_conversation,
    sender_of,
)
from wxserve.protocol.invites import format_invite, parse_invite
from wxserve.protocol.packing import unpack
from wxserve.protocol.states import Role, State
from wxserve.protocol.transcript import Binding, BindingType

Vector = dict[str, Any]
NUMBERS = {wire_name(kind.frame): number for number, kind in BY_NUMBER.items()}


def vectors(name: str, section: str = "vectors") -> list[Any]:
    return [pytest.param(one, id=one.get("name")) for one in load(name)[section]]


def lists(value: Value) -> Value:
    return [lists(item) for item in value] if isinstance(value, tuple) else value


def feed(vector: Vector, role: str, minor: int = 0) -> list[Any]:
    connection = connection_at(Role(role), State(vector["state"]), minor)
    connection.receive_data(expand(vector["hex"]))
    events = []
    while (event := connection.next_event()) is not None:
        events.append(event)
    return events


def test_vectors_cover_every_frame() -> None:
    names = {vector["frame"] for vector in load("frames")["vectors"]}
    assert names == set(NUMBERS)
    refused = {vector["error"] for vector in load("refusals")["vectors"]}
    assert refused == {
        "MALFORMED_FRAME",
        "FRAME_TOO_LARGE",
        "UNKNOWN_FRAME",
        "UNEXPECTED_FRAME",
        "VERSION_UNSUPPORTED",
    }
    assert len(load("refusals")["vectors"]) > 1_500


def test_vectors_of_refusals_have_names_of_their_own() -> None:
    names = [vector["name"] for vector in load("refusals")["vectors"]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("vector", vectors("frames"))
def test_vector_of_frame_reads_the_same_without_our_code(vector: Vector) -> None:
    ((number, stream, flags, fields),) = frames(expand(vector["hex"]))
    assert (number, stream, flags) == (vector["type"], vector["stream"], vector["flags"])
    assert fields == restore(vector["decoded"])


@pytest.mark.parametrize("vector", vectors("frames"))
def test_vector_of_frame_is_what_the_room_reads_and_writes(vector: Vector) -> None:
    receiver = Role(vector["sender"]).peer.value
    (event,) = feed(vector, receiver)
    assert wire_name(type(event.frame)) == vector["frame"]
    assert (event.stream, event.flags) == (vector["stream"], vector["flags"])
    assert lists(event.frame) == restore(vector["decoded"])
    assert encode(event.frame, event.stream, event.flags) == expand(vector["hex"])


@pytest.mark.parametrize("vector", vectors("lenient"))
def test_lenient_vector_is_accepted(vector: Vector) -> None:
    events = feed(vector, vector["receiver"], vector["peer_minor"])
    assert [
        (wire_name(type(event.frame)), event.stream, event.flags, lists(event.frame))
        for event in events
    ] == [
        (one["frame"], one["stream"], one["flags"], restore(one["decoded"]))
        for one in vector["events"]
    ]


def refusal_of(vector: Vector) -> str:
    """Return the code with which a connection refuses a vector's bytes, or what it did instead."""
    connection = connection_at(
        Role(vector["receiver"]), State(vector["state"]), vector["peer_minor"]
    )
    connection.receive_data(expand(vector["hex"]))
    try:
        return f"read as {connection.next_event()}"
    except RemoteProtocolError as error:
        if connection.state is not State.CLOSED or connection.pending_bytes:
            return "left open"
        return f"{error.code.name} {int(error.code)}"


def test_vectors_of_refusals_are_refused_and_close() -> None:
    wrong = {
        vector["name"]: outcome
        for vector in load("refusals")["vectors"]
        if (outcome := refusal_of(vector)) != f"{vector['error']} {vector['code']}"
    }
    assert not wrong


@pytest.mark.parametrize("vector", vectors("handshakes"))
def test_vector_of_handshake_is_signed_over_what_it_says(vector: Vector) -> None:
    hexes = {one["frame"]: expand(one["hex"]) for one in vector["frames"]}
    bodies = {name: data[8:] for name, data in hexes.items()}
    binding = bytes.fromhex(vector["binding"])
    credential, signature = whole(bodies["AUTH"])
    signed = b"".join([
        b"wxserve auth v1\0",
        sha256(bodies["HELLO"]).digest(),
        sha256(bodies["CHALLENGE"]).digest(),
        bytes([vector["binding_type"]]),
        binding,
        sha256(credential).digest(),
    ])
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["private_key_seed"]))
    public = bytes.fromhex(vector["public_key"])
    assert signed.hex() == vector["to_sign"]
    assert signature == key.sign(signed) == bytes.fromhex(vector["signature"])
    assert credential.hex() == vector["credential"]
    assert whole(credential) == restore(vector["credential_decoded"])
    spki = bytes.fromhex(vector["server_spki"])
    assert binding == (sha256(spki).digest() if spki else bytes(32))
    Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)


@pytest.mark.parametrize("vector", vectors("handshakes"))
def test_vector_of_handshake_opens_a_server_and_a_client(vector: Vector) -> None:
    ends = {"client": Connection(Role.CLIENT), "server": Connection(Role.SERVER)}
    for one in vector["frames"]:
        other = "server" if one["sender"] == "client" else "client"
        ends[other].receive_data(expand(one["hex"]))
        event = ends[other].next_event()
        assert event is not None
        assert ends[one["sender"]].send(event.frame) == expand(one["hex"])
    assert {end.state for end in ends.values()} == {State.OPEN}
    binding = Binding(BindingType(vector["binding_type"]), bytes.fromhex(vector["binding"]))
    credential = bytes.fromhex(vector["credential"])
    for end in ends.values():
        assert end.transcript.to_sign(binding, credential).hex() == vector["to_sign"]
    assert lists(decode_credential(credential)) == restore(vector["credential_decoded"])


@pytest.mark.parametrize("vector", vectors("envelopes", "valid"))
def test_vector_of_envelope_reads_the_same_both_ways(vector: Vector) -> None:
    data = expand(vector["hex"])
    envelope = decode_envelope(data)
    assert lists(envelope) == whole(data) == restore(vector["decoded"])
    assert encode_envelope(envelope) == data


@pytest.mark.parametrize("vector", vectors("envelopes", "invalid"))
def test_vector_of_invalid_envelope_is_refused(vector: Vector) -> None:
    with pytest.raises(Refusal) as caught:
        decode_envelope(expand(vector["hex"]))
    assert caught.value.code.name == vector["error"]


@pytest.mark.parametrize("vector", vectors("bodies"))
def test_vector_of_body_stands_in_its_envelope(vector: Vector) -> None:
    body = expand(vector["body"])
    envelope = decode_envelope(expand(vector["envelope"]))
    assert (envelope.kind, envelope.body) == (vector["kind"], body)
    assert lists(unpack(body)) == whole(body) == restore(vector["decoded"])


def derived(label: str, *parts: bytes) -> bytes:
    return sha256(label.encode() + b"".join(parts)).digest()[:16]


@pytest.mark.parametrize("vector", vectors("identifiers"))
def test_vector_of_identifier_is_derived_as_specified(vector: Vector) -> None:
    raw = vector["from"]
    parts: list[Any] = [bytes.fromhex(part) for part in raw if vector["name"] != "operation"]
    expected: dict[str, Any] = {
        "direct conversation": lambda: (
            direct_conversation(*parts),
            derived("wxserve direct v1", *sorted(parts)),
        ),
        "group conversation": lambda: (
            group_conversation(OpId(parts[0])),
            derived("wxserve group v1", parts[0]),
        ),
        "self conversation": lambda: (
            self_conversation(parts[0]),
            derived("wxserve self v1", parts[0]),
        ),
        "notice conversation": lambda: (
            notice_conversation(parts[0]),
            derived("wxserve notice v1", parts[0]),
        ),
        "device conversation": lambda: (
            device_conversation(parts[0]),
            derived("wxserve device v1", parts[0]),
        ),
        "sender": lambda: (sender_of(*parts), b"".join(parts)),
        "operation": lambda: (
            op_id(bytes.fromhex(raw[0]), int(raw[1])),  # type: ignore[arg-type]
            bytes.fromhex(raw[0]) + int(raw[1]).to_bytes(8, "big"),
        ),
    }
    ours, specified = expected[vector["name"]]()
    assert ours == specified == ConversationId(bytes.fromhex(vector["id"]))


@pytest.mark.parametrize("vector", vectors("invites", "valid"))
def test_vector_of_invite_reads_and_writes_the_same(vector: Vector) -> None:
    invite = parse_invite(vector["text"])
    assert (invite.host, invite.port, invite.tls) == (
        vector["host"],
        vector["port"],
        vector["tls"],
    )
    assert invite.code.hex() == vector["code"]
    assert [pin.hex() for pin in invite.pins] == vector["pins"]
    assert format_invite(invite) == vector["text"]


@pytest.mark.parametrize("vector", vectors("invites", "damaged"))
def test_vector_of_damaged_invite_is_refused(vector: Vector) -> None:
    with pytest.raises(ValueError, match="invite"):
        parse_invite(vector["text"])

"""Test vectors of handshakes, of derived identifiers, and of invites."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wxserve.protocol import identifiers as ids
from wxserve.protocol.connection import Connection
from wxserve.protocol.credentials import (
    DEVICE_KEY,
    ENROLMENT,
    INVITE_VERIFIER,
    Credential,
    DeviceKey,
    Enrolment,
    encode_credential,
)
from wxserve.protocol.frames import Auth, Challenge, Frame, Hello
from wxserve.protocol.invites import InviteUri, format_invite, parse_invite
from wxserve.protocol.states import Role
from wxserve.protocol.transcript import NO_BINDING, Binding, spki_binding

from .connections import WELCOME
from .notation import hex_runs, plain
from .samples import ANNA, BERT, OP, PHONE, TIME_MS

CODE: Final = b"\x01" + sha256(b"invite").digest()[:12] + bytes.fromhex("695a0000") + bytes(32)
PIN: Final = sha256(b"current key").digest()
BACKUP: Final = sha256(b"backup key").digest()


class Login(NamedTuple):
    """What a handshake is made from."""

    name: str
    seed: bytes
    binding: Binding
    spki: bytes
    credential: Credential
    agent: str


def _key(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _spki() -> bytes:
    """Return a SubjectPublicKeyInfo in DER, as a server's certificate would hold it."""
    key = _key(sha256(b"server key").digest())
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _logins() -> tuple[Login, ...]:
    seed, spki = sha256(b"device key").digest(), _spki()
    known = DeviceKey(DEVICE_KEY, ANNA, PHONE)
    new = Enrolment(ENROLMENT, INVITE_VERIFIER, CODE, _public(_key(seed)), "Änne", "phone")
    tls = spki_binding(spki)
    return (
        Login("a known device over TLS", seed, tls, spki, known, "example/1.0"),
        Login("a new device enrols over TLS", seed, tls, spki, new, "example/1.0"),
        Login("a known device over plain TCP", seed, NO_BINDING, b"", known, ""),
    )


def handshake_vectors() -> Iterator[dict[str, Any]]:
    """Give complete handshakes with everything that goes into the signature."""
    for login in _logins():
        client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
        key = _key(login.seed)
        credential = encode_credential(login.credential)
        frames: list[dict[str, Any]] = []

        def pass_on(sender: Role, frame: Frame, ends: tuple[Connection, Connection]) -> bytes:
            data = ends[sender is Role.SERVER].send(frame)
            ends[sender is Role.CLIENT].receive_data(data)
            event = ends[sender is Role.CLIENT].next_event()
            assert event is not None
            assert event.frame == frame
            return data

        ends = (client, server)
        nonces = sha256(b"client nonce").digest(), sha256(b"server nonce").digest()
        hello = pass_on(Role.CLIENT, Hello(((1, 0),), nonces[0], login.agent), ends)
        challenge = pass_on(Role.SERVER, Challenge(1, 0, nonces[1], TIME_MS), ends)
        signed = client.transcript.to_sign(login.binding, credential)
        assert signed == server.transcript.to_sign(login.binding, credential)
        signature = key.sign(signed)
        auth = pass_on(Role.CLIENT, Auth(credential, signature), ends)
        welcome = pass_on(Role.SERVER, WELCOME, ends)
        frames = [
            {"sender": sender, "frame": name, "hex": hex_runs(data)}
            for sender, name, data in (
                ("client", "HELLO", hello),
                ("server", "CHALLENGE", challenge),
                ("client", "AUTH", auth),
                ("server", "WELCOME", welcome),
            )
        ]
        yield {
            "name": login.name,
            "private_key_seed": login.seed.hex(),
            "public_key": _public(key).hex(),
            "server_spki": login.spki.hex(),
            "binding_type": int(login.binding.type),
            "binding": login.binding.value.hex(),
            "hello_sha256": sha256(hello[8:]).hexdigest(),
            "challenge_sha256": sha256(challenge[8:]).hexdigest(),
            "credential": credential.hex(),
            "credential_decoded": plain(login.credential),
            "to_sign": signed.hex(),
            "signature": signature.hex(),
            "frames": frames,
        }


def identifier_vectors() -> Iterator[dict[str, Any]]:
    """Give every derived identifier with what it is derived from."""
    group: Callable[..., bytes] = ids.group_conversation
    for what, derive, parts in (
        ("direct", ids.direct_conversation, (ANNA, BERT)),
        ("direct", ids.direct_conversation, (BERT, ANNA)),
        ("group", group, (OP,)),
        ("self", ids.self_conversation, (ANNA,)),
        ("notice", ids.notice_conversation, (ANNA,)),
        ("device", ids.device_conversation, (PHONE,)),
    ):
        make: Callable[..., bytes] = derive
        yield {
            "name": f"{what} conversation",
            "from": [part.hex() for part in parts],
            "id": make(*parts).hex(),
        }
    for counter in (1, 7, 2**32, 2**63 - 1):
        yield {
            "name": "operation",
            "from": [PHONE.hex(), str(counter)],
            "id": ids.op_id(PHONE, counter).hex(),
        }
    yield {
        "name": "sender",
        "from": [ANNA.hex(), PHONE.hex()],
        "id": ids.sender_of(ANNA, PHONE).hex(),
    }


def valid_invites() -> Iterator[dict[str, Any]]:
    """Give invites as text and what they say."""
    for invite in (
        InviteUri("chat.example.org", 7443, CODE, (PIN,), tls=True),
        InviteUri("chat.example.org", 7443, CODE, (PIN, BACKUP), tls=True),
        InviteUri("2001:db8::1", 443, CODE, (PIN,), tls=True),
        InviteUri("127.0.0.1", 7400, CODE, (), tls=False),
    ):
        text = format_invite(invite)
        assert parse_invite(text) == invite
        assert parse_invite(f"  {text}&later=1\n" if invite.pins else text) == invite
        yield {
            "text": text,
            "host": invite.host,
            "port": invite.port,
            "code": invite.code.hex(),
            "pins": [pin.hex() for pin in invite.pins],
            "tls": invite.tls,
        }


def damaged_invites() -> Iterator[dict[str, Any]]:
    """Give texts that are no invites."""
    good = format_invite(InviteUri("chat.example.org", 7443, CODE, (PIN,), tls=True))
    head, _, tail = good.partition("?")
    for name, text in {
        "empty": "",
        "another scheme": good.replace("wxserve:", "https:"),
        "no port": good.replace(":7443", ""),
        "port 0": good.replace("7443", "0"),
        "port too large": good.replace("7443", "70000"),
        "no host": good.replace("chat.example.org", ""),
        "a user name": good.replace("chat.", "me@chat."),
        "no code": good.replace(head.rsplit("/", 1)[1], ""),
        "a foreign character in the code": good.replace("?", "!?"),
        "the code padded": good.replace("?", "=?"),
        "no pins": head,
        "a pin cut short": good[:-1],
        "a pin of 31 bytes": head + "?pin=" + "A" * 42,
        "the wrong scheme for its pins": good.replace("wxserve:", "wxserve+plain:"),
        "a space inside": head[:-4] + " " + head[-4:] + "?" + tail,
        "too long": good + "&x=" + "a" * 2048,
    }.items():
        try:
            found = parse_invite(text)
        except ValueError:
            yield {"name": name, "text": text}
        else:
            raise SystemExit(f"invite, {name}: read as {found}")

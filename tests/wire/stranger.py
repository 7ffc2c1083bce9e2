"""A client written from docs/protocol.md alone: it shares no code with the product.

Standard library, cryptography, and the second reader of the test vectors; frames are named and
numbered by docs/vectors/schema.json. Blocking, one connection, no durability: enough to see that
the document says all that is needed.
"""

import os
import socket
import ssl
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.unit.protocol.reader import Value, frames, load, whole

TIMEOUT_S = 10.0
NUMBERS = {one["name"]: one["type"] for one in load("schema")["frames"]}
NAMES = {number: name for name, number in NUMBERS.items()}
PUSHED = ("DELIVER", "SKIP", "TOO_FAR")


def packed(value: Value) -> bytes:
    """Write the msgpack subset of "Bodies"; lengths and integers not always in the shortest way."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return bytes([value]) if value < 0x80 else b"\xcf" + value.to_bytes(8, "big")
        case bytes():
            return b"\xc6" + len(value).to_bytes(4, "big") + value
        case str():
            return b"\xd9" + bytes([len(value.encode())]) + value.encode()
        case _:
            return b"\xdc" + len(value).to_bytes(2, "big") + b"".join(map(packed, value))


def unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Wire:
    """One TLS connection that sends and gets frames."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        pins = [unpadded(pin) for pin in parse_qs(parts.query)["pin"]]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin is compared instead
        plain = socket.create_connection((parts.hostname, parts.port), TIMEOUT_S)
        self.socket = context.wrap_socket(plain, server_hostname=parts.hostname)
        certificate = x509.load_der_x509_certificate(self.socket.getpeercert(True) or b"")
        spki = certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.pin = sha256(spki).digest()
        assert self.pin in pins
        self._buffer = b""

    def send(self, name: str, *fields: Value, stream: int = 0) -> bytes:
        """Send a frame; return its body."""
        body = packed(fields) if fields else b""
        head = len(body).to_bytes(3, "big") + b"\0" + NUMBERS[name].to_bytes(2, "big")
        self.socket.sendall(head + stream.to_bytes(2, "big") + body)
        return body

    def receive(self) -> tuple[str, int, int, Value, bytes]:
        """Return (name, stream, flags, fields, body) of the next frame."""
        head = self._take(8)
        body = self._take(int.from_bytes(head[:3], "big"))
        ((number, stream, flags, fields),) = frames(head + body)
        return NAMES[number], stream, flags, fields, body

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError
            self._buffer += data
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


class Stranger:
    """A device, as the pseudo-code at the end of the document has it, without its disk."""

    def __init__(self, uri: str, name: str) -> None:
        self.uri = uri
        self.name = name
        self.key = Ed25519PrivateKey.generate()
        self.account = self.device = b""
        self.position = self.counter = self.unsettled = 0
        self.received: dict[bytes, int] = {}
        self.entries: list[tuple[bytes, int, bytes | None, Value]] = []
        self.skips: list[tuple[bytes, int, int]] = []
        self.other: list[tuple[str, Value]] = []
        self.redelivered = 0
        self.streams = 0

    def close(self) -> None:
        """Hang up without a word."""
        self.wire.socket.close()

    def connect(self) -> Value:
        """Enrol the first time, log in later; return WELCOME."""
        self.wire = Wire(self.uri)
        if self.device:
            credential = packed((1, self.account, self.device))
        else:
            code = unpadded(urlsplit(self.uri).path[1:])
            public = self.key.public_key().public_bytes_raw()
            credential = packed((2, "invite", code, public, self.name, "stranger"))
        hello = self.wire.send("HELLO", ((1, 0),), os.urandom(32), "stranger/1")
        name, _, _, (major, *_), challenge = self.wire.receive()
        assert (name, major) == ("CHALLENGE", 1)
        parts = [sha256(hello), sha256(challenge), sha256(credential)]
        first, second, third = (part.digest() for part in parts)
        signed = b"wxserve auth v1\0" + first + second + b"\1" + self.wire.pin + third
        self.wire.send("AUTH", credential, self.key.sign(signed))
        name, _, _, welcome, _ = self.wire.receive()
        assert name == "WELCOME", welcome
        self.account, self.device = welcome[1:3]
        assert welcome[7] <= self.counter
        self.sync()
        return welcome

    def sync(self) -> None:
        """Ask for what changed; return when everything came."""
        stream = self._stream()
        self.wire.send("SYNC", self.position, 100, stream=stream)
        self.changes = []
        for name, came_on, _, fields, _ in self.incoming():
            if came_on == stream:
                assert name == "CHANGES"
                self.changes += fields[0]
            elif name == "SYNCED":
                break
        self.acknowledge()

    def incoming(self) -> Iterator[tuple[str, int, int, Value, bytes]]:
        """Yield every frame after taking note of what was pushed."""
        while True:
            frame = name, stream, _, fields, _ = self.wire.receive()
            if name in PUSHED and stream == 0:
                self._run(name, fields)
            elif name == "SYNCED":
                self.position = fields[0]
            elif stream == 0:
                self.other.append((name, fields))
            yield frame

    def _run(self, name: str, fields: Value) -> None:
        """Keep the gapless run of a conversation."""
        conversation, number = fields[:2]
        through = number - 1 if name == "TOO_FAR" else number
        before = self.received.get(conversation)
        if before is not None and through <= before:
            self.redelivered += 1
            return
        if name == "DELIVER":
            assert before in {None, number - 1}, "a hole"
            self.take_entry(fields)
        else:
            self.skips.append((conversation, through, fields[2] if name == "SKIP" else 0))
        self.received[conversation] = through

    def take_entry(self, fields: Value) -> None:
        """Store an entry as (conversation, number, sender, envelope)."""
        envelope = whole(fields[6])
        self.entries.append((fields[0], fields[1], fields[4], envelope))

    def acknowledge(self) -> None:
        """Tell what is kept here, and below which counter every operation is settled."""
        self.wire.send("ACK", list(self.received.items()), self.unsettled or self.counter + 1)
        self.wire.send("CREDIT", 1000, 1)

    def next_op(self) -> bytes:
        self.counter += 1
        return self.device + self.counter.to_bytes(8, "big")

    def request(self, name: str, *fields: Value) -> tuple[str, int, Value]:
        """Send a request; return the name, flags and fields of its final answer."""
        stream = self._stream()
        self.wire.send(name, *fields, stream=stream)
        self.answers: list[tuple[str, Value]] = []
        for answer, came_on, flags, got, _ in self.incoming():
            if came_on == stream and name == "HISTORY" and answer in PUSHED:
                self.answers.append((answer, got))
            elif came_on == stream:
                return answer, flags, got
        raise AssertionError

    def say(self, conversation: bytes, text: bytes, op: bytes = b"") -> tuple[str, int, Value]:
        """Send a message; with CURRENT its entry is taken from here."""
        op = op or self.next_op()
        envelope = (1, 1, conversation, 0, 0, 0, op, 0, 1, (), b"", text)
        name, flags, fields = self.request("SEND", packed(envelope))
        if name == "ACCEPTED" and flags & 1:
            sender = self.account + self.device
            deliver = [conversation, *fields[2:5], sender, b"", packed(envelope)]
            self._run("DELIVER", deliver)
        return name, flags, fields

    def wait_until(self, conversation: bytes, number: int) -> None:
        """Read on until a number was received."""
        incoming = self.incoming()
        while self.received.get(conversation, 0) < number:
            next(incoming)

    def _stream(self) -> int:
        self.streams += 1
        return self.streams


def bodies(entries: list[Any], conversation: bytes) -> list[bytes]:
    """Return the bodies of the messages of a conversation."""
    return [one[3][11] for one in entries if one[0] == conversation and one[3][1] == 1]

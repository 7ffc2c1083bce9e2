"""Servers that speak just enough of a peer's protocol, and can be told to break their promises.

``python -m tests.bench.fake_peers DIALECT FAULT`` prints its port. Every FAULT_EVERY-th message is
treated wrongly.
"""

import re
import sys
from base64 import b64decode

import trio

FAULT_EVERY = 20


class Hub:
    """Who listens to what, and how wrongly messages are passed on."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.listeners: dict[str, dict[int, Session]] = {}
        self.passed = 0
        self.withheld: bytes = b""

    def listen(self, topic: str, session: "Session") -> None:
        self.listeners.setdefault(topic, {})[id(session)] = session

    def pass_on(self, topic: str, body: bytes) -> None:
        """Deliver a message, or not, or twice, by the fault."""
        self.passed += 1
        wrong = self.passed % FAULT_EVERY == 0
        bodies = [body]
        if wrong and self.fault == "lose":
            bodies = []
        elif wrong and self.fault == "double":
            bodies = [body, body]
        elif wrong and self.fault == "corrupt":
            bodies = [body[:-1] + b"?"]
        elif wrong and self.fault == "swap":
            bodies, self.withheld = [], body
        elif self.withheld:
            bodies, self.withheld = [body, self.withheld], b""
        for session in self.listeners.get(topic, {}).values():
            for one in bodies:
                session.deliver(topic, one)


class Session:
    """One connection; ``feed`` takes whole messages from the front of what has come."""

    def __init__(self, hub: Hub, stream: trio.SocketStream) -> None:
        self.hub = hub
        self.stream = stream
        self.waiting = self.out = b""
        self.wake = trio.Event()

    def feed(self) -> None:
        """Take what is whole of ``waiting``."""
        raise NotImplementedError

    def deliver(self, topic: str, body: bytes) -> None:
        raise NotImplementedError

    def say(self, data: bytes) -> None:
        self.out += data
        self.wake.set()

    async def read(self) -> None:
        async for data in self.stream:
            self.waiting += data
            self.feed()

    async def write(self) -> None:
        while True:
            await self.wake.wait()
            self.wake = trio.Event()
            told, self.out = self.out, b""
            await self.stream.send_all(told)

    async def serve(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.write)
            await self.read()
            nursery.cancel_scope.cancel()


class Mqtt(Session):
    """MQTT 3.1.1, or 5 with ``properties``."""

    properties = b""

    def deliver(self, topic: str, body: bytes) -> None:
        head = len(topic).to_bytes(2) + topic.encode() + b"\0\1" + self.properties
        self.packet(0x32, head + body)

    def packet(self, kind: int, body: bytes) -> None:
        size, length = len(body), b""
        while True:
            size, low = divmod(size, 128)
            length += bytes([low | (128 if size else 0)])
            if not size:
                break
        self.say(bytes([kind]) + length + body)

    def feed(self) -> None:
        while len(self.waiting) > 1:
            at, size, shift = 1, 0, 0
            while True:
                size |= (self.waiting[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if not self.waiting[at - 1] & 128:
                    break
            if len(self.waiting) < at + size:
                break
            self.take(self.waiting[0], self.waiting[at : at + size])
            self.waiting = self.waiting[at + size :]

    def take(self, kind: int, body: bytes) -> None:
        if kind == 0x10:
            self.packet(0x20, b"\0\0" + self.properties)
        elif kind == 0x82:
            rest, granted = body[2 + len(self.properties) :], b""
            while rest:
                size = int.from_bytes(rest[:2])
                self.hub.listen(rest[2 : 2 + size].decode(), self)
                rest, granted = rest[3 + size :], granted + b"\1"
            self.packet(0x90, body[:2] + self.properties + granted)
        elif kind & 0xF0 == 0x30:
            size = int.from_bytes(body[:2])
            topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
            self.packet(0x40, rest[:2])
            self.hub.pass_on(topic, rest[2 + len(self.properties) :])


class Mqtt5(Mqtt):
    """MQTT 5 without any property."""

    properties = b"\0"


class Nats(Session):
    """NATS with consumers that are made by asking for them."""

    def deliver(self, topic: str, body: bytes) -> None:
        sid, reply = (b"2", b" ack.me") if topic.startswith("d") else (b"3", b"")
        self.message(topic.encode(), sid + reply, body)

    def message(self, subject: bytes, middle: bytes, body: bytes) -> None:
        self.say(b"MSG %s %s %d\r\n%s\r\n" % (subject, middle, len(body), body))

    def feed(self) -> None:
        while b"\r\n" in self.waiting:
            line, _, rest = self.waiting.partition(b"\r\n")
            words = line.split()
            if words[0] == b"PUB":
                size = int(words[-1])
                if len(rest) < size + 2:
                    break
                self.publish(words[1:-1], rest[:size])
                rest = rest[size + 2 :]
            elif words[0] == b"SUB":
                self.hub.listen(re.sub(r"^in", "d", words[1].decode()), self)
            elif words[0] == b"PING":
                self.say(b"PONG\r\n")
            self.waiting = rest

    def publish(self, subjects: list[bytes], body: bytes) -> None:
        if len(subjects) == 1:
            return  # an acknowledgement
        self.message(subjects[1], b"1", b'{"stream":"BENCH","seq":1}')
        if not subjects[0].startswith(b"$JS"):
            self.hub.pass_on(subjects[0].decode(), body)


class Xmpp(Session):
    """XMPP with stream management and rooms."""

    ELEMENT = re.compile(
        rb"<stream:stream[^>]*>|<(\w+)[^>]*/>|<(\w+)[^>]*>.*?</\2>", re.DOTALL
    )  # fmt: skip
    heads = handled = 0

    def deliver(self, topic: str, body: bytes) -> None:
        self.say(b"<message from='x'><body>%s</body></message>" % body)

    def feed(self) -> None:
        while found := self.ELEMENT.search(self.waiting):
            self.take(found[0])
            self.waiting = self.waiting[found.end() :]

    def take(self, text: bytes) -> None:
        if text.startswith(b"<stream:stream"):
            self.heads += 1
            inside = b"<mechanism>PLAIN</mechanism>" if self.heads == 1 else b"<bind/>"
            head = b"<?xml version='1.0'?><stream:stream id='1'>"
            self.say(head + b"<stream:features>" + inside + b"</stream:features>")
        elif text.startswith(b"<auth"):
            secret = b64decode(text.partition(b">")[2].partition(b"<")[0])
            self.hub.listen(secret.split(b"\0")[1].decode() + "@localhost", self)
            self.say(b"<success/>")
        elif text.startswith(b"<iq"):
            self.say(b"<iq type='result'><bind><jid>x</jid></bind></iq>")
        elif text.startswith(b"<enable"):
            self.say(b"<enabled/><r xmlns='urn:xmpp:sm:3'/>")
        elif text.startswith(b"<r "):
            self.say(b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % self.handled)
        elif text.startswith((b"<presence", b"<message")):
            self.handled += 1
            self.stanza(text)

    def stanza(self, text: bytes) -> None:
        to = re.search(rb"to='([^'/]*)", text)
        if to is not None and text.startswith(b"<presence"):
            self.hub.listen(to[1].decode(), self)
            self.say(b"<presence><status code='110'/></presence>")
        elif to is not None:
            body = re.search(rb"<body>(.*)</body>", text)
            assert body is not None
            self.hub.pass_on(to[1].decode(), body[1])


KINDS: dict[str, type[Session]] = {
    "mqtt": Mqtt,
    "mqtt5": Mqtt5,
    "nats": Nats,
    "xmpp": Xmpp,
}


async def main(dialect: str, fault: str) -> None:
    hub = Hub(fault)

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await KINDS[dialect](hub, stream).serve()
        except* trio.BrokenResourceError:
            pass

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    sys.stdout.write(f"{listeners[0].socket.getsockname()[1]}\n")
    sys.stdout.flush()
    await trio.serve_listeners(serve, listeners)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])

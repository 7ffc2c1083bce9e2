"""A server that keeps nothing and can be told to break its promises: the harness must notice.

``python -m tests.bench.fake_server FAULT`` prints its port and an invite. Every FAULT_EVERY-th
message is treated wrongly, or, with ``late``, all of them are.
"""

import os
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import msgpack
import trio

from bench import wire

FAULT_EVERY = 50
DELAY_S = 0.3
DELAYED_MAX = 100_000
AUTH_METHOD_ENROL = 2


class Session:
    """One connection."""

    def __init__(self, server: "FakeServer", stream: trio.SocketStream) -> None:
        self.server = server
        self.stream = stream
        self.account = self.device = b""
        self.out = bytearray()
        self.wake = trio.Event()
        self.withheld: bytes = b""

    def write(self, kind: int, fields: list[Any], stream: int = 0, flags: int = 0) -> None:
        """Add a frame to what waits."""
        self.write_bytes(wire.encode(kind, fields, stream, flags))

    def write_bytes(self, data: bytes) -> None:
        self.out += data
        self.wake.set()

    async def read_frames(self) -> None:
        reader = wire.FrameReader()
        while data := await self.stream.receive_some(65536):
            for frame in reader.feed(data):
                handler = HANDLERS.get(frame.type)
                if handler is not None:
                    handler(self, frame)

    async def write_frames(self) -> None:
        while True:
            await self.wake.wait()
            self.wake = trio.Event()
            data, self.out = self.out, bytearray()
            await self.stream.send_all(data)

    # -- frames --------------------------------------------------------------------------------

    def hello(self, frame: wire.Frame) -> None:
        self.write(wire.CHALLENGE, [1, 0, os.urandom(32), 0])

    def auth(self, frame: wire.Frame) -> None:
        credential = msgpack.unpackb(frame.fields[0])
        if credential[0] == AUTH_METHOD_ENROL:
            self.account, self.device = os.urandom(16), os.urandom(8)
        else:
            self.account, self.device = credential[1], credential[2]
        last = self.server.op_last.get(self.device, 0)
        self.write(
            wire.WELCOME,
            [
                1, self.account, self.device, bytes(16), [], self.server.position, 0, last, 1,
                15, 60, 1 << 20, 1024, 1024, 1 << 18, [],
            ],
        )  # fmt: skip

    def sync(self, frame: wire.Frame) -> None:
        self.server.online[self.account] = self
        self.write(wire.CHANGES, [[], False], frame.stream)
        self.write(wire.SYNCED, [self.server.position])

    def create(self, frame: wire.Frame) -> None:
        op, kind, others, _ = frame.fields
        conversation = wire.group_conversation(op)
        if kind == wire.DIRECT:
            conversation = wire.direct_conversation(self.account, others[0])
        self.server.members[conversation] = [self.account, *others]
        self.append(conversation, op, b"", frame.stream)

    def accept(self, frame: wire.Frame) -> None:
        op, conversation = frame.fields
        self.append(conversation, op, b"", frame.stream)

    def send(self, frame: wire.Frame) -> None:
        envelope = frame.fields[0]
        fields = msgpack.unpackb(envelope)
        self.append(fields[2], fields[6], envelope, frame.stream)

    def append(self, conversation: bytes, op: bytes, envelope: bytes, stream: int) -> None:
        server = self.server
        server.op_last[self.device] = int.from_bytes(op[8:], "big")
        seq = server.heads[conversation] = server.heads.get(conversation, 0) + 1
        server.position += 1
        place = [conversation, seq, server.position, 0]
        accepted = wire.encode(wire.ACCEPTED, [op, *place], stream, wire.CURRENT)
        deliver = wire.encode(wire.DELIVER, [*place, self.account + self.device, b"", envelope])
        readers = [
            server.online[account]
            for account in server.members[conversation]
            if account != self.account and account in server.online
        ]
        server.answer(self, accepted, readers if envelope else [], deliver)


HANDLERS: dict[int, Callable[[Session, wire.Frame], None]] = {
    wire.HELLO: Session.hello,
    wire.AUTH: Session.auth,
    wire.SYNC: Session.sync,
    wire.CREATE: Session.create,
    wire.ACCEPT: Session.accept,
    wire.SEND: Session.send,
}


Delayed = tuple[float, Session, bytes]


class FakeServer:
    """Conversations in memory, and one way to be wrong."""

    def __init__(self, fault: str, nursery: trio.Nursery) -> None:
        self.fault = fault
        self.nursery = nursery
        self.online: dict[bytes, Session] = {}
        self.members: dict[bytes, list[bytes]] = {}
        self.heads: dict[bytes, int] = {}
        self.op_last: dict[bytes, int] = {}
        self.position = 0
        self.messages = 0
        self.delayed, delayed = trio.open_memory_channel[Delayed](DELAYED_MAX)
        nursery.start_soon(self._write_delayed, delayed)

    def answer(
        self, sender: Session, accepted: bytes, readers: list[Session], deliver: bytes
    ) -> None:
        """Answer one message, rightly or wrongly."""
        self.messages += bool(readers)
        wrong = bool(readers) and self.messages % FAULT_EVERY == 0
        fault = self.fault if wrong or self.fault == "late" else ""
        if fault == "hang-up":
            self.nursery.start_soon(sender.stream.aclose)
            return
        if fault == "late":
            due = trio.current_time() + DELAY_S
            self.delayed.send_nowait((due, sender, accepted))
            for reader in readers:
                self.delayed.send_nowait((due, reader, deliver))
            return
        if fault != "no-answer":
            sender.write_bytes(accepted)
        for reader in readers:
            self._deliver(reader, deliver, fault)

    def _deliver(self, reader: Session, deliver: bytes, fault: str) -> None:
        if fault == "lose":
            return
        if fault == "corrupt":
            deliver = deliver[:-1] + bytes([deliver[-1] ^ 1])
        if fault == "reorder":
            reader.withheld = deliver
            return
        reader.write_bytes(deliver)
        if fault == "double":
            reader.write_bytes(deliver)
        if reader.withheld:
            reader.write_bytes(reader.withheld)
            reader.withheld = b""

    async def _write_delayed(self, delayed: trio.MemoryReceiveChannel[Delayed]) -> None:
        """All are delayed alike, so they stay in order."""
        async for due, session, data in delayed:
            await trio.sleep_until(due)
            session.write_bytes(data)

    async def serve(self, stream: trio.SocketStream) -> None:
        session = Session(self, stream)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.write_frames)
                await session.read_frames()
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer is gone
        finally:
            if self.online.get(session.account) is session:
                del self.online[session.account]


async def main(fault: str) -> None:
    """Serve until killed."""
    async with trio.open_nursery() as nursery:
        server = FakeServer(fault, nursery)
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        code = urlsafe_b64encode(b"any").rstrip(b"=").decode()
        sys.stdout.write(f"wxserve+plain://127.0.0.1:{port}/{code}\n")
        sys.stdout.flush()
        await trio.serve_listeners(server.serve, listeners)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])

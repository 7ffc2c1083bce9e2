"""A router without rooms below it, and peers on real sockets."""

import select
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from wxserve.app.identity import self_signed
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.transcript import Binding
from wxserve.transport.limits import TransportLimits
from wxserve.transport.listener import Listener, bind_tcp
from wxserve.transport.pump import Pump
from wxserve.transport.tls import TlsIdentity, load_identity


class FakeLink:
    """Collects what comes and sends what a test puts into ``outgoing``; echoes if asked to."""

    def __init__(
        self, router: "FakeRouter", address: str, binding: Binding, accepted_s: float
    ) -> None:
        self.router = router
        self.accepted_s = accepted_s
        self.address = address
        self.binding = binding
        self.received = b""
        self.receives: list[int] = []
        self.outgoing = b""
        self.takes: list[int] = []
        self.closing = False
        self.authenticated = router.authenticates
        self.paused = False
        self.is_lost = False
        self.take_bytes_max: int | None = None

    @property
    def outgoing_bytes(self) -> int:
        return len(self.outgoing)

    def receive(self, data: bytes) -> None:
        assert not self.is_lost
        self.received += data
        self.receives.append(len(data))
        if self.router.defect is not None:
            raise self.router.defect
        if self.router.echo:
            self.send(data)

    def send(self, data: bytes) -> None:
        self.outgoing += data
        self.router.dirty.add(self)

    def take(self) -> bytes:
        cut = self.take_bytes_max or len(self.outgoing)
        data, self.outgoing = self.outgoing[:cut], self.outgoing[cut:]
        self.takes.append(len(data))
        return data

    def close(self) -> None:
        self.closing = True
        self.router.dirty.add(self)

    def resume(self) -> None:
        self.paused = False
        self.router.dirty.add(self)

    def lost(self) -> None:
        self.is_lost = True


class FakeDirty:
    def __init__(self) -> None:
        self._links: dict[FakeLink, None] = {}
        self._event = trio.Event()

    def add(self, link: FakeLink) -> None:
        self._links[link] = None
        self._event.set()

    def take(self) -> list[FakeLink]:
        links = list(self._links)
        self._links.clear()
        if self._event.is_set():
            self._event = trio.Event()
        return links

    async def wait(self) -> None:
        await self._event.wait()


class FakeRouter:
    def __init__(self, *, echo: bool = False) -> None:
        self.dirty = FakeDirty()
        self.links: list[FakeLink] = []
        self.echo = echo
        self.authenticates = True
        self.links_max = 10_000
        self.defect: Exception | None = None
        self._awaited = (0, trio.Event())

    async def wait_links(self, count: int) -> None:
        self._awaited = (count, trio.Event())
        if len(self.links) >= count:
            self._awaited[1].set()
        await self._awaited[1].wait()

    def open_link(self, address: str, binding: Binding, accepted_s: float) -> FakeLink:
        if len(self.links) >= self.links_max:
            raise Refusal(ErrorCode.TOO_MANY_CONNECTIONS, retry_after_ms=1000)
        link = FakeLink(self, address, binding, accepted_s)
        self.links.append(link)
        if len(self.links) == self._awaited[0]:
            self._awaited[1].set()
        return link

    @property
    def link(self) -> FakeLink:
        """The only one."""
        (link,) = self.links
        return link


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.tick_s = 0.0

    def __call__(self) -> float:
        self.now += self.tick_s
        return self.now


class Stage:
    """A pump that a test drives by hand, and the peers that talk to it."""

    def __init__(
        self,
        router: FakeRouter,
        *,
        tls: TlsIdentity | None = None,
        limits: TransportLimits | None = None,
    ) -> None:
        self.router = router
        self.clock = Clock()
        self.pump = Pump(router, tls, limits or TransportLimits(), self.clock)
        (sock,) = bind_tcp("127.0.0.1", 0, 4096)
        self.address = sock.getsockname()
        self.listener = Listener(sock)
        self.pump.entrance.listen(self.listener)
        self.peers: list[socket.socket] = []

    def connect(self, *, receive_buffer: int | None = None, source: str = "") -> socket.socket:
        """Connect a peer with a timeout, so that a failing test does not hang."""
        peer = socket.socket()
        self.peers.append(peer)
        peer.settimeout(10)
        if receive_buffer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            peer.bind((source, 0))
        peer.connect(self.address)
        return peer

    def until(self, condition: Callable[[], object], *, steps: int = 4000) -> None:
        """Step the pump until the condition holds."""
        for _ in range(steps):
            if condition():
                return
            select.select([self.pump.streams.poller.fileno()], [], [], 0.005)
            self.pump.step()
        raise AssertionError(f"never: {condition}")

    def joined(self) -> tuple[socket.socket, FakeLink]:
        """Connect a plain peer and return it with its link."""
        count = len(self.router.links)
        peer = self.connect()
        self.until(lambda: len(self.router.links) > count)
        return peer, self.router.links[-1]

    def read(self, peer: socket.socket, length: int) -> bytes:
        """Read exactly ``length`` bytes at a peer while the pump runs."""
        peer.setblocking(False)
        data = bytearray()

        def complete() -> bool:
            with suppress(BlockingIOError):
                data.extend(peer.recv(1 << 20))
            return len(data) >= length

        self.until(complete)
        return bytes(data)

    def read_to_end(self, peer: socket.socket) -> bytes:
        """Read until the peer sees the end of the stream; a reset is an error."""
        peer.setblocking(False)
        data = bytearray()

        def ended() -> bool:
            try:
                chunk = peer.recv(1 << 16)
            except BlockingIOError:
                return False
            data.extend(chunk)
            return not chunk

        self.until(ended)
        return bytes(data)

    def is_reset(self, peer: socket.socket) -> bool:
        """Whether the peer was reset, once the pump had time for it."""
        peer.setblocking(False)
        outcome: list[bool] = []

        def over() -> bool:
            try:
                chunk = peer.recv(1 << 16)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                outcome.append(True)
                return True
            if not chunk:
                outcome.append(False)
            return not chunk

        self.until(over)
        return outcome[0]

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        self.pump.close()


@contextmanager
def stage(
    router: FakeRouter | None = None,
    *,
    tls: TlsIdentity | None = None,
    limits: TransportLimits | None = None,
) -> Iterator[Stage]:
    made = Stage(router or FakeRouter(), tls=tls, limits=limits)
    try:
        yield made
    finally:
        made.close()


def make_identity() -> TlsIdentity:
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = self_signed()
        key_file, certificate_file = Path(directory, "key"), Path(directory, "certificate")
        key_file.write_bytes(key)
        certificate_file.write_bytes(certificate)
        return load_identity(certificate_file, key_file)


class TlsPeer:
    """A TLS client that is moved by hand, so that it can stop in the middle."""

    def __init__(
        self, stage_: Stage, *, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, source: str = ""
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = maximum
        self.stage = stage_
        self.socket = stage_.connect(source=source)
        self.socket.setblocking(False)
        self.tls = context.wrap_socket(self.socket, do_handshake_on_connect=False)
        stage_.peers[-1] = self.tls

    def shake(self) -> None:
        def done() -> bool:
            try:
                self.tls.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            return True

        self.stage.until(done)

    def send(self, data: bytes) -> None:
        view = memoryview(data)

        def sent() -> bool:
            nonlocal view
            try:
                view = view[self.tls.send(view) :]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            return not view

        self.stage.until(sent)

    def read(self, length: int) -> bytes:
        data = bytearray()

        def complete() -> bool:
            with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                data.extend(self.tls.recv(1 << 16))
            return len(data) >= length

        self.stage.until(complete)
        return bytes(data)

    def read_to_end(self) -> bytes:
        data = bytearray()

        def ended() -> bool:
            try:
                chunk = self.tls.recv(1 << 16)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            except ssl.SSLZeroReturnError:
                return True
            data.extend(chunk)
            return not chunk

        self.stage.until(ended)
        return bytes(data)

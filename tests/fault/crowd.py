"""A crowd of hostile connections from many loopback addresses, in a process of its own.

Usage: crowd.py HOST PORT KIND COUNT RATE LATE SECONDS. It opens COUNT connections of a kind, RATE a
second, each from the next address 127.x.y.z, and keeps those that the server has not ended. It prints
``up``, then, when the last was opened, ``all``, and when the server has ended every one, ``reaped
SECONDS``: the longest that one was kept.

silent   says nothing at all
slow     one byte of a TLS greeting every half second
greeted  finishes TLS, then says nothing
hello    says its first TLS record and no more
large    finishes TLS, then announces a frame of 16 MiB and sends bytes of it for ever
late     begins TLS after LATE seconds, then says nothing, and never hangs up: it stays until it is reset
"""

import contextlib
import selectors
import socket
import ssl
import sys
import time
from collections import deque
from typing import Final

SLOW_S: Final = 0.5
OVERSIZED: Final = bytes.fromhex("ffffff00 0001 0000") + bytes(4096)


def hello() -> bytes:
    """Return the first bytes of a TLS client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError


class Crowd:
    """The connections of one process.

    Attributes:
        longest_s: how long the server kept one at most, so far.
    """

    def __init__(self, host: str, port: int, kind: str, late_s: float) -> None:
        self._host, self._port, self._kind, self._late_s = host, port, kind, late_s
        self._selector = selectors.DefaultSelector()
        self._opened: dict[socket.socket, float] = {}
        self._slow: deque[tuple[float, int, socket.socket]] = deque()
        self._late: deque[tuple[float, socket.socket]] = deque()
        self._shaking: set[socket.socket] = set()
        self._staying: deque[tuple[float, socket.socket]] = deque()
        self._hello = hello()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self.longest_s = 0.0
        self.unopened = 0

    def __len__(self) -> int:
        return len(self._opened)

    def open(self, number: int) -> None:
        """Open one more."""
        address = f"127.{number // 60_000 % 200 + 1}.{number // 240 % 250}.{number % 240 + 2}"
        sock = socket.socket()
        sock.bind((address, 0))
        sock.settimeout(10)
        try:
            sock.connect((self._host, self._port))
            if self._kind in {"greeted", "large"}:
                sock = self._context.wrap_socket(sock)
        except OSError:
            self.unopened += 1
            sock.close()
            return
        sock.setblocking(False)
        self._opened[sock] = time.monotonic()
        self._selector.register(sock, selectors.EVENT_READ)
        if self._kind == "slow":
            self._slow.append((time.monotonic(), 0, sock))
        if self._kind == "late":
            self._late.append((time.monotonic() + self._late_s, sock))
        if self._kind == "hello":
            self._send(sock, self._hello)
        if self._kind == "large":
            self._send(sock, OVERSIZED)

    def _send(self, sock: socket.socket, data: bytes) -> None:
        try:
            sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return
        except OSError:
            self._drop(sock)

    def step(self) -> None:
        """Notice what the server ended; let the slow ones say their next byte."""
        for key, _ in self._selector.select(0.01):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                self._read(sock)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except OSError:
                self._drop(sock)
        now = time.monotonic()
        while self._late and self._late[0][0] <= now:
            self._begin_tls(self._late.popleft()[1])
        while self._staying and self._staying[0][0] <= now:
            self._stay(self._staying.popleft()[1])
        while self._slow and self._slow[0][0] <= now:
            _, place, sock = self._slow.popleft()
            if sock in self._opened:
                self._send(sock, self._hello[place : place + 1] or b"\0")
                self._slow.append((now + SLOW_S, place + 1, sock))

    def _read(self, sock: socket.socket) -> None:
        """Go on with TLS, or read; notice the end. Raises OSError if the server ended it."""
        if sock in self._shaking:
            assert isinstance(sock, ssl.SSLSocket)
            sock.do_handshake()
            self._shaking.discard(sock)
        elif not sock.recv(65_536):
            if self._kind != "late":
                self._drop(sock)
                return
            self._selector.unregister(sock)
            self._stay(sock)

    def _begin_tls(self, sock: socket.socket) -> None:
        opened = self._opened.pop(sock, None)
        if opened is None:
            return
        self._selector.unregister(sock)
        begun = self._context.wrap_socket(sock, do_handshake_on_connect=False)
        self._opened[begun] = opened
        self._shaking.add(begun)
        self._selector.register(begun, selectors.EVENT_READ)
        with contextlib.suppress(ssl.SSLWantReadError):
            begun.do_handshake()

    def _stay(self, sock: socket.socket) -> None:
        """Stay although the server has said its last; a byte now and then finds out how long."""
        try:
            socket.socket.send(sock, b"\0")  # below TLS
        except OSError:
            self._drop(sock)
        else:
            self._staying.append((time.monotonic() + SLOW_S, sock))

    def _drop(self, sock: socket.socket) -> None:
        opened = self._opened.pop(sock, None)
        if opened is not None:
            self.longest_s = max(self.longest_s, time.monotonic() - opened)
            if sock in self._selector.get_map():
                self._selector.unregister(sock)
            sock.close()


def tell(words: str) -> None:
    """Write a line for whoever waits for it."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> None:
    """Open them at the wished rate, then watch the server end them."""
    host, port, kind, count, rate, late, seconds = sys.argv[1:]
    crowd = Crowd(host, int(port), kind, float(late))
    tell("up")
    begin = time.monotonic()
    for number in range(int(count)):
        crowd.open(number)
        while time.monotonic() < begin + number / float(rate) or number % 50 == 0:
            crowd.step()
            if time.monotonic() >= begin + number / float(rate):
                break
    tell("all")
    end = time.monotonic() + float(seconds)
    while len(crowd) and time.monotonic() < end:
        crowd.step()
    tell(f"reaped {crowd.longest_s:.1f} left {len(crowd)} unopened {crowd.unopened}")


if __name__ == "__main__":
    main()

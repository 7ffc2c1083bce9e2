"""Signs handshakes for a generator that was built without OpenSSL."""

import socket
import struct
import threading
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.plan import Device
from bench.wire import device_credential, hello_body, to_sign

HEAD: Final = struct.Struct(">II")
NONCE_BYTES: Final = 32
REQUEST_BYTES_MAX: Final = 1024
AT_ONCE_MAX: Final = 128
"""Handshakes under way together, so that requests and answers fit the socket's buffers."""


class Signer:
    """A thread that answers each request with a signature, until the generator is gone.

    A request is device (u32), length of CHALLENGE (u32), nonce of HELLO, body of CHALLENGE; an
    answer is device, signature. Only plain TCP: without OpenSSL the generator has no TLS.

    Attributes:
        generator_end: the socket that the generator inherits.
    """

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices
        self.generator_end, self._own_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self.generator_end.close()
        self._own_end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._own_end.close()

    def _serve(self) -> None:
        while request := self._own_end.recv(REQUEST_BYTES_MAX):
            number, length = HEAD.unpack_from(request)
            nonce = request[HEAD.size : HEAD.size + NONCE_BYTES]
            challenge = request[HEAD.size + NONCE_BYTES :][:length]
            device = self._devices[number]
            credential = device_credential(device.account, device.id)
            signed = to_sign(hello_body(nonce), challenge, b"", credential)
            signature = Ed25519PrivateKey.from_private_bytes(device.key).sign(signed)
            self._own_end.send(struct.pack(">I", number) + signature)

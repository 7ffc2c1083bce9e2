"""The command line, as a process: what it prints, refuses and returns."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import wxserve
from tests.wire.raw_client import RawDevice
from tests.wire.server_process import ServerProcess
from wxserve.protocol.invites import parse_invite
from wxserve.protocol.rows import COMPILED

pytestmark = pytest.mark.wire


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wxserve", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(status: int, *arguments: str) -> str:
    """Return the one complaint of a command that must fail."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


def test_version_is_printed() -> None:
    how = "compiled" if COMPILED else "pure Python"
    assert run("--version").stdout == f"wxserve {wxserve.__version__} ({how})\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "required: COMMAND"),
        (["serv"], "invalid choice: 'serv'"),
        (["serve"], "required: --data"),
        (["serve", "--data", "d", "--listen", "here"], "no HOST:PORT"),
        (["serve", "--data", "d", "--listen", "::1:80"], "no HOST:PORT"),
        (["invite", "--data", "d", "--valid", "soon"], "no span of time"),
        (["invite", "--data", "d", "--count", "0"], "no number from 1"),
        (["invite", "--data", "d", "--account", "abc"], "32 hexadecimal digits"),
        (["check-config", "--config", "absent.toml"], "absent.toml: No such file"),
        (
            ["serve", "--data", "d", "--listen", "0.0.0.0:0", "--insecure-plaintext"],
            "loopback only, not for 0.0.0.0",
        ),
        (["serve", "--data", "d", "--insecure-plaintext"], "loopback only, not for all addresses"),
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], complaint: str) -> None:
    assert complaint in refused(2, *arguments)


def test_wrong_configuration_stops_every_command(tmp_path: Path) -> None:
    (tmp_path / "wxserve.toml").write_text("[log]\nlevl = 1\n")
    for command in ("serve", "invite", "check-config"):
        assert "wxserve.toml:2: [log] has no option levl" in refused(
            2, command, "--data", str(tmp_path)
        )


def test_check_config_prints_what_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "wxserve.toml").write_text("[log]\nlevel = 'debug'\n")
    done = run("check-config", "--data", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert '\nlevel = "debug"\n' in done.stdout
    assert "# " not in done.stdout
    assert "# Events below it" in run("check-config", "--explain").stdout


def test_invite_without_a_server_says_what_to_do(tmp_path: Path) -> None:
    assert "wxserve serve --data" in refused(1, "invite", "--data", str(tmp_path / "none"))


def test_server_refuses_secrets_open_to_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = ServerProcess(data).start()
    assert server.stop() == 0
    (data / "secrets" / "tls.key.pem").chmod(0o640)
    for command in ("serve", "invite"):
        assert "tls.key.pem can be read by others" in refused(1, command, "--data", str(data))


def test_server_refuses_a_taken_port_and_a_taken_directory(server: ServerProcess) -> None:
    where = f"127.0.0.1:{server.port}"
    other = str(server.directory.parent / "other")
    assert "Address already in use" in refused(1, "serve", "--data", other, "--listen", where)
    assert "in use by another server" in refused(1, "serve", "--data", str(server.directory))


def test_server_refuses_a_host_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot listen on no-such.invalid:1" in refused(
        1, "serve", "--data", str(tmp_path / "data"), "--listen", "no-such.invalid:1"
    )


def test_invites_of_a_running_server_enrol_until_they_expire(server: ServerProcess) -> None:
    output = run("invite", "--data", str(server.directory), "--json", "--valid", "2h").stdout
    made = json.loads(output)
    left_s = (datetime.fromisoformat(made["expires"]) - datetime.now(UTC)).total_seconds()
    assert 6000 < left_s <= 7200
    invite = parse_invite(made["invites"][0])
    assert (invite.host, invite.port, len(invite.pins)) == ("127.0.0.1", server.port, 2)
    device = RawDevice(invite.host, invite.port)
    client = device.enrol(invite.code)
    assert client.binding.value == invite.pins[0]
    client.close()
    more = run("invite", "--data", str(server.directory), "--account", device.account.hex())
    second = RawDevice(invite.host, invite.port)
    second.enrol(parse_invite(more.stdout).code).close()
    assert second.account == device.account


def test_invites_name_the_host_of_the_option_or_of_the_configuration(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = ServerProcess(data).start()
    assert server.stop() == 0
    assert str(parse_invite(run("invite", "--data", str(data)).stdout).port) == str(server.port)
    (data / "wxserve.toml").write_text('[server]\nadvertise = "chat.example:443"\n')
    invite = parse_invite(run("invite", "--data", str(data), "--count", "1").stdout)
    assert (invite.host, invite.port) == ("chat.example", 443)
    done = run("invite", "--data", str(data), "--count", "3", "--host", "[2001:db8::1]:5")
    found = {parse_invite(line)[:2] for line in done.stdout.splitlines()}
    assert found == {("2001:db8::1", 5)}


def test_plaintext_server_makes_plaintext_invites(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", tls=False).start()
    (invite,) = server.invites(1)
    assert (invite.tls, invite.pins) == (False, ())
    RawDevice(invite.host, invite.port, tls=False).enrol(invite.code).close()
    assert server.stop() == 0

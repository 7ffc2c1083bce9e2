"""Prosody: one process, XMPP, its stores in files."""

import os
from pathlib import Path
from typing import Final

from bench.peers.launching import HOST, Place, Running, answers, program

PACKAGES: Final = ("prosody",)
CONFIG: Final = """
{as_root}
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
log = {{ error = "*console" }}
plugin_paths = {{}}
c2s_ports = {{ {port} }}
c2s_interfaces = {{ "{host}" }}
modules_disabled = {{ "s2s", "tls", "admin_socket", "posix" }}
modules_enabled = {{ "roster", "saslauth", "smacks", "offline", {archive} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
archive_expires_after = "never"
default_archive_policy = true
smacks_max_unacked_stanzas = 64
limits = {{}}
network_settings = {{ tcp_backlog = 4096 }}
VirtualHost "localhost"
Component "conference.localhost" "muc"
  muc_room_locking = false
  muc_room_default_presence_broadcast = {{ visitor = false, participant = false, moderator = false }}
  muc_room_default_history_length = 0
  {rooms}
"""
ACCOUNT: Final = 'return {{\n\t["password"] = "{name}";\n}};\n'


def start(place: Place) -> Running:
    """Start it with its archive. Raises PeerError: it does not start."""
    return _start(place, archive='"mam"', rooms='modules_enabled = { "muc_mam" }')


def start_without_archive(place: Place) -> Running:
    """Start it without an archive. Raises PeerError: it does not start."""
    return _start(place, archive="", rooms="")


def _start(place: Place, archive: str, rooms: str) -> Running:
    config = place.directory / "prosody.cfg.lua"
    config.write_text(
        CONFIG.format(
            as_root="run_as_root = true" if os.geteuid() == 0 else "",
            directory=place.directory,
            port=place.port,
            host=HOST,
            archive=archive,
            rooms=rooms,
        )
    )
    _write_accounts(place.directory / "data/localhost/accounts", place.accounts)
    running = Running(place)
    running.launch([program("prosody"), "-F", "--config", str(config)])
    running.wait_ready(lambda: answers(place.port))
    return running


def _write_accounts(directory: Path, count: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (directory / f"u{number}.dat").write_text(ACCOUNT.format(name=f"u{number}"))

"""ejabberd: one Erlang process, XMPP, with or without an archive in PostgreSQL."""

from pathlib import Path
from typing import Final

from bench.peers import postgres
from bench.peers.launching import HOST, PeerError, Place, Running, program

PACKAGES: Final = ("ejabberd",)
PACKAGES_WITH_ARCHIVE: Final = (*PACKAGES, "erlang-p1-pgsql", *postgres.PACKAGES)
SCHEMA: Final = Path("/usr/share/ejabberd/sql/pg.sql")
READY: Final = "bench: accounts are there"
PROCESSES_MAX: Final = "250000"
CONFIG: Final = """
hosts: [localhost]
loglevel: error
listen:
  - port: {port}
    ip: "{host}"
    module: ejabberd_c2s
    backlog: 4096
    starttls: false
    max_stanza_size: 262144
    access: all
    shaper: none
auth_method: internal
auth_password_format: plain
max_fsm_queue: 1000000
acl: {{}}
shaper_rules:
  max_user_sessions: 10
  max_user_offline_messages: infinity
modules:
  mod_offline:
    access_max_user_messages: max_user_offline_messages
  mod_stream_mgmt:
    max_ack_queue: infinity
    resume_timeout: 0
    resend_on_timeout: true
  mod_muc:
    max_users: 20000
    history_size: 0
    min_message_interval: 0
    min_presence_interval: 0
    default_room_options:
      presence_broadcast: []
      max_users: 20000
      mam: {room_archive}
{archive}
"""
ARCHIVE: Final = """
  mod_mam:
    db_type: sql
    default: always
sql_type: pgsql
sql_server: "{host}"
sql_port: {port}
sql_username: bench
sql_database: bench
sql_password: bench
sql_pool_size: 10
sql_prepared_statements: true
"""


def start(place: Place) -> Running:
    """Start it without an archive. Raises PeerError: it does not start."""
    running = Running(place)
    _start(running, "")
    return running


def start_with_archive(place: Place) -> Running:
    """Start it with an archive in PostgreSQL. Raises PeerError: it does not start."""
    running = Running(place)
    try:
        postgres.start(running, SCHEMA)
        _start(running, ARCHIVE.format(host=HOST, port=postgres.port_of(place)))
    except BaseException:
        running.kill()
        raise
    return running


def _libraries() -> str:
    """Return the directory that Debian keeps its Erlang libraries in."""
    found = next(iter(Path("/usr/lib").glob("*/ejabberd-*")), None)
    if found is None:
        raise PeerError("ejabberd is not installed")
    return str(found.parent)


def _start(running: Running, archive: str) -> None:
    place = running.place
    config, log = place.directory / "ejabberd.yml", place.directory / "log"
    text = CONFIG.format(
        port=place.port, host=HOST, archive=archive, room_archive=str(bool(archive)).lower()
    )
    config.write_text(text)
    register = (
        "lists:foreach(fun(N) -> U = iolist_to_binary([$u, integer_to_list(N)]), "
        f'ejabberd_auth:try_register(U, <<"localhost">>, U) end, lists:seq(0, {place.accounts - 1})'
        f'), io:format("{READY}~n").'
    )
    command = [program("erl"), "-noinput", "+K", "true", "+P", PROCESSES_MAX]
    command += ["-mnesia", "dir", f'"{place.directory}/spool"', "-s", "ejabberd"]
    environment = {
        "HOME": str(place.directory),
        "ERL_LIBS": _libraries(),
        "ERL_MAX_PORTS": "65536",
        "ERL_CRASH_DUMP_BYTES": "0",
        "EJABBERD_CONFIG_PATH": str(config),
        "EJABBERD_LOG_PATH": str(place.directory / "ejabberd.log"),
    }
    before = log.read_text(errors="replace").count(READY) if log.exists() else 0
    running.launch([*command, "-eval", register], environment)
    running.wait_ready(lambda: log.read_text(errors="replace").count(READY) > before)

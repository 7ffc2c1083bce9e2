"""Mosquitto: one process, MQTT, sessions and queues in memory, written out now and then."""

import os
from typing import Final

from bench.peers.launching import HOST, Place, Running, answers, program

PACKAGES: Final = ("mosquitto",)
CONFIG: Final = """
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval {autosave}
autosave_on_changes {on_changes}
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
log_type error
log_dest stderr
{user}
"""


def start(place: Place, *, every_change: bool = False) -> Running:
    """Start it.

    Args:
        place: where.
        every_change: write everything out after each change, in place of every half hour.

    Raises:
        PeerError: it does not start.
    """
    config = place.directory / "mosquitto.conf"
    config.write_text(
        CONFIG.format(
            port=place.port,
            host=HOST,
            directory=place.directory,
            autosave=1 if every_change else 1800,  # the default
            on_changes="true" if every_change else "false",
            user="user root" if os.geteuid() == 0 else "",
        )
    )
    running = Running(place)
    running.launch([program("mosquitto"), "-c", str(config)])
    running.wait_ready(lambda: answers(place.port))
    return running

"""Telling the service manager how far we are. Source: sd_notify(3)."""

import os
import socket


def notify(state: str) -> None:
    """Send a state such as ``READY=1``; without a service manager nothing happens.

    A manager that does not listen is no reason to stop serving, so errors are ignored.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), address)
        except OSError:
            return

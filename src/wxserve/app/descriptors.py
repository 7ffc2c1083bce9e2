"""How many files and sockets the process may open."""

import logging
import resource
from dataclasses import replace
from typing import Final

from wxserve.transport.limits import TransportLimits

RESERVED: Final = 128
"""Descriptors kept for the database, the log and the loop."""
_log = logging.getLogger("wxserve.app")


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _log.info("limits.descriptors", extra={"limit": hard, "before": soft})
    return hard


def fit_connections(limits: TransportLimits, descriptors: int) -> TransportLimits:
    """Lower the limit of connections to what the descriptors allow.

    Args:
        limits: as configured.
        descriptors: that the process may open.
    """
    possible = max(1, descriptors - RESERVED - limits.refusals_max)
    if limits.connections_max <= possible:
        return limits
    _log.warning(
        "limits.connections_lowered",
        extra={"connections_max": possible, "configured": limits.connections_max},
    )
    return replace(limits, connections_max=possible)

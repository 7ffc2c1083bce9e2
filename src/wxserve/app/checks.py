"""Limits that each are in range and together make no sense."""

from collections.abc import Iterator

from wxserve.protocol.frames import ENTRY_BYTES_MAX
from wxserve.router.limits import RouterLimits
from wxserve.transport.limits import TransportLimits

_U16_MAX = 2**16 - 1
_CREDIT_MAX = 2**31


def contradictions(
    transport: TransportLimits, router: RouterLimits
) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield (table and option, what is wrong with it) for every contradiction."""
    if router.heartbeat_min_s > router.heartbeat_max_s:
        yield ("router", "heartbeat_min_s"), "must not be above heartbeat_max_s"
    if router.heartbeat_max_s > _U16_MAX:
        yield ("router", "heartbeat_max_s"), f"must be at most {_U16_MAX}"
    if not ENTRY_BYTES_MAX <= router.credit_bytes < _CREDIT_MAX:
        problem = f"must be {ENTRY_BYTES_MAX} (one largest entry) to {_CREDIT_MAX - 1}"
        yield ("router", "credit_bytes"), problem
    if router.credit_entries >= _CREDIT_MAX:
        yield ("router", "credit_entries"), f"must be below {_CREDIT_MAX}"
    if router.outgoing_bytes_low >= router.outgoing_bytes_max:
        yield ("router", "outgoing_bytes_low"), "must be below outgoing_bytes_max"
    if transport.recv_bytes > 1 << 20:
        yield ("transport", "recv_bytes"), "must be at most 1048576"

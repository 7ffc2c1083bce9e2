"""How a client is to behave, where the defaults do not fit."""

from dataclasses import dataclass, field

from .address import Dial
from .core.ports import Entropy
from .limits import CoreLimits, Retention, ShellLimits


@dataclass(frozen=True, slots=True)
class Options:
    """Everything about a client that has a good default.

    Attributes:
        core: bounds and times of the protocol.
        shell: bounds and times of sockets, threads and tasks.
        retention: what the state file keeps of handled entries.
        dial: opens connections instead of TCP, for tests.
        entropy: unpredictable bytes instead of the system's, for tests.
    """

    core: CoreLimits = field(default_factory=CoreLimits)
    shell: ShellLimits = field(default_factory=ShellLimits)
    retention: Retention = field(default_factory=Retention)
    dial: Dial | None = None
    entropy: Entropy | None = None


DEFAULTS = Options()

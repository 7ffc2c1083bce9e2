"""What one seed stands for: the world, its limits, its weather, and what happens when."""

from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import NamedTuple

from wxclient.limits import CoreLimits
from wxserve.router.limits import AdmissionLimits, Budget, Rate, RouterLimits
from wxserve.store.limits import StoreLimits
from wxserve.testing.network import Pieces, Weather


class Mode(Enum):
    """What is asked of a run."""

    SAFETY = "safety"
    """Faults to the last moment; nothing false may ever be said."""
    LIVENESS = "liveness"
    """Faults stop; after a bounded time everybody has everything."""


ACTS = {
    "send": 30, "burst": 4, "send self": 2, "send expiring": 2, "remove": 1, "leave": 1,
    "invite": 2, "new device": 1, "new group": 1, "cut": 6, "cut one side": 3, "hold": 5,
    "client crash": 4, "freeze": 2, "ghost": 1, "server crash": 2, "server restart": 1,
    "clock jump": 1, "disk full": 1, "redact": 3, "register": 3, "history": 3, "revoke": 1,
}  # fmt: skip
"""What may happen, and how often in comparison."""
ACCOUNTS = (2, 3)
TWINS = (0, 1, 2)


class Act(NamedTuple):
    """Something that happens at a time."""

    at_s: float
    name: str


@dataclass(frozen=True)
class Plan:
    """Everything that a seed decides before the run begins.

    Attributes:
        seed: decides.
        mode: what is asked.
        accounts: how many.
        twins: how many accounts have a second device.
        scratch: enrolment and first conversations are part of the run, not prepared.
        lasts_s: how long faults come.
        acts: what happens.
    """

    seed: int
    mode: Mode
    accounts: int
    twins: int
    scratch: bool
    lasts_s: float
    acts: tuple[Act, ...]
    router: RouterLimits
    store: StoreLimits
    admission: AdmissionLimits
    client: CoreLimits

    @property
    def kept_s(self) -> tuple[float, float]:
        """Return how long entries are kept at least and at most."""
        return self.store.keep_acknowledged_s, self.store.keep_s_max


def draw(seed: int) -> Plan:
    """Return the plan of a seed."""
    random = Random(f"{seed}/plan")
    lasts_s = random.uniform(1.0, 4.0)
    count = random.choice((5, 8, 12, 18, 26))
    names = random.choices(list(ACTS), list(ACTS.values()), k=count)
    times = sorted(random.uniform(0, lasts_s) for _ in range(count))
    return Plan(
        seed,
        random.choice((Mode.LIVENESS, Mode.LIVENESS, Mode.SAFETY)),
        random.choice(ACCOUNTS),
        random.choice(TWINS),
        random.random() < 0.15,
        lasts_s,
        tuple(Act(at_s, name) for at_s, name in zip(times, names, strict=True)),
        _router(random),
        _store(random),
        _admission(random),
        _client(random),
    )


def _router(random: Random) -> RouterLimits:
    choose = random.choice
    return RouterLimits(
        handshake_deadline_s=2.0,
        heartbeat_min_s=1,
        heartbeat_max_s=choose((1, 2)),
        outgoing_bytes_max=choose((262_144, 262_144, 400)),
        outgoing_bytes_low=choose((65_536, 65_536, 200)),
        credit_bytes=choose((1 << 20, 1 << 20, 700)),
        credit_entries=choose((1024, 1024, 5, 2)),
        read_entries=choose((128, 3)),
        read_bytes=choose((65_536, 300)),
        fanout_step_sessions=choose((512, 512, 1)),
        fanouts_waiting_max=choose((4096, 2)),
        synced_interval_s=choose((1.0, 0.2)),
    )


def _store(random: Random) -> StoreLimits:
    choose = random.choice
    keep = choose((False, False, False, True))
    return StoreLimits(
        ballast_bytes=0,
        batch_units_max=choose((1024, 1024, 2)),
        merge_entries=choose((16_000, 4, 1)),
        merge_slice_rows=choose((512, 3)),
        conversations_cached_max=choose((65_536, 0)),
        devices_cached_max=choose((65_536, 0)),
        accounts_changed_max=choose((1_000_000, 2)),
        read_rows_max=choose((256, 2)),
        cursor_flush_s=choose((2.0, 0.5)),
        maintenance_s=1.0 if keep else 60.0,
        keep_acknowledged_s=1.5 if keep else 7 * 86_400.0,
        keep_s_max=6.0 if keep else 90 * 86_400.0,
    )


def _admission(random: Random) -> AdmissionLimits:
    if random.random() < 0.2:
        return AdmissionLimits(send=Budget(Rate(8, 3), None, None))
    return AdmissionLimits()


def _client(random: Random) -> CoreLimits:
    choose = random.choice
    return CoreLimits(
        batch_bytes_max=choose((4 << 20, 300)),
        sync_page=choose((256, 1)),
        ack_delay_s=choose((0.1, 0.02)),
        ack_entries_max=choose((64, 1)),
        handshake_deadline_s=2.0,
        reconnect_min_s=0.05,
        reconnect_max_s=0.5,
        retry_min_s=0.05,
        retry_max_s=0.5,
    )


def weather(random: Random) -> Weather:
    """Return how one connection's bytes travel."""
    return Weather(
        random.choice((0.001, 0.02, 0.02, 0.2)),
        random.choices(list(Pieces), (20, 9, 1))[0],
        random.choice((65_536, 65_536, 300)),
    )

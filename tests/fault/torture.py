"""Signals to a real server and real clients under load, over TLS; see ``tests/fault/checker.py``.

Here is the conductor: it starts processes, sends signals at random moments, lets everything settle,
and asks the checker, which is a process of its own and trusts neither server nor SDK.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.wire.server_process import ServerProcess
from wxserve.protocol.invites import format_invite

CLIENT = Path(__file__).with_name("torture_client.py")
ENROL = Path(__file__).with_name("torture_enrol.py")
CHECKER = Path(__file__).with_name("checker.py")
QUIET_LOOKS = 2
"""Looks, half a second apart, at which all has arrived, before the last one counts."""
KILLED_ASLEEP = 0.3
"""How often a stopped process is killed instead of woken."""
FAULTS = ("lost", "doubled", "reordered", "invented", "holes")


@dataclass(frozen=True)
class Size:
    """How much there is of everything.

    Attributes:
        devices: of as many accounts.
        devices_per_process: that die together.
        groups: beside one direct conversation for each pair.
        direct_pause_s: mean pause of each device between two messages to its partner.
        group_pause_s: mean pause between two messages to a group.
        calm_s: longest time between two signals.
        stop_s: longest time that a process is stopped.
    """

    devices: int = 16
    devices_per_process: int = 4
    groups: int = 2
    direct_pause_s: float = 0.05
    group_pause_s: float = 0.5
    calm_s: float = 0.4
    stop_s: float = 0.6


@dataclass
class Device:
    """One device of the torture.

    Attributes:
        state: its directory.
        journal: what it writes down.
        conversations: in which it takes part, with the mean pause between its messages there.
    """

    state: Path
    journal: Path
    conversations: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What the checker said.

    Attributes:
        found: its object.
    """

    found: dict[str, Any]

    def __getattr__(self, name: str) -> int:
        """Return a count by its name."""
        count: int = self.found[name]
        return count

    def __str__(self) -> str:
        """The counts, and a few examples of each fault."""
        return json.dumps(self.found)

    @property
    def holds(self) -> bool:
        """Whether the promises were kept."""
        return not any(self.found[name] for name in FAULTS)


class Torture:
    """One server, some processes of devices, and rounds of signals.

    Attributes:
        server: the process under test.
        signals: how many of each name were sent.
        rounds: rounds run.
    """

    def __init__(
        self, directory: Path, size: Size, seed: int, server: ServerProcess | None = None
    ) -> None:
        self._directory = directory
        self._random = random.Random(seed)
        self._size = size
        self.server = server or ServerProcess(directory / "data")
        self.devices = [
            Device(directory / f"device-{number}", directory / f"j{number}")
            for number in range(size.devices)
        ]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.signals: Counter[str] = Counter()
        self.rounds = 0

    def prepare(self) -> None:
        """Start the server, enrol the devices, make their conversations."""
        self.server.start()
        wanted = {
            "states": [str(device.state) for device in self.devices],
            "invites": [format_invite(uri) for uri in self.server.invites(len(self.devices))],
            "groups": self._size.groups,
        }
        output = subprocess.run(
            [*self.server.prefix, sys.executable, str(ENROL)],
            check=True,
            stdout=subprocess.PIPE,
            input=json.dumps(wanted).encode(),
        ).stdout
        pauses = {"direct": self._size.direct_pause_s, "group": self._size.group_pause_s}
        for device, found in zip(self.devices, json.loads(output), strict=True):
            device.conversations = {place: pauses[kind] for place, kind in found.items()}
        plan = [
            {"journal": str(one.journal), "conversations": list(one.conversations)}
            for one in self.devices
        ]
        (self._directory / "plan.json").write_text(json.dumps(plan))

    # -- rounds --------------------------------------------------------------------------------

    def run(self, kills: int, budget_s: float, told: Callable[[str], None]) -> None:
        """Send signals under load: so many SIGKILLs at least, and as long as the budget.

        Args:
            kills: fewest SIGKILLs.
            budget_s: shortest time.
            told: is told how far it is.
        """
        self.begin()
        deeds: list[Callable[[], None]] = [
            self._kill_server, self._kill_server, self._kill_client, self._kill_client,
            self._kill_client, self._kill_both, self._drain_server, self._end_client,
            self._stop_server, self._stop_client,
        ]  # fmt: skip
        end = time.monotonic() + budget_s
        while self.signals["SIGKILL"] < kills or time.monotonic() < end:
            self.rounds += 1
            time.sleep(self._random.uniform(0.02, self._size.calm_s))
            self._random.choice(deeds)()
            told(f"{self.rounds} rounds, {self.signals['SIGKILL']} kills")

    def begin(self) -> None:
        """Start every process of devices."""
        count = -(-len(self.devices) // self._size.devices_per_process)
        self._processes = [self._start(index) for index in range(count)]

    def _kill_server(self) -> None:
        self.server.kill()
        self.signals["SIGKILL"] += 1
        self.server.start()

    def _drain_server(self) -> None:
        """End it as an operator would; a client that is under way may take its time to go."""
        assert self.server.stop() == 0, self.server.log()[-2000:]
        self.signals["SIGTERM"] += 1
        self.server.start()

    def _stop_server(self) -> None:
        self._freeze(self.server.process)
        if self._random.random() < KILLED_ASLEEP:
            self._kill_server()
        else:
            self.server.process.send_signal(signal.SIGCONT)

    def _freeze(self, process: subprocess.Popen[Any]) -> None:
        """Stop it for a while, as a machine does that is suspended."""
        process.send_signal(signal.SIGSTOP)
        self.signals["SIGSTOP"] += 1
        time.sleep(self._random.uniform(0.05, self._size.stop_s))

    def _kill_client(self) -> None:
        self._replace(self._random.randrange(len(self._processes)), signal.SIGKILL)

    def _end_client(self) -> None:
        self._replace(self._random.randrange(len(self._processes)), signal.SIGTERM)

    def _stop_client(self) -> None:
        index = self._random.randrange(len(self._processes))
        self._freeze(self._processes[index])
        if self._random.random() < KILLED_ASLEEP:
            self._replace(index, signal.SIGKILL)
        else:
            self._processes[index].send_signal(signal.SIGCONT)

    def _kill_both(self) -> None:
        """A client comes back while the server is away."""
        self.server.kill()
        self.signals["SIGKILL"] += 1
        self._kill_client()
        self.server.start()

    def _replace(self, index: int, number: signal.Signals) -> None:
        process = self._processes[index]
        assert process.poll() is None, self.client_logs()[-2000:]
        process.send_signal(number)
        process.wait()
        self.signals[number.name] += 1
        self._processes[index] = self._start(index)

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        start = index * self._size.devices_per_process
        config = self._directory / f"clients-{index}.json"
        config.write_text(
            json.dumps([
                {
                    "state": str(device.state),
                    "journal": str(device.journal),
                    "conversations": list(device.conversations.items()),
                }
                for device in self.devices[start : start + self._size.devices_per_process]
            ])
        )
        with (self._directory / f"clients-{index}.log").open("ab") as log:
            return subprocess.Popen(
                [*self.server.prefix, sys.executable, str(CLIENT), str(config)], stderr=log
            )

    def client_logs(self) -> str:
        """Return what the clients said."""
        return "".join(path.read_text() for path in self._directory.glob("clients-*.log"))

    # -- the end -------------------------------------------------------------------------------

    def settle(self, deadline_s: float) -> Verdict:
        """Let everybody stop sending and catch up; return what the checker finds then."""
        (self._directory / "stop").touch()
        end = time.monotonic() + deadline_s
        verdict, quiet = self.judge(), 0
        while time.monotonic() < end and quiet < QUIET_LOOKS:
            time.sleep(0.5)
            verdict = self.judge()
            quiet = quiet + 1 if verdict.holds and verdict.settled else 0
        return verdict

    def judge(self) -> Verdict:
        """Ask the checker."""
        output = subprocess.run(
            [sys.executable, "-I", "-S", str(CHECKER), str(self._directory)],
            check=True,
            capture_output=True,
        ).stdout
        return Verdict(json.loads(output))

    def close(self) -> None:
        """End every process."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()
        self.server.stop()

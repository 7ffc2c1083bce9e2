"""What the operating system tells of a process: its time, its memory, its threads."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

CALIBRATIONS: Final = 5
CALIBRATION_STEPS: Final = 200_000
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Processor time of a process so far, all threads together.

    Attributes:
        cpu_s: by the scheduler's own account, in nanoseconds.
        waited_s: was ready to run and had no processor: others were running.
        user_s: of it in user mode, by ticks of a hundredth of a second.
        system_s: of it in the kernel, by ticks.
    """

    cpu_s: float
    waited_s: float
    user_s: float
    system_s: float

    def since(self, earlier: "Usage") -> "Usage":
        """Return what was used since an earlier sample."""
        return Usage(*(now - then for now, then in zip(self, earlier, strict=True)))


def family(roots: Sequence[int]) -> list[int]:
    """Return processes and all that they have started, as far as they live."""
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):  # a process that ended just now
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
            found.append(pid)
    return found


def usage_of(roots: Sequence[int]) -> Usage:
    """Return the usage of processes and of all that they have started.

    The scheduler's figures are kept per thread and lost with it; a server's threads live as long
    as it does. Of children that have ended, what their parents know is counted, by ticks.
    """
    total = Usage(0.0, 0.0, 0.0, 0.0)
    for pid in family(roots):
        with contextlib.suppress(OSError):
            total = Usage(*map(sum, zip(total, _usage_of_one(pid), strict=True)))
    return total


def _usage_of_one(pid: int) -> Usage:
    cpu_ns = waited_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ended just now
            fields = (task / "schedstat").read_text().split()
            cpu_ns += int(fields[0])
            waited_ns += int(fields[1])
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user_s, system_s, ended_user_s, ended_system_s = (int(one) * TICK_S for one in stat[11:15])
    ended_s = ended_user_s + ended_system_s
    return Usage(
        cpu_ns / 1e9 + ended_s, waited_ns / 1e9, user_s + ended_user_s, system_s + ended_system_s
    )


def cores_busy_s(core: int | None) -> float:
    """Return how long a processor, or all of them together, were not idle so far.

    Time that the machine below took away (steal) counts: nobody here could use it.
    """
    name = "cpu" if core is None else f"cpu{core}"
    for line in Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == name:
            user, nice, system, _idle, _iowait, *rest = map(int, fields[1:9])
            return (user + nice + system + sum(rest)) * TICK_S
    return 0.0


def memory_kb(roots: Sequence[int]) -> int:
    """Return the memory of processes and of all that they have started, in KiB.

    Of memory that several share, each has its part (PSS). For a process alone that is its resident
    memory. Kernel socket buffers are not in it.
    """
    pids = family(roots)
    name, label = ("status", "VmRSS:") if len(pids) == 1 else ("smaps_rollup", "Pss:")
    return sum(_number_in(Path(f"/proc/{pid}/{name}"), label) for pid in pids)


def written_bytes(roots: Sequence[int]) -> int:
    """Return how many bytes processes and all that they have started made the disk write."""
    return sum(_number_in(Path(f"/proc/{pid}/io"), "write_bytes:") for pid in family(roots))


def _number_in(path: Path, label: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(label):
                return int(line.split()[1])
    return 0


def disk_bytes(directory: Path) -> int:
    """Return the size of all database files in a directory."""
    return sum(path.stat().st_size for path in directory.glob("*.sqlite3*"))


def machine_ms(core: int | None) -> float:
    """Return the processor time of a fixed piece of work in milliseconds: how fast it is now.

    Virtual machines change their speed by a third from minute to minute; a figure without this one
    beside it cannot be compared.
    """
    taken = []
    with affinity(core):
        for _ in range(CALIBRATIONS):
            started = time.thread_time()
            sum(number & 7 for number in range(CALIBRATION_STEPS))
            taken.append(time.thread_time() - started)
    return min(taken) * 1000


@contextlib.contextmanager
def affinity(core: int | None) -> Iterator[None]:
    """Let what is started inside run on one processor only; None changes nothing."""
    before = os.sched_getaffinity(0)
    if core is not None and core in before:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

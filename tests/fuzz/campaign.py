"""Fuzzes one target for a time: `python -m tests.fuzz.campaign TARGET SECONDS SEED FOLDER`.

Guided by coverage with atheris (the extra ``fuzz``), else by plain mutation. An input that breaks the
target, takes longer than a second or more than a gigabyte is written to FOLDER and ends the campaign
with a status other than 0. The last line of output is ``ran N``.
"""

import importlib.util
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GUIDED = importlib.util.find_spec("atheris") is not None
TIMEOUT_S = 1
RSS_MIB = 1024
INPUT_BYTES_MAX = 16 * 1024


class Count:
    """A target that counts its runs.

    Attributes:
        runs: how many.
    """

    def __init__(self, target: Any) -> None:
        self._target = target
        self.runs = 0

    def __call__(self, data: bytes) -> None:
        self.runs += 1
        self._target(data)


def guided(name: str, seconds: int, seed: int, folder: Path) -> None:
    """Fuzz with atheris; libFuzzer ends the process."""
    import atheris  # noqa: PLC0415 - not installed everywhere

    with atheris.instrument_imports(include=["wxserve.protocol", "msgpack.fallback"]):
        from tests.fuzz import targets  # noqa: PLC0415 - instrumented as it is imported
    from tests.fuzz.corpus import seeds  # noqa: PLC0415 - after it

    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds(name)):
            (Path(corpus) / str(number)).write_bytes(data)
        atheris.Setup(
            [
                sys.argv[0], corpus, f"-max_total_time={seconds}", f"-seed={seed % 2**31 or 1}",
                f"-artifact_prefix={folder}/", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={RSS_MIB}",
                f"-max_len={INPUT_BYTES_MAX}", "-print_final_stats=1", "-verbosity=0",
            ],
            targets.TARGETS[name],
        )  # fmt: skip
        atheris.Fuzz()


def mutated(name: str, seconds: int, seed: int, folder: Path) -> None:
    """Fuzz by plain mutation."""
    from tests.fuzz import targets  # noqa: PLC0415 - as above
    from tests.fuzz.corpus import seeds  # noqa: PLC0415 - as above
    from tests.fuzz.mutation import inputs  # noqa: PLC0415 - as above

    count = Count(targets.TARGETS[name])
    end = time.monotonic() + seconds
    for data in inputs(random.Random(seed), seeds(name)):
        begin = time.process_time()
        try:
            count(data)
            assert time.process_time() - begin <= TIMEOUT_S, "too slow"
        except Exception:
            (folder / f"crash-{seed}-{count.runs}").write_bytes(data)
            raise
        if time.monotonic() >= end:
            break
    sys.stdout.write(f"stat::number_of_executed_units: {count.runs}\n")


if __name__ == "__main__":
    _, target, time_s, seed_text, place = sys.argv
    Path(place).mkdir(parents=True, exist_ok=True)
    (guided if GUIDED else mutated)(target, int(float(time_s)), int(seed_text), Path(place))

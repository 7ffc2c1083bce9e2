"""How fast the MLS engine is: ``python -m bench.mls``, one line per figure, a few seconds.

Each figure is the median of its runs, in time on a core. Messages go both ways by turns, and beside
them the signature alone is timed: it is most of a message, and tells a slow moment of the machine
from a slow engine. What is printed as "rest" is the message without it. The fastest tenth says what a
message takes while nobody else wants the core or its caches; the verdict is the median's.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import cryptography
from cryptography.hazmat.backends.openssl.backend import backend

from wxclient import mls

PAYLOAD = bytes(256)
SMALL, LARGE, HUGE = 2, 500, 1_000
MESSAGES = 2_000
T = TypeVar("T")


class Figure(NamedTuple):
    """What was measured, in seconds, and what it must not exceed."""

    name: str
    measured_s: float
    at_most_s: float
    signature_s: float | None = None
    """Of a message: what its signature took at the same time, alone."""
    fast_s: float = 0.0
    """Of a message: what the fastest tenth did not exceed."""

    def line(self) -> str:
        """Return the figure in one line."""
        line = f"{self.name:42} {_shown(self.measured_s):>10}  ≤ {_shown(self.at_most_s):>8}"
        if self.signature_s is not None:
            rest = _shown(self.measured_s - self.signature_s)
            line += f"  (signature {_shown(self.signature_s)}, rest {rest}"
            line += f"; fastest tenth {_shown(self.fast_s)})"
        return line if self.measured_s <= self.at_most_s else line + "  MISSED"


def _shown(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


class Timer:
    """Runs of one thing, in seconds of this thread on a core."""

    def __init__(self) -> None:
        self._taken: list[float] = []

    def run(self, call: Callable[[], T]) -> T:
        """Run it once."""
        start = time.thread_time()
        result = call()
        self._taken.append(time.thread_time() - start)
        return result

    @property
    def median_s(self) -> float:
        """The median of the runs."""
        return statistics.median(self._taken)

    @property
    def fast_s(self) -> float:
        """What the fastest tenth of the runs did not exceed."""
        return statistics.quantiles(self._taken, n=10)[0]


def median(call: Callable[[], object], times: int) -> float:
    """Return the median of some runs, in seconds."""
    timer = Timer()
    for _ in range(times):
        timer.run(call)
    return timer.median_s


class MessageTimes:
    """What messages take, and signatures alone."""

    def __init__(self) -> None:
        self.encrypt, self.sign, self.decrypt, self.verify = (Timer() for _ in range(4))


class Scene:
    """A group with a creator and one member that are measured; the others only exist."""

    def __init__(self, members: int, suite: mls.CipherSuite) -> None:
        self.suite = suite
        self.ports = mls.Ports(os.urandom)
        packages = [self.package(f"{number}") for number in range(members - 1)]
        self.first = packages[0]
        self.published = [mls.encode_message(package.public) for package in packages]
        self.keys = suite.new_signature_key(os.urandom)
        self.signer = mls.Identity(self.keys, mls.basic(b"")).signer
        self.times = MessageTimes()
        self._create()
        self.sides = self.creator, self._join()

    def package(self, name: str) -> mls.PrivateKeyPackage:
        """Return a key package of a new client."""
        identity = mls.Identity(self.suite.new_signature_key(os.urandom), mls.basic(name.encode()))
        return mls.new_key_package(self.suite, identity, os.urandom)

    def _create(self) -> None:
        identity = mls.Identity(self.suite.new_signature_key(os.urandom), mls.basic(b"creator"))
        self.creator = mls.GroupCipher.create(self.suite.code, identity, b"group", self.ports)
        self.outgoing = self.creator.add(self.published)
        self.creator.merge_pending()

    def _join(self) -> mls.GroupCipher:
        assert self.outgoing.welcome is not None
        return mls.GroupCipher.join(self.outgoing.welcome, self.first, self.ports)

    def exchange(self) -> None:
        """Send a message, sign and verify as much beside it, and change sides."""
        suite, (sender, receiver), times = self.suite, self.sides, self.times
        message = times.encrypt.run(partial(sender.encrypt, PAYLOAD))
        signature = times.sign.run(partial(suite.sign, self.signer, b"bench", PAYLOAD))
        event = times.decrypt.run(partial(receiver.process, message))
        public = self.keys.public
        holds = times.verify.run(partial(suite.verify, public, b"bench", PAYLOAD, signature))
        assert holds
        assert isinstance(event, mls.Plaintext)
        assert event.data == PAYLOAD
        self.sides = receiver, sender

    def create_s(self) -> float:
        """Return the seconds to create the group, all members added."""
        return median(self._create, 3)

    def join_s(self) -> float:
        """Return the seconds to join."""
        return median(self._join, 5)

    def commits(self) -> tuple[float, float]:
        """Return the seconds to make and to process commits that bring new keys."""
        making, processing = Timer(), Timer()
        sender, receiver = self.sides
        for _ in range(10):
            message = making.run(sender.update).message
            sender.merge_pending()
            processing.run(partial(receiver.process, message))
            sender, receiver = receiver, sender
        return making.median_s, processing.median_s

    def storing(self) -> tuple[float, float, int]:
        """Return the seconds to snapshot and to restore, and the size."""
        group = self.sides[0]
        state = group.snapshot()
        snapshot_s = median(group.snapshot, 20)
        restore_s = median(lambda: mls.GroupCipher.restore(state, self.ports), 20)
        return snapshot_s, restore_s, len(state)


def figures(suite: mls.CipherSuite, sizes: Sequence[int]) -> Iterator[Figure]:
    """Measure everything; groups of all sizes take turns, so that none has a better moment."""
    scenes = {size: Scene(size, suite) for size in sizes}
    for _ in range(MESSAGES):
        for scene in scenes.values():
            scene.exchange()
    for size, scene in scenes.items():
        times = scene.times
        for name, whole, signature, at_most_s in (
            ("encrypt", times.encrypt, times.sign, 100e-6),
            ("decrypt", times.decrypt, times.verify, 180e-6),
        ):
            what = f"{name} 256 B, {size} members"
            yield Figure(what, whole.median_s, at_most_s, signature.median_s, whole.fast_s)
    if LARGE in scenes:
        yield from of_group(scenes[LARGE], LARGE)


def of_group(scene: Scene, size: int) -> Iterator[Figure]:
    """Measure what is done with a whole group."""
    yield Figure(f"create a group of {size}", scene.create_s(), 0.5)
    yield Figure(f"join a group of {size}", scene.join_s(), 0.15)
    made_s, processed_s = scene.commits()
    yield Figure(f"make a commit in a group of {size}", made_s, 0.15)
    yield Figure(f"process a commit in a group of {size}", processed_s, 15e-3)
    snapshot_s, restore_s, stored = scene.storing()
    yield Figure(f"snapshot of {size} members ({stored} B)", snapshot_s, 10e-3)
    yield Figure(f"restore of {size} members", restore_s, 10e-3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.mls", description=__doc__)
    parser.add_argument("--suite", type=lambda text: int(text, 0), default=1)
    parser.add_argument("--members", type=int, nargs="*", default=[SMALL, LARGE, HUGE])
    options = parser.parse_args()
    suite = mls.suite_of(options.suite)
    library = f"cryptography {cryptography.__version__} ({backend.openssl_version_text()})"
    print(f"{suite.name}; Python {platform.python_version()}, {library}")
    for figure in figures(suite, options.members):
        print(figure.line())


if __name__ == "__main__":
    main()

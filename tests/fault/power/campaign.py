"""Rounds of power cuts: a recorded life, many cuts of it, and after each the store opened again."""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import trio
from trio.testing import MockClock

from wxserve.protocol.identifiers import ConversationId, OpId, op_counter
from wxserve.store import checkpoints, opening
from wxserve.store.errors import StoreRefusedError

from .disk import Change, Disk, Image, Mark, write_image
from .life import Scene, play, scene
from .recorder import Recorder
from .world import Accepted, Event, Findings, Row, Sent, World

CUTS_PER_LIFE: Final = 30
LIVES_MAX: Final = 6
"""Lives one after the other on the same disk, before it is made anew."""
FAILURES_MAX: Final = 5
"""After so many a campaign ends: it has shown what it was for."""
MEMORY: Final = Path("/dev/shm")
"""Where nothing is slower for being written; the model keeps what counts."""
ANSWERED: Final = 3
"""How many accepted operations are asked again after each cut."""
READ_BACK: Final = 0.3
"""After what share of the cuts a conversation is read as a device reads it."""
INSIDE: Final = Path("below", "data")
"""The data directory; nothing above it exists at first."""


@dataclass
class Tally:
    """What a campaign has done.

    Attributes:
        cuts: power cuts, each with its own fate for what was not synchronised.
        lives: recorded lives.
        changes: recorded changes of the disk.
        beside: batches committed in the middle of a checkpoint.
        faults: calls of the disk that failed.
        accepted: operations that had to be there, summed over the cuts.
        failures: what was found, each with what replays it.
        damaged: what is wrong with the database, or with how the store took a failure.
    """

    cuts: int = 0
    lives: int = 0
    changes: int = 0
    beside: int = 0
    faults: int = 0
    accepted: int = 0
    failures: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    damaged: int = 0

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return (
            f"{self.cuts} cuts in {self.lives} lives with {self.changes} changes of the disk, "
            f"{self.beside} commits inside checkpoints, {self.accepted} accepted, {self.lost} lost, {self.doubled} doubled, "
            f"{self.reordered} reordered, {self.damaged} damaged"
        )

    def add(self, findings: Findings, replay: str) -> None:
        """Count one cut."""
        self.cuts += 1
        self.accepted += findings.accepted
        self.lost += len(findings.lost)
        self.doubled += len(findings.doubled)
        self.reordered += len(findings.reordered)
        self.damaged += len(findings.damaged)
        if findings.all:
            self.failures.append(f"{replay}\n  " + "\n  ".join(findings.all[:6]))


@dataclass(frozen=True)
class Past:
    """Where a life begins: a disk, and what was told to whom so far."""

    image: Image
    world: World


class Campaign:
    """Cuts the power of one library's store, again and again.

    Attributes:
        tally: what was done.
    """

    def __init__(self, recorder: Recorder, root: Path, *, synchronises_directories: bool) -> None:
        self._recorder = recorder
        self._root = root
        self._synchronises_directories = synchronises_directories
        self.tally = Tally()

    def run(self, seed: int, cuts: int, budget_s: float, replay: str) -> None:
        """Cut ``cuts`` times at least, and as long as the budget; each chain has its own seed.

        Args:
            seed: of the first chain; the next has the next one.
            cuts: how many.
            budget_s: in real seconds, 0 for no more than ``cuts``.
            replay: a command to which the seed of a chain is added.
        """
        end = time.monotonic() + budget_s
        while self.tally.cuts < cuts or time.monotonic() < end:
            left = CUTS_PER_LIFE * LIVES_MAX if budget_s else cuts - self.tally.cuts
            self._chain(Random(seed), left, f"{replay} --seed {seed}")
            seed += 1
            if len(self.tally.failures) >= FAILURES_MAX:
                return

    def _chain(self, random: Random, cuts: int, replay: str) -> None:
        past = Past({}, World())
        for number in range(random.randint(1, LIVES_MAX)):
            self.tally.lives += 1
            seed, here = random.getrandbits(32), min(cuts, CUTS_PER_LIFE)
            cuts -= here
            changes, events, last = self._live(past, seed)
            self.tally.changes += len(changes)
            places = sorted(random.randint(1, len(changes)) for _ in range(here))
            chosen = random.randrange(here) if here else 0
            for index, after in enumerate(self._cut(past, changes, events, places, random)):
                findings = self.reopen(after, seed + index)
                self.tally.add(findings, f"{replay} (life {number}, cut {index})")
                if len(self.tally.failures) >= FAILURES_MAX:
                    return
                if index == chosen:
                    last = after if random.random() < 0.8 else last
            past = last
            if cuts <= 0:
                return

    def _cut(
        self, past: Past, changes: list[Change], events: list[Event], places: list[int],
        random: Random,
    ) -> Iterator[Past]:  # fmt: skip
        """Yield what each cut leaves, and what had been told by then."""
        disk, world = Disk(past.image), past.world.copy()
        disk.synchronises_directories = self._synchronises_directories
        done = told = 0
        for place in places:
            for change in changes[done:place]:
                if isinstance(change, Mark):
                    for event in events[told : change.number + 1]:
                        world.learn(event)
                    told = change.number + 1
                disk.apply(change)
            done = place
            yield Past(disk.cut(random), world.copy())

    def _live(self, past: Past, seed: int) -> tuple[list[Change], list[Event], Past]:
        """Record a life; return what happened, and where it ended."""
        random, world, events = Random(seed), past.world.copy(), []
        ends_clean = random.random() < 0.5

        def tell(event: Event) -> None:
            events.append(event)
            self._recorder.mark(len(events) - 1)

        async def life() -> None:
            async with scene(self._root / INSIDE, world, tell, seed) as running:
                self._recorder.call_before(running.driver.copying.before_call)
                await play(running, random, random.randint(3, 40))
                self.tally.beside += running.driver.commits_beside
                if not ends_clean:
                    changes.extend(self._recorder.stop())

        changes: list[Change] = []
        often = random.choice((20, 60, 200, 8192)), random.choice((8, 64, 4096))
        with self.files(past.image), sized(*often, random.choice((20, 65_536))):
            self._recorder.start()
            trio.run(life, clock=MockClock(autojump_threshold=0))
            changes = changes or self._recorder.stop()
        disk = Disk(past.image)
        for change in changes:
            disk.apply(change)
        return changes, events, Past(disk.whole(), world)

    def reopen(self, past: Past, seed: int) -> Findings:
        """Open what a cut has left, and compare it with what was told."""
        return trio.run(self._look, past, seed, clock=MockClock(autojump_threshold=0))

    async def _look(self, past: Past, seed: int) -> Findings:
        world = past.world.copy()
        findings = Findings(len(world.accepted))
        with self.files(past.image):
            try:
                place = self._root / INSIDE
                opened = scene(place, world, lambda _: None, seed, maintained=False)
                async with opened as running:
                    writing = running.driver.writer
                    findings = world.judge(*read_tables(writing))
                    findings.damaged += damage(writing)
                    findings.damaged += await _go_on(running, Random(seed))
                    after = world.judge(*read_tables(writing))
                    if not findings.all:
                        findings = after
            except* (sqlite3.Error, StoreRefusedError, AssertionError) as group:
                findings.damaged.append(f"{group.exceptions!r}")
        return findings

    @contextmanager
    def files(self, image: Image) -> Iterator[None]:
        """Put the files of an image in place, and take them away again."""
        write_image(image, self._root)
        try:
            yield
        finally:
            for path in self._root.iterdir():
                shutil.rmtree(path)


async def _go_on(running: Scene, random: Random) -> list[str]:
    """Ask again what was answered and what was not, and send something new everywhere."""
    world, wrong = running.world, []
    for sent in world.doubtful:
        running.hand_in(sent)
    known = [
        world.sent[op]
        for op in world.accepted
        if op_counter(OpId(op)) >= world.floors.get(world.sent[op].person, 0)
    ]
    for sent in random.sample(known, min(ANSWERED, len(known))):
        running.hand_in(sent)
    fresh = [
        running.send(talk.listeners[0], conversation, b"after the cut")
        for conversation, talk in world.talks.items()
    ]
    if not await running.settle():
        return ["an answer did not come"]
    refused = [sent for sent in fresh if sent.op in world.refused]
    wrong += [f"refused after the cut: {sent}" for sent in refused if exists(running, sent)]
    stands = [sent for sent in fresh if sent.op in world.accepted]
    if stands and random.random() < READ_BACK:
        sent = random.choice(stands)
        wrong += await _read_back(running, sent, world.accepted[sent.op])
    return wrong


def exists(running: Scene, sent: Sent) -> bool:
    """Whether a conversation was ever accepted into being."""
    accepted = running.world.accepted.values()
    return any(one.conversation == sent.conversation for one in accepted)


async def _read_back(running: Scene, sent: Sent, accepted: Accepted) -> list[str]:
    """Read a conversation as a device does; everything is covered and its end is the new entry."""
    conversation = ConversationId(accepted.conversation)
    state = await running.room.load(conversation)
    if state.head != accepted.seq:
        return [f"the head of {conversation.hex()} is {state.head}, not {accepted.seq}"]
    through, pieces = 0, []
    while through < accepted.seq:
        pieces = await running.room.read(conversation, through + 1, accepted.seq)
        through = pieces[-1].through
    last = pieces[-1].frame or b""
    return [] if sent.body in last else [f"{accepted} is not what a device reads"]


def read_tables(sql: sqlite3.Connection) -> tuple[list[Row], dict[bytes, int]]:
    """Return the log, and per conversation the last number that is gone."""
    rows = sql.execute("SELECT position, conversation, seq, op, frame FROM log").fetchall()
    floors = sql.execute("SELECT conversation, floor_seq FROM conversation").fetchall()
    return [Row(*row) for row in rows], dict(floors)


def damage(sql: sqlite3.Connection) -> list[str]:
    """Return what SQLite itself finds wrong with its file."""
    found = [text for (text,) in sql.execute("PRAGMA integrity_check").fetchall()]
    return [] if found == ["ok"] else found


@contextmanager
def sized(checkpoint_changes: int, log_pages: int, cache_kib: int) -> Iterator[None]:
    """Let checkpoints come, the log begin anew, the page cache overflow, often in a short life."""
    usual = checkpoints.CHECKPOINT_CHANGES, checkpoints.LOG_PAGES_LONG, opening.CACHE_KIB
    _set_sizes(checkpoint_changes, log_pages, cache_kib)
    try:
        yield
    finally:
        _set_sizes(*usual)


def _set_sizes(checkpoint_changes: int, log_pages: int, cache_kib: int) -> None:
    vars(checkpoints)["CHECKPOINT_CHANGES"] = checkpoint_changes
    vars(checkpoints)["LOG_PAGES_LONG"] = log_pages
    vars(opening)["CACHE_KIB"] = cache_kib


@contextmanager
def work_directory() -> Iterator[Path]:
    """Make an empty directory in memory, if there is such a place."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as path:
        yield Path(path).resolve()

"""The n-th call of the disk fails, for every n: nothing is accepted after it, nothing is lost."""

import errno
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import trio
from trio.testing import MockClock

from wxserve.store.errors import StoreRefusedError

from .campaign import FAILURES_MAX, INSIDE, Campaign, Past, sized
from .disk import Change, Disk, Image, read_image
from .life import Scene, play, provoke, scene
from .recorder import DURABLE, Faults, Kind, Recorder, failing
from .world import Accepted, Event, Findings, World

STEPS: Final = 14
CHANGES_PER_CHECKPOINT: Final = 60
LOG_PAGES: Final = 64
"""So few that the log begins anew once or twice in a life."""
CACHE_KIB: Final = 20
"""So small that a batch overflows it, and writes before its commit."""
FULL_S: Final = 2.0
"""How long a full disk stays full, in virtual time."""
RECOVERY_S: Final = 5.0
"""How long the store may take to notice that there is space again."""


class Case(NamedTuple):
    """One kind of failure."""

    kind: Kind
    error: int
    lasting: bool

    def __str__(self) -> str:
        """Its name, as the command line takes it."""
        lasting = "lasting" if self.lasting else "once"
        return f"{self.kind.name.lower()}-{errno.errorcode[self.error].lower()}-{lasting}"


CASES: Final = {
    str(case): case
    for lasting in (False, True)
    for case in (
        *(Case(k, errno.EIO, lasting) for k in (Kind.WRITE, Kind.SYNC, Kind.TRUNCATE, Kind.READ)),
        Case(Kind.WRITE, errno.ENOSPC, lasting),
    )
}

GROUPS: Final = {
    "eio": [name for name, case in CASES.items() if case.error == errno.EIO],
    "enospc": [name for name, case in CASES.items() if case.error == errno.ENOSPC],
}


@dataclass
class Story:
    """What happened in a life with a failure.

    Attributes:
        begun: the store was open before anything failed.
        reached: something failed before the store was closed.
        failed: why it stopped for good.
        wrong: what must not have happened.
    """

    begun: bool = False
    reached: bool = False
    failed: str = ""
    wrong: list[str] = field(default_factory=list)


class Trouble:
    """Lives with a failure in them."""

    def __init__(self, recorder: Recorder, faults: Faults, root: Path) -> None:
        self._recorder = recorder
        self._faults = faults
        self._root = root
        self.campaign = Campaign(recorder, root, synchronises_directories=True)

    def run(self, case: Case, seed: int, first: int, stride: int, replay: str) -> None:
        """Let the first, then each ``stride``-th later call fail, until a life reaches no failure.

        Once on an empty disk, once on one with a past.
        """
        for past in (Past({}, World()), self._past(seed)):
            after = first
            while self._try(case, past, seed, after, replay):
                after += stride
                if len(self.campaign.tally.failures) >= FAILURES_MAX:
                    return

    def _past(self, seed: int) -> Past:
        """Live once without a failure; return what is there after a crash, its log not merged.

        By another seed than the life on top of it: that would enrol the same devices once more.
        """
        _, changes = self._live(None, Past({}, World()), ~seed, 0, world := World())
        disk = Disk({})
        for change in changes:
            disk.apply(change)
        return Past(disk.whole(), world)

    def _try(self, case: Case, past: Past, seed: int, after: int, replay: str) -> bool:
        """Live once with a failure; return whether it was reached."""
        world = past.world.copy()
        with self.campaign.files(past.image):
            story, changes = self._live(case, past, seed, after, world)
            image = read_image(self._root)
        hits = self._faults.hits
        findings = Findings(len(world.accepted), damaged=story.wrong)
        if story.reached and story.begun and case.error == errno.EIO and self._must_stop(case):
            if not story.failed:
                findings.damaged.append("the store went on after a failed write or sync")
        elif story.failed and case.error == errno.ENOSPC:
            findings.damaged.append(f"a full disk stopped the store: {story.failed}")
        self._judge(findings, [image, cut(past.image, changes, after)], world, after)
        self.campaign.tally.add(findings, f"{replay} --case {case} --seed {seed} --first {after}")
        self.campaign.tally.changes += len(changes)
        self.campaign.tally.faults += hits
        return hits > 0

    def _must_stop(self, case: Case) -> bool:
        return case.kind in {Kind.WRITE, Kind.SYNC} and self._faults.where in DURABLE

    def _judge(self, findings: Findings, images: list[Image], world: World, seed: int) -> None:
        """Open again what a restart finds, and what a power cut on top of it would leave."""
        for image in images:
            found = self.campaign.reopen(Past(image, world), seed)
            findings.lost += found.lost
            findings.doubled += found.doubled
            findings.reordered += found.reordered
            findings.damaged += found.damaged

    def _live(
        self, case: Case | None, past: Past, seed: int, after: int, world: World
    ) -> tuple[Story, list[Change]]:
        story, random = Story(), Random(seed)

        def tell(event: Event) -> None:
            self._recorder.mark(0)
            if (
                isinstance(event, Accepted) and case and case.error == errno.EIO
                and self._faults.hits and self._must_stop(case)
            ):  # fmt: skip
                story.wrong.append(f"accepted after a failure: {event}")

        async def life() -> None:
            opened = scene(self._root / INSIDE, world, tell, seed)
            async with opened as running:
                self._recorder.call_before(running.driver.copying.before_call)
                story.begun = not self._faults.hits
                await play(running, random, STEPS)
                await provoke(running)
                if case and case.error == errno.ENOSPC:
                    await self._give_space(running, story)
                story.reached = self._faults.hits > 0
                story.failed = running.store.writer.failed

        self._recorder.start()
        with sized(CHANGES_PER_CHECKPOINT, LOG_PAGES, CACHE_KIB):
            if case is None:
                with self.campaign.files({}):
                    trio.run(life, clock=MockClock(autojump_threshold=0))
            else:
                with failing(self._faults, case.kind, after, case.error, lasting=case.lasting):
                    self._survive(life)
        return story, self._recorder.stop()

    def _survive(self, life: Callable[[], Awaitable[None]]) -> None:
        """Run a life that may not come to be, or end early, for a failure of the disk."""
        try:
            trio.run(life, clock=MockClock(autojump_threshold=0))
        except* (StoreRefusedError, sqlite3.Error):
            pass

    async def _give_space(self, running: Scene, story: Story) -> None:
        """Wait with a full disk, then make space; everything goes on by itself."""
        await trio.sleep(FULL_S)
        self._faults.disarm()
        await trio.sleep(RECOVERY_S)
        world = running.world
        for sent in world.doubtful:
            running.hand_in(sent)
        await running.settle()
        if not world.people:
            return
        talk = next(iter(world.talks))
        fresh = running.send(0, talk, b"there is space again")
        await running.settle()
        if fresh.op not in world.accepted and not running.store.writer.failed:
            story.wrong.append("refused although there is space again")


def cut(image: Image, changes: list[Change], seed: int) -> Image:
    """Return what is left when the power goes after all that."""
    disk = Disk(image)
    for change in changes:
        disk.apply(change)
    return disk.cut(Random(seed))

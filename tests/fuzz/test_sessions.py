"""Whatever legal frames a device sends: each request gets one answer, and the server stays whole."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.fault.results import budget_s, new_seed, progress, record
from tests.fuzz.odd_frames import OddFrames
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import (
    device_conversation,
    notice_conversation,
    self_conversation,
)
from wxserve.protocol.states import REQUESTS
from wxserve.router.limits import AdmissionLimits, Budget
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import MemoryServer, memory_server

pytestmark = [pytest.mark.fault, pytest.mark.slow]
FRAMES_MIN: Final = 1_500
BURST: Final = 12
LOOK_S: Final = 0.2
PATIENCE_S: Final = 20.0
"""Virtual seconds, above what the store's driver draws for a read."""
CONVERSATIONS_MAX: Final = 12
FINAL: Final = (
    f.Accepted, f.Conversations, f.MemberList, f.Devices, f.LinkCode, f.Done, f.Error, f.Register,
)  # fmt: skip
"""What ends an answer; CHANGES does when it says so."""
NONE: Final = Budget()
UNLIMITED: Final = AdmissionLimits(NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE)


class Hostile:
    """A device that sends odd frames and counts its answers."""

    def __init__(self, server: MemoryServer, draw: random.Random, name: str) -> None:
        self.device = TestDevice(server, name)
        self._draw = draw
        self.odd = OddFrames(draw, self.device)
        self._open: dict[int, f.Frame] = {}
        self.sent = 0
        self.answers: Counter[str] = Counter()

    async def log_in(self) -> None:
        """Begin another session."""
        self._open.clear()
        await self.device.log_in()
        await self.device.sync()

    def send(self) -> None:
        """Send one frame, past the client's own state machine."""
        frame, device = self.odd.frame(), self.device
        stream = device.next_stream() if type(frame) in REQUESTS else 0
        if stream:
            self._open[stream] = frame
        flags = self._draw.choice([0, 0, 0, 2, 4, 255])
        device.link.receive(encode(frame, stream, flags))
        self.sent += 1

    def hear(self) -> None:
        """Take what came: one final answer to each request, and no defect of the server."""
        for event in self.device.pump():
            answer = event.frame
            self.answers[_word(answer)] += 1
            assert not isinstance(answer, f.Error) or answer.code != ErrorCode.INTERNAL, (
                self._open.get(event.stream)
            )
            if isinstance(answer, f.Accepted | f.Deliver):
                self._learn(answer.conversation)
            if not event.stream:
                continue
            assert event.stream in self._open, f"a second answer: {answer}"
            if isinstance(answer, FINAL) or (isinstance(answer, f.Changes) and not answer.more):
                del self._open[event.stream]

    def _learn(self, conversation: f.Conversation) -> None:
        """Know a conversation that was made; forget one, so that there are never too many."""
        pool = self.odd.pool["conversation"]
        if conversation not in pool:
            pool.append(conversation)
            del pool[:-CONVERSATIONS_MAX]

    async def wait_answered(self) -> None:
        """Wait until every request is answered, or the server ended the session."""
        with trio.move_on_after(PATIENCE_S):
            while self._open and not self.over:
                await trio.sleep(LOOK_S)
                self.hear()
        assert self.over or not self._open, f"no answer: {self._open}"

    @property
    def over(self) -> bool:
        """Whether the server ended the session."""
        return self.device.link.closing or self.device.link.over


def _word(answer: f.Frame) -> str:
    code = f" {ErrorCode(answer.code).name}" if isinstance(answer, f.Error) else ""
    return type(answer).__name__ + code


async def talk(server: MemoryServer, draw: random.Random, end: float) -> int:
    """Send odd frames from several devices until the time is over; return how many."""
    hostile = [Hostile(server, draw, name) for name in ("one", "two", "three")]
    healthy = [TestDevice(server, name) for name in ("alice", "bob")]
    for device in (*healthy, *(one.device for one in hostile)):
        await device.enrol()
        await device.sync()
    direct = await healthy[0].create_direct(healthy[1])
    group = await healthy[0].create_group(*(one.device for one in hostile))
    mine = await hostile[0].device.create_direct(hostile[1].device)
    for one in hostile:
        pool, account = one.odd.pool, one.device.account
        pool["conversation"] += [direct, group, group, mine, mine, self_conversation(account)]
        pool["conversation"] += [
            notice_conversation(account),
            device_conversation(one.device.device),
        ]
        pool["account"] += [other.device.account for other in hostile]
        pool["account"] += [healthy[0].account, bytes(16)]
        pool["device"] += [healthy[0].device, bytes(8)]
    sent = 0
    while sent < FRAMES_MIN or time.monotonic() < end:
        for one in hostile:
            if one.over:
                await one.log_in()
            for _ in range(draw.randint(1, BURST)):
                one.send()
        await trio.sleep(LOOK_S)
        for one in hostile:
            one.hear()
            await one.wait_answered()
        sent = sum(one.sent for one in hostile)
        progress(f"{sent} frames")
    answers = sum((one.answers for one in hostile), Counter[str]())
    assert answers["Accepted"] >= 10, answers
    assert len(answers) >= 15, answers
    for device in healthy:  # they were silent for longer than the server waits
        await device.log_in()
        await device.sync()
    assert (await healthy[0].message(direct, b"still here")).seq > 1
    assert await healthy[1].bodies(direct, 1) == [b"still here"]
    return sent


@pytest.mark.usefixtures("autojump_clock")
async def test_odd_frames_are_answered_and_the_server_stays_whole(tmp_path: Path) -> None:
    seed = new_seed()
    try:
        async with memory_server(tmp_path, seed=seed, admission=UNLIMITED) as server:
            sent = await talk(server, random.Random(seed), time.monotonic() + budget_s())
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    record("P23", "odd but legal frames to the real router and store", sent, seeds=[seed])

"""The faulty network keeps what TCP keeps, and nothing more."""

from collections.abc import Callable
from functools import partial
from random import Random

import pytest
import trio

from wxserve.testing.agenda import Agenda
from wxserve.testing.network import Pieces, Pipe, Weather
from wxserve.testing.scheduling import JumpingClock, run_seeded

TEXT = bytes(range(256))
WEATHER = Weather()


class Scene:
    """A pipe, and what came out of it."""

    def __init__(self, weather: Weather = WEATHER, seed: int = 0) -> None:
        self.clock = JumpingClock()
        self.agenda = Agenda(Random(seed), self.clock)
        self.pipe = Pipe(self.agenda, Random(seed), weather)
        self.came: list[bytes] = []
        self.ended = False
        self.reading = True
        self.pipe.deliver = self.came.append
        self.pipe.ready = lambda: self.reading
        self.pipe.on_end = self._end

    def _end(self) -> None:
        self.ended = True

    @property
    def text(self) -> bytes:
        return b"".join(self.came)

    def run(self, *steps: Callable[[], None]) -> "Scene":
        """Take steps, a second apart."""

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.agenda.run)
                for step in steps:
                    step()
                    await trio.sleep(1)
                nursery.cancel_scope.cancel()

        run_seeded(0, main, self.clock)
        return self


@pytest.mark.parametrize("pieces", list(Pieces))
def test_pipe_in_any_pieces_keeps_the_order_and_the_end(pieces: Pieces) -> None:
    for seed in range(20):
        scene = Scene(Weather(0.02, pieces), seed)
        scene.run(partial(scene.pipe.write, TEXT), partial(scene.pipe.write, TEXT))
        scene.run(scene.pipe.finish)
        assert scene.text == TEXT * 2
        assert scene.ended


def test_pipe_in_bytes_splits_at_every_byte() -> None:
    scene = Scene(Weather(0.02, Pieces.BYTES))
    assert [len(piece) for piece in scene.run(lambda: scene.pipe.write(TEXT)).came] == [1] * 256


def test_pipe_joins_what_waits() -> None:
    scene = Scene()

    def write_twice() -> None:
        scene.pipe.write(b"one")
        scene.pipe.write(b"two")

    assert scene.run(write_twice).came == [b"onetwo"]


def test_pipe_held_carries_nothing_until_it_is_released() -> None:
    scene = Scene()
    scene.pipe.held = True
    assert not scene.run(lambda: scene.pipe.write(TEXT)).came
    assert scene.run(scene.pipe.release).text == TEXT


def test_pipe_to_one_who_does_not_read_waits_and_has_no_room() -> None:
    scene = Scene(Weather(window_bytes=10))
    scene.reading = False
    assert not scene.run(lambda: scene.pipe.write(TEXT)).came
    assert not scene.pipe.has_room
    scene.reading = True
    assert scene.run(scene.pipe.resume).text == TEXT
    assert scene.pipe.has_room


def test_pipe_that_is_cut_brings_the_first_part_and_the_end() -> None:
    scene = Scene()

    def cut() -> None:
        scene.pipe.write(TEXT)
        scene.pipe.lose(0.5)

    scene.run(cut)
    assert scene.text == TEXT[:128]
    assert scene.ended


def test_pipe_that_is_dead_is_silent() -> None:
    scene = Scene()
    scene.pipe.kill()
    scene.run(lambda: scene.pipe.write(TEXT), scene.pipe.finish)
    assert not scene.came
    assert not scene.ended


def test_agenda_at_one_time_calls_in_an_order_that_the_seed_determines() -> None:
    def order(seed: int) -> tuple[int, ...]:
        called: list[int] = []
        clock = JumpingClock()
        agenda = Agenda(Random(seed), clock)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(agenda.run)
                for number in range(6):
                    agenda.after(0.5, partial(called.append, number))
                await trio.sleep(1)
                nursery.cancel_scope.cancel()

        run_seeded(0, main, clock)
        return tuple(called)

    assert order(1) == order(1)
    assert len({order(seed) for seed in range(20)}) > 15


def test_agenda_is_woken_for_what_comes_earlier() -> None:
    times: list[float] = []
    clock = JumpingClock()
    agenda = Agenda(Random(0), clock)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agenda.run)
            agenda.after(2.0, lambda: times.append(trio.current_time()))
            await trio.sleep(0.5)
            agenda.after(0.25, lambda: times.append(trio.current_time()))
            await trio.sleep(3)
            nursery.cancel_scope.cancel()

    run_seeded(0, main, clock)
    assert times == [0.75, 2.0]

"""Who is served last: strangers, those who hang up, and the listeners; on real loopback sockets."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wxserve.transport.limits import TransportLimits

from .fakes import FakeLink, FakeRouter, Stage, stage

pytestmark = pytest.mark.wire


def logged_in(made: Stage) -> tuple[socket.socket, FakeLink]:
    """Connect one who is known to be logged in, and echoed."""
    peer, friend = made.joined()
    friend.authenticated = True
    peer.send(b"x")
    assert made.read(peer, 1) == b"x"
    return peer, friend


def many_strangers(made: Stage) -> list[FakeLink]:
    """Connect twenty who have all said something."""
    first = len(made.peers)
    strangers = [made.joined()[1] for _ in range(20)]
    for peer in made.peers[first:]:
        peer.send(b"hello")
    return strangers


def heard(strangers: list[FakeLink]) -> int:
    return sum(bool(link.received) for link in strangers)


def test_those_who_logged_in_are_served_whatever_waits_of_those_who_did_not() -> None:
    limits = TransportLimits(strangers_per_step_max=3)
    with stage(FakeRouter(echo=True), limits=limits) as made:
        peer, friend = logged_in(made)
        strangers = many_strangers(made)
        for _ in range(5):
            before = heard(strangers)
            peer.send(b"y")
            made.pump.step()
            assert friend.received.endswith(b"y")
            friend.received = b""
            assert heard(strangers) == before + 2
        made.until(lambda: all(link.received == b"hello" for link in strangers))


def test_strangers_are_served_however_many_others_are() -> None:
    limits = TransportLimits(strangers_per_step_max=2)
    with stage(FakeRouter(echo=True), limits=limits) as made:
        friends = [made.joined() for _ in range(8)]
        for peer, friend in friends:
            friend.authenticated = True
            peer.send(b"x")
        made.until(lambda: all(friend.received for _, friend in friends))
        stranger, link = made.joined()
        stranger.send(b"hello")
        for peer, _ in friends:
            peer.send(b"y")
        made.pump.step()
        assert link.received == b"hello"


def test_those_who_hang_up_are_served_last() -> None:
    limits = TransportLimits(strangers_per_step_max=3)
    with stage(FakeRouter(echo=True), limits=limits) as made:
        devices = [made.joined() for _ in range(21)]
        for peer, link in devices:
            link.authenticated = True
            peer.send(b"x")
        made.until(lambda: all(link.received for _, link in devices))
        (one, friend), *others = devices
        for peer, _ in others:
            peer.send(b"goodbye")
            peer.close()
        made.pump.step()  # sees that they hung up
        assert not any(link.is_lost for _, link in others)
        for _ in range(5):
            before = sum(link.is_lost for _, link in others)
            friend.received = b""
            one.send(b"y")
            made.pump.step()
            assert friend.received == b"y"
            assert sum(link.is_lost for _, link in others) <= before + 2
        made.until(lambda: all(link.is_lost for _, link in others))
        assert all(link.received == b"xgoodbye" for _, link in others)
        assert not friend.is_lost


def test_few_come_in_while_those_inside_are_not_heard() -> None:
    limits = TransportLimits(strangers_per_step_max=2, accepts_crowded_max=1)
    with stage(limits=limits) as made:
        inside = [made.joined()[0] for _ in range(8)]
        for peer in inside:
            peer.send(b"hello")
        count = len(made.router.links)
        for _ in range(5):
            made.connect()
        for _ in range(4):
            before = len(made.router.links)
            made.pump.step()
            assert len(made.router.links) <= before + 1
        made.until(lambda: len(made.router.links) == count + 5)


@contextmanager
def crowd(limits: TransportLimits) -> Iterator[tuple[Stage, socket.socket, list[FakeLink]]]:
    """One who has been here for a while, and twenty strangers who have all said something."""
    with stage(FakeRouter(echo=True), limits=limits) as made:
        peer, _ = logged_in(made)
        made.clock.now += limits.newcomer_s
        strangers = many_strangers(made)
        yield made, peer, strangers


def test_strangers_have_short_turns_with_rests_while_others_speak() -> None:
    limits = TransportLimits(others_speak_s=100.0, strangers_turn_s=0.0025, strangers_rest=10.0)
    with crowd(limits) as (made, peer, strangers):
        made.clock.tick_s = 0.001
        peer.send(b"y")
        made.pump.step()
        assert heard(strangers) == 3  # the clock is asked before the first and after each
        assert made.pump.turnstile.opens_at == pytest.approx(made.clock.now + 0.04)
        made.clock.tick_s = 0.0
        for _ in range(20):
            assert select.select([made.pump.streams.poller.fileno()], [], [], 0)[0] == []
            made.pump.step()
        assert heard(strangers) == 3
        made.clock.tick_s = 0.001
        for served in (6, 9, 12, 15, 18, 20):
            made.clock.now += 1.0
            made.pump.step()
            assert heard(strangers) == served


def test_rests_end_when_nobody_else_speaks_any_more() -> None:
    limits = TransportLimits(others_speak_s=0.5, strangers_per_step_max=5)
    with crowd(limits) as (made, peer, strangers):
        made.clock.tick_s = 0.001
        peer.send(b"y")
        made.pump.step()
        assert heard(strangers) == 1
        made.clock.now += 1.0
        made.pump.step()
        assert heard(strangers) == 6
        assert made.pump.turnstile.opens_at is None


def test_strangers_who_cost_little_are_served_in_one_turn() -> None:
    with crowd(TransportLimits()) as (made, peer, strangers):
        peer.send(b"y")
        made.pump.step()  # in which the clock stands still
        assert heard(strangers) == 20


def test_newcomers_are_part_of_the_crowd() -> None:
    limits = TransportLimits(strangers_per_step_max=5)
    with crowd(limits) as (made, _peer, strangers):
        newcomer = strangers[0]
        made.until(lambda: newcomer.received)
        newcomer.authenticated = True
        made.peers[1].send(b"more")
        made.until(lambda: newcomer.received == b"hellomore")
        made.peers[1].send(b"and more")
        before = heard(strangers)
        made.pump.step()
        assert newcomer.received == b"hellomoreand more"
        assert heard(strangers) == min(20, before + 4)
        assert made.pump.turnstile.opens_at is None

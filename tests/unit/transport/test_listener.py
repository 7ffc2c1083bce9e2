import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wxserve.transport.limits import TransportLimits
from wxserve.transport.listener import bind_tcp
from wxserve.transport.poller import PlatformUnsupportedError, Poller

from .fakes import stage

pytestmark = pytest.mark.wire


def test_bind_to_port_0_chooses_one_port_for_all_addresses() -> None:
    sockets = bind_tcp("localhost", 0, 16)
    ports = {sock.getsockname()[1] for sock in sockets}
    hosts = {sock.getsockname()[0] for sock in sockets}
    for sock in sockets:
        sock.close()
    assert len(ports) == 1
    assert ports != {0}
    assert hosts <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["", "::"])
def test_bind_to_all_addresses_takes_ipv4(host: str) -> None:
    sockets = bind_tcp(host, 0, 16)
    with socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1]), timeout=10):
        pass
    for sock in sockets:
        sock.close()


def test_bind_to_ipv6_loopback() -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    (sock,) = bind_tcp("::1", 0, 16)
    with socket.create_connection(sock.getsockname()[:2], timeout=10):
        pass
    sock.close()


def test_bind_to_a_taken_port_is_refused() -> None:
    (first,) = bind_tcp("127.0.0.1", 0, 16)
    with pytest.raises(OSError, match="in use"):
        bind_tcp("127.0.0.1", first.getsockname()[1], 16)
    first.close()


def test_bind_to_an_unknown_name_is_refused() -> None:
    with pytest.raises(OSError, match=r"."):
        bind_tcp("no-such-host.invalid", 0, 16)


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_accepting_without_descriptors_sheds_and_rests_instead_of_spinning() -> None:
    with stage(limits=TransportLimits(accept_pause_s=1)) as made:
        made.joined()
        waiting = [made.connect() for _ in range(3)]
        with no_descriptors_left():
            for _ in range(10):
                made.pump.step()
        assert made.pump.statistics().descriptors_exhausted == 1
        assert all(made.is_reset(peer) for peer in waiting)
        later = made.connect()
        made.pump.step()
        assert len(made.router.links) == 1
        made.pump.sweep(made.clock.now + 0.9)
        made.pump.step()
        assert len(made.router.links) == 1
        made.pump.sweep(made.clock.now + 1)
        made.until(lambda: len(made.router.links) == 2)
        later.close()


def test_resting_entrance_can_be_stopped() -> None:
    with stage() as made:
        made.connect()
        with no_descriptors_left():
            made.pump.step()
        made.pump.entrance.stop()
        made.pump.sweep(made.clock.now + 10)
        assert len(made.pump.streams) == 0


def test_poller_elsewhere_than_on_linux_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("select.epoll")
    with pytest.raises(PlatformUnsupportedError, match="Linux"):
        Poller()

"""What the process does on events that a test cannot cause from outside."""

import signal
from pathlib import Path
from typing import cast

import pytest
import trio

from wxserve.app import server
from wxserve.app.descriptors import RESERVED, fit_connections
from wxserve.app.endpoint import Endpoint, Served
from wxserve.app.notify import notify
from wxserve.store.store import Store
from wxserve.transport.limits import TransportLimits


class ExitedError(BaseException):
    """Instead of the end of the process."""


class FailedStore:
    async def wait_failed(self) -> str:
        await trio.lowlevel.checkpoint()
        return "disk I/O error"


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    statuses: list[int] = []

    def exit_now(status: int) -> None:
        statuses.append(status)
        raise ExitedError

    monkeypatch.setattr(server, "exit_now", exit_now)
    return statuses


async def test_failed_store_ends_the_process_at_once_and_says_why(
    exits: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ExitedError):
        await server._watch_store(cast("Store", FailedStore()))
    assert exits == [1]
    (record,) = caplog.records
    assert (record.message, record.levelname) == ("store.failed", "CRITICAL")
    assert vars(record)["reason"] == "disk I/O error"


async def test_first_signal_asks_to_stop_and_the_second_exits(exits: list[int]) -> None:
    send, signals = trio.open_memory_channel[int](2)
    stop = trio.Event()
    with pytest.RaisesGroup(ExitedError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server._listen_to_signals, signals, stop)
            await send.send(signal.SIGTERM)
            await stop.wait()
            assert exits == []
            await send.send(signal.SIGTERM)
    assert exits == [128 + signal.SIGTERM]


def test_endpoint_that_cannot_be_written_does_not_stop_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = Served(Endpoint("127.0.0.1", 1), tls=True)
    server._leave_endpoint(tmp_path / "absent", served)
    assert [record.message for record in caplog.records] == ["endpoint.not_written"]


def test_connections_fit_the_descriptors_that_there_are() -> None:
    limits = TransportLimits(connections_max=1000, refusals_max=10)
    assert fit_connections(limits, 100_000) is limits
    assert fit_connections(limits, 500).connections_max == 500 - RESERVED - 10
    assert fit_connections(limits, 10).connections_max == 1


def test_service_manager_that_is_not_there_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@no-such-socket")
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")

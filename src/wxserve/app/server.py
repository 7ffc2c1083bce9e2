"""The running server: the nursery tree from the store to the sockets, its beginning and end."""

import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import trio

import wxserve
from wxserve.router.invites import InviteAuthority
from wxserve.router.router import Router
from wxserve.store.lifetime import open_store
from wxserve.store.store import Store
from wxserve.transport.listener import bind_tcp
from wxserve.transport.server import TcpServer
from wxserve.transport.tls import TlsIdentity, load_identity

from .clock import SystemClock, system_entropy
from .config import Config
from .descriptors import fit_connections, raise_descriptor_limit
from .endpoint import Endpoint, Served, parse_endpoint, write_served
from .keys import Keys, RefusedError, create_keys, load_keys
from .notify import notify

EXIT_FAILED = 1
COLLECT_ALLOCATIONS: Final = 1_000
"""Containers made and not ended, after which the youngest are looked through for cycles: 0.3 ms.
Each second time those that were left over by the last time come with them."""
COLLECT_ALL: Final = 10_000
"""After so many of those everything is looked through: practically never."""
SWITCH_INTERVAL_S: Final = 0.001
"""How long the writer's thread waits for a busy event loop to hand over the interpreter's lock,
several times in each commit; the interpreter's own 5 ms are three commits on a good disk."""
_log = logging.getLogger("wxserve.app")


class Plan(NamedTuple):
    """What to serve.

    Attributes:
        data: the data directory.
        config: everything else.
    """

    data: Path
    config: Config

    @property
    def tls(self) -> bool:
        """Whether the server speaks TLS."""
        return not self.config.server.insecure_plaintext


class Running(NamedTuple):
    """A server that accepts connections.

    Attributes:
        served: where.
        stop: set it to drain and end the server.
    """

    served: Served
    stop: trio.Event


Companion = Callable[[Running], Awaitable[None]]
"""Runs beside the server from the moment it accepts connections; ends with it at the latest."""


def run_server(plan: Plan, companion: Companion) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        plan: what to serve.
        companion: is told where.

    Raises:
        RefusedError: the server cannot start here; nothing was changed but missing secrets made.
        StoreRefusedError: the store cannot be opened.
        BaseExceptionGroup: a task failed.
    """
    create_keys(plan.data)
    keys = load_keys(plan.data)
    try:
        identity = load_identity(keys.certificate, keys.tls_key) if plan.tls else None
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"{keys.certificate} and {keys.tls_key} do not belong together or are damaged"
        ) from error
    trio.run(_serve, plan, keys, identity, companion)


async def _serve(
    plan: Plan, keys: Keys, identity: TlsIdentity | None, companion: Companion
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            stop = trio.Event()
            nursery.start_soon(_listen_to_signals, signals, stop)
            clock = SystemClock()
            store_limits = plan.config.store
            async with open_store(
                plan.data, clock=clock, entropy=system_entropy, limits=store_limits
            ) as store:
                router = Router(
                    store,
                    clock=clock,
                    entropy=system_entropy,
                    limits=plan.config.router,
                    admission=plan.config.admission,
                    invites=InviteAuthority(keys.invite_key, clock, system_entropy),
                )
                _relieve_collector()
                sys.setswitchinterval(SWITCH_INTERVAL_S)
                await _serve_rooms(_Rooms(store, router, identity), plan, companion, stop)
            nursery.cancel_scope.cancel()
    _log.info("server.stopped")


def _relieve_collector() -> None:
    """Let the collector of cycles rest: what a message is made of has none.

    With the usual threshold it runs several times in every batch, whose messages are all alive, and
    now and then looks through all that the store keeps in memory. Errors do leave cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_ALLOCATIONS, 1, COLLECT_ALL)


class _Rooms(NamedTuple):
    store: Store
    router: Router
    identity: TlsIdentity | None


async def _serve_rooms(rooms: _Rooms, plan: Plan, companion: Companion, stop: trio.Event) -> None:
    """Run the rooms until ``stop``, then drain them."""
    tcp, endpoint = _listen(rooms, plan)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_store, rooms.store)
        nursery.start_soon(rooms.router.run)
        nursery.start_soon(tcp.run)
        served = Served(endpoint, plan.tls)
        _leave_endpoint(plan.data, served)
        _log.info(
            "server.ready",
            extra={"version": wxserve.__version__, "listen": str(endpoint), "tls": plan.tls},
        )
        notify("READY=1")
        nursery.start_soon(companion, Running(served, stop))
        await stop.wait()
        await _drain(rooms.router, tcp, plan.config)
        nursery.cancel_scope.cancel()


def _leave_endpoint(data: Path, served: Served) -> None:
    """Tell ``wxserve invite`` where the server is; a full disk must not keep it from starting."""
    try:
        write_served(data, served)
    except OSError as error:
        _log.warning("endpoint.not_written", extra={"reason": error.strerror})


def _listen(rooms: _Rooms, plan: Plan) -> tuple[TcpServer, Endpoint]:
    """Bind the sockets; connections wait in the kernel until the transport runs."""
    limits = fit_connections(plan.config.transport, raise_descriptor_limit())
    wanted = parse_endpoint(plan.config.server.listen)
    try:
        sockets = bind_tcp(wanted.host, wanted.port, limits.backlog_max)
    except OSError as error:
        raise RefusedError(f"cannot listen on {wanted}: {error.strerror or error}") from error
    tcp = TcpServer(sockets, rooms.router, rooms.identity, limits)
    address, port = sockets[0].getsockname()[:2]
    return tcp, Endpoint(wanted.host or address, port)


async def _drain(router: Router, tcp: TcpServer, config: Config) -> None:
    """Let clients finish: no new connections, GOAWAY, answers to what is under way, the end."""
    deadline_s = config.server.drain_deadline_s
    _log.info("server.draining", extra={"connections": tcp.statistics().streams})
    notify("STOPPING=1")
    tcp.stop_accepting()
    router.start_drain(deadline_s)
    await router.wait_drained()
    with trio.move_on_after(config.transport.linger_s):
        await tcp.wait_closed()


async def _watch_store(store: Store) -> None:
    """End the process when the store cannot write: what the disk holds is no longer known."""
    reason = await store.wait_failed()
    _log.critical("store.failed", extra={"reason": reason})
    exit_now(EXIT_FAILED)


async def _listen_to_signals(signals: AsyncIterator[int], stop: trio.Event) -> None:
    """Drain at the first signal, leave at the second; nothing accepted is lost by that."""
    async for number in signals:
        name = signal.Signals(number).name
        if stop.is_set():
            _log.warning("server.killed", extra={"signal": name})
            exit_now(128 + number)
        _log.info("server.signal", extra={"signal": name})
        stop.set()


def exit_now(status: int) -> NoReturn:
    """End the process without any cleaning up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

"""The tasks around the pump: one for sockets, one for what becomes dirty, one for deadlines."""

import socket
from collections.abc import Sequence

import trio

from .limits import TransportLimits
from .listener import Listener
from .ports import Router
from .pump import Pump, PumpStatistics
from .tls import TlsIdentity

_SWEEP_INTERVAL_S = 1.0


class TcpServer:
    """Serves TCP sockets; three tasks however many connections there are."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        router: Router,
        tls: TlsIdentity | None,
        limits: TransportLimits,
    ) -> None:
        """Take over listening sockets; accepting begins with ``run``.

        Args:
            sockets: from ``bind_tcp``.
            router: gives links.
            tls: None serves plain TCP.
            limits: of everything.

        Raises:
            PlatformUnsupportedError: this is not Linux.
        """
        self._router = router
        self._pump = Pump(router, tls, limits, trio.current_time)
        for sock in sockets:
            self._pump.entrance.listen(Listener(sock))

    async def run(self) -> None:
        """Serve until cancelled; then every socket is closed.

        Cancellation: closes connections at once. To end them politely, drain the router first,
        then ``stop_accepting`` and ``wait_closed``.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._flush_dirty)
                nursery.start_soon(self._sweep)
                while True:
                    await self._pump.streams.poller.wait(self._pump.turnstile.opens_at)
                    next_s = self._pump.step()
                    if next_s > trio.current_time():
                        await trio.sleep_until(next_s)
        finally:
            self._pump.close()

    async def _flush_dirty(self) -> None:
        while True:
            await self._router.dirty.wait()
            self._pump.flush()

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(_SWEEP_INTERVAL_S)
            self._pump.sweep(trio.current_time())

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections go on."""
        self._pump.entrance.stop()

    async def wait_closed(self) -> None:
        """Return when no connection is open any more.

        Cancellation: safe at any time.
        """
        empty = trio.Event()
        if self._pump.streams:
            self._pump.streams.when_empty = empty.set
        else:
            empty.set()
        await empty.wait()

    def statistics(self) -> PumpStatistics:
        """Return counts of sockets."""
        return self._pump.statistics()


async def serve_tcp(
    sockets: Sequence[socket.socket],
    router: Router,
    tls: TlsIdentity | None,
    limits: TransportLimits,
) -> None:
    """Serve until cancelled, for callers that need no drain.

    Args:
        sockets: from ``bind_tcp``; closed in the end.
        router: gives links.
        tls: None serves plain TCP.
        limits: of everything.
    """
    await TcpServer(sockets, router, tls, limits).run()

"""``connect``: the context in which a client lives."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from wxclient._protocol.invites import parse_invite
from wxclient.core.checking import check_name
from wxclient.core.client_core import ClientCore
from wxclient.core.ports import Entropy
from wxclient.exceptions import ClientClosed, StateError
from wxclient.options import DEFAULTS, Options
from wxclient.records import Identity, Snapshot
from wxclient.state.file import StateFile

from .client import Client
from .engine import Engine
from .file_access import FileAccess
from .reporter import Reporter
from .threads import finish_in_thread


@asynccontextmanager
async def connect(
    invite: str | None = None,
    *,
    state: Path | str,
    account_name: str = "",
    device_name: str = "",
    options: Options = DEFAULTS,
) -> AsyncIterator[Client]:
    """Open a device and keep it connected while the block runs.

    An enrolled device opens at once, connected or not. A new one is enrolled with the invite first;
    an attempt that was cut off is repeated with the same key, so that an invite is enough for one
    device whatever happens. The invite of an enrolled device is ignored, so that a program may
    always pass the same. Enrolling waits as long as the server cannot be reached; bound it with
    ``anyio.fail_after`` if somebody is waiting.

    When the client stops for good, whatever waits for it raises the reason; a block that is not
    waiting for it is cancelled, and the reason is raised from the ``async with``.

    Args:
        invite: ``wxserve://…``; None for a device that is enrolled already.
        state: the device's directory; made if it is not there, used by one client at a time.
        account_name: of a new account, at most 64 bytes of UTF-8.
        device_name: of a new device, at most 64 bytes of UTF-8.
        options: limits, retention, and what tests replace.

    Yields:
        The client.

    Raises:
        ValueError: the invite cannot be read.
        InvalidArgument: a name is too long; it is a ValueError, too.
        StateError: the state cannot be used; the class says why.
        SessionRefused: AuthFailed, DeviceRevoked, or what is wrong with the invite.
        PinMismatch: the server is not the one of the invite.
        NotLoopback: plain TCP to another machine.
        ConnectionReplaced: another program uses a copy of this state.

    Cancellation: what was sent stays in the outbox; what was received is made durable. Leaving
        takes at most ``close_deadline_s``.
    """
    entropy = options.entropy or os.urandom
    identity = None if invite is None else _identity(invite, account_name, device_name, entropy)
    opened: list[FileAccess] = []
    try:
        snapshot = await finish_in_thread(
            lambda: _open(Path(state), identity, opened, options.shell.rows_max)
        )
        async with _running(opened[0], snapshot, options, entropy) as client:
            yield client
    finally:
        for file in opened:
            await file.close()  # noqa: ASYNC102 - it shields itself


def _identity(invite: str, account_name: str, device_name: str, entropy: Entropy) -> Identity:
    read = parse_invite(invite)
    check_name(account_name, "account_name")
    check_name(device_name, "device_name")
    return Identity(
        entropy(32), read.host, read.port, read.tls, read.pins, read.code, account_name, device_name
    )


def _open(
    directory: Path, identity: Identity | None, opened: list[FileAccess], rows_max: int
) -> Snapshot:
    """Open the file and keep how to enrol, durably, before anything is sent."""
    try:
        file = StateFile(directory)
        opened.append(FileAccess(file, rows_max))  # closed by who asked, also if he is cancelled
        if identity is not None and not file.enrolled:
            file.invite(identity)
        return file.load()
    except (OSError, sqlite3.Error) as error:
        raise StateError(f"the state in {directory} cannot be used: {error}") from error


@asynccontextmanager
async def _running(
    file: FileAccess, snapshot: Snapshot, options: Options, entropy: Entropy
) -> AsyncIterator[Client]:
    core = ClientCore(snapshot, clock=anyio.current_time, entropy=entropy, limits=options.core)
    reporter = Reporter(options.shell)
    engine = Engine(core, file, reporter, options)
    client = Client(engine, reporter, options)
    reporter.on_entries = client._look_again  # noqa: SLF001 - its maker
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            try:
                with anyio.CancelScope() as block:
                    reporter.on_failure = block.cancel
                    if snapshot.identity.device is None:
                        await reporter.enrolled.wait()
                    yield client
            finally:
                reporter.on_failure = lambda: None
                with anyio.move_on_after(options.shell.close_deadline_s, shield=True):
                    await engine.finish()
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _only(group) from None
    finally:
        failure = reporter.failure
        reporter.fail(ClientClosed("the client was closed"))
    if block.cancelled_caught and failure is not None:
        raise failure


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one exception in nested groups, or the group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error

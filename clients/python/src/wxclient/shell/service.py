"""What every part of the client's interface stands on: operations, requests, reads."""

from typing import TypeVar

from wxclient._protocol.frames import Accepted, Error, Frame
from wxclient._protocol.identifiers import AccountId, ConversationId, DeviceId, OpId
from wxclient.events import ConnectionState
from wxclient.exceptions import ClientError, NotEnrolled
from wxclient.options import Options
from wxclient.records import OutboxRow
from wxclient.refusals import refusal_from
from wxclient.state import reading

from .engine import Engine
from .file_access import FileAccess
from .reporter import Reporter

Value = TypeVar("Value", bound=Frame)


class Service:
    """The base of ``Client``."""

    def __init__(self, engine: Engine, reporter: Reporter, options: Options) -> None:
        self._engine = engine
        self._file: FileAccess = engine.file
        self._reporter = reporter
        self._options = options

    @property
    def account(self) -> AccountId:
        """Return the account this device belongs to.

        Raises:
            NotEnrolled: never inside the block of ``connect``.
        """
        account = self._engine.core.identity.account
        if account is None:
            raise NotEnrolled("the device is not enrolled yet")
        return account

    @property
    def device(self) -> DeviceId:
        """Return the id of this device.

        Raises:
            NotEnrolled: never inside the block of ``connect``.
        """
        device = self._engine.core.identity.device
        if device is None:
            raise NotEnrolled("the device is not enrolled yet")
        return device

    @property
    def connected(self) -> bool:
        """Whether the client has caught up on the present connection."""
        return self._reporter.state is ConnectionState.ONLINE

    def _check(self) -> None:
        """Refuse work once the client stopped.

        Raises:
            Exception: why it stopped.
        """
        if self._reporter.failure is not None:
            raise self._reporter.failure

    def _new_op(self, body_bytes: int = 0) -> OpId:
        self._check()
        return self._engine.core.next_op(body_bytes)

    def _enqueue(
        self, op: OpId, conversation: ConversationId, frame: Frame, flags: int = 0
    ) -> None:
        row: OutboxRow = self._engine.core.row(op, conversation, frame, flags)
        self._engine.enqueue(row)

    async def _operate(self, op: OpId, conversation: ConversationId, frame: Frame) -> Accepted:
        self._file.check_outside()
        self._enqueue(op, conversation, frame)
        return await self.wait_accepted(op)

    async def wait_accepted(self, op: OpId) -> Accepted:
        """Wait for the outcome of an operation of this device.

        Args:
            op: what ``send_nowait`` or ``tx.send`` returned, also before a restart.

        Returns:
            Where the entry stands.

        Raises:
            RequestRefused: it was refused for good; the class says why.
            ClientError: the operation is unknown, or its outcome too old.
            InsideTransaction: called inside a transaction of this client.

        Cancellation: the operation goes on; wait again with the same ``op``.
        """
        self._file.check_outside()
        if self._engine.waits_for(op):
            self._check()
            result = self._reporter.op_result(op)
            try:
                return await result.wait()
            finally:
                self._reporter.forget_op(op, result)
        outcome = await self._file.read(lambda sql: reading.outcome(sql, op))
        if outcome is None:
            raise ClientError(f"operation {op.hex()} is not known here")
        if isinstance(outcome, Error):
            refusal = refusal_from(outcome)
            raise refusal
        return outcome

    async def _request(self, frame: Frame) -> tuple[Frame, ...]:
        """Ask until there is an answer, across connections.

        Raises:
            RequestRefused: it was refused for good.
        """
        self._check()
        self._file.check_outside()
        number = self._engine.core.request(frame)
        result = self._reporter.request_result(number)
        self._engine.touch()
        try:
            return await result.wait()
        finally:
            self._reporter.forget_request(number)
            self._engine.core.cancel_request(number)

    async def _ask(self, frame: Frame, answer: type[Value]) -> Value:
        """Ask for one frame."""
        (found,) = await self._request(frame)
        assert isinstance(found, answer), "the core checks what answers what"
        return found

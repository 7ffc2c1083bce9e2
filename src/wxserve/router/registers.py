"""Registers on their way to sessions: coalesced, bounded, and from the table after a gap."""

from wxserve.protocol.codec import encode
from wxserve.protocol.frames import Register
from wxserve.store.store import Store

from .delivery import Delivery
from .directory import Directory
from .limits import RouterLimits
from .session import Following, Session


class RegisterPushes:
    """Tells sessions what changed among their account's registers.

    A session gathers the last value of each, up to a limit. What is above it, and what changed
    before its SYNC, is read from the table, as fast as the session takes it. SYNCED waits for both.
    """

    def __init__(
        self, store: Store, directory: Directory, delivery: Delivery, limits: RouterLimits
    ) -> None:
        self._store = store
        self._directory = directory
        self._delivery = delivery
        self._limits = limits
        self._waiting: dict[Session, None] = {}

    def changed(self, origin: Session, register: Register) -> None:
        """Gather a changed register for the account's other sessions."""
        for session in self._directory.of_account(origin.account):
            if session is not origin and session.following is not Following.NOTHING:
                self._gather(session, register)

    def _gather(self, session: Session, register: Register) -> None:
        self._delivery.note_untold(session)
        pending, name = session.registers, (register.conversation, register.key)
        if name not in pending and len(pending) >= self._limits.registers_pending_max:
            oldest = min(one.position for one in (register, *pending.values()))
            session.registers_dropped = min(oldest - 1, session.registers_dropped or oldest)
            pending.clear()
        else:
            pending[name] = register
        self._waiting[session] = None

    def begin(self, session: Session, since: int) -> None:
        """Tell a session that synchronises what changed after a position, before any entry."""
        session.registers.clear()
        session.registers_dropped = None
        session.registers_after = since
        self._waiting[session] = None
        self.tell(session)

    def tell_all(self) -> None:
        """Tell every session what waits for it."""
        for session in list(self._waiting):
            self.tell(session)

    def tell(self, session: Session) -> None:
        """Write what waits for a session, as far as it takes it."""
        if session not in self._waiting or session.following is not Following.LIVE:
            return
        if session.registers_reading or self._slow(session):
            return
        if session.registers_after is None:
            session.registers_after, session.registers_dropped = session.registers_dropped, None
        if session.registers_after is not None:
            self._read(session, session.registers_after)
            return
        while session.registers and not self._slow(session):
            session.link.write(encode(session.registers.pop(next(iter(session.registers)))))
        if not session.registers:
            del self._waiting[session]

    def _slow(self, session: Session) -> bool:
        return session.link.outgoing_bytes > self._limits.outgoing_bytes_low

    def _read(self, session: Session, after: int) -> None:
        def done(registers: list[Register] | None) -> None:
            session.registers_reading = False
            if session.registers_after == after and registers is not None:
                self._write(session, registers)
            elif registers is not None:
                self.tell(session)

        session.registers_reading = self._store.read_registers(session.account, after, done)

    def _write(self, session: Session, registers: list[Register]) -> None:
        """Write a slice of the table; go on with the next one, or with entries after the last."""
        for register in registers:
            if session.link.outgoing_bytes >= self._limits.outgoing_bytes_max:
                break
            session.link.write(encode(register))
            session.registers_after = register.position
        else:
            if len(registers) < self._store.limits.read_rows_max:
                session.registers_after = None
        self.tell(session)
        if session.registers_after is None:
            self._delivery.go_on(session)

    def forget(self, session: Session) -> None:
        """The session is over."""
        self._waiting.pop(session, None)
        session.registers.clear()
        session.registers_after = session.registers_dropped = None

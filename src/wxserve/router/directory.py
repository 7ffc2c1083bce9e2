"""Which accounts and devices are online, and on which sessions."""

from collections.abc import Iterable

from wxserve.protocol.identifiers import AccountId, DeviceId

from .session import Session

_NOBODY: tuple[Session, ...] = ()


class Directory:
    """Sessions by account and by device; at most one session a device.

    Attributes:
        by_account: the sessions of each account that has any; to be read.
    """

    def __init__(self) -> None:
        self.by_account: dict[AccountId, tuple[Session, ...]] = {}
        self._by_device: dict[DeviceId, Session] = {}

    def __len__(self) -> int:
        """How many sessions are open."""
        return len(self._by_device)

    def add(self, session: Session) -> Session | None:
        """Put a session in place of its device's earlier one, which is returned."""
        earlier = self._by_device.get(session.device)
        if earlier is not None:
            self.remove(earlier)
        self._by_device[session.device] = session
        self.by_account[session.account] = (*self.of_account(session.account), session)
        return earlier

    def remove(self, session: Session) -> None:
        """Take a session out; one that was replaced before is out already."""
        if self._by_device.get(session.device) is not session:
            return
        del self._by_device[session.device]
        others = tuple(s for s in self.by_account[session.account] if s is not session)
        if others:
            self.by_account[session.account] = others
        else:
            del self.by_account[session.account]

    def of_account(self, account: AccountId) -> tuple[Session, ...]:
        """Return the sessions of an account."""
        return self.by_account.get(account, _NOBODY)

    def of_device(self, device: DeviceId) -> Session | None:
        """Return the session of a device."""
        return self._by_device.get(device)

    def sessions(self) -> Iterable[Session]:
        """Return every session."""
        return self._by_device.values()

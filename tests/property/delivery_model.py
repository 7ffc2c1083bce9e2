"""What delivery promises, as a small model that shares nothing with the server's code.

It is fed the log in commit order and says of every entry whether it may be there, of every device
what it must and must not see, and of every refusal whether it was deserved.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.property.delivery_log import (
    CLOSED,
    CREATED,
    DEVICE,
    DIRECT,
    GONE,
    INVITED,
    JOINED,
    MEMBER,
    MEMBERSHIP,
    MESSAGE,
    NOTICE,
    NOTICES,
    NOWHERE,
    OWNER,
    REDACTED,
    SELF,
    VERBS,
    Log,
    Row,
    Seat,
    Wish,
    derived,
    direct_id,
)
from tests.property.delivery_rights import refusals


class Listed(NamedTuple):
    """A conversation as CHANGES must show it."""

    conversation: bytes
    kind: int
    head: int
    position: int
    spans: tuple[tuple[int, int], ...]


class Computer(NamedTuple):
    """A device: whose, and since when."""

    account: bytes
    first: int


class Model:
    """Everything that was committed, in order.

    Attributes:
        position: the last one.
        may_be_late: whether an operation may come after later ones of its device.
    """

    def __init__(self) -> None:
        self.logs: dict[bytes, Log] = {}
        self.accounts: dict[bytes, int] = {}
        self.devices: dict[bytes, Computer] = {}
        self.revoked: dict[bytes, int] = {}
        self.ops: dict[bytes, Row] = {}
        self.places: dict[int, Row] = {}
        self.position = 0
        self.time_ms = 0
        self.may_be_late: Callable[[Row], bool] = lambda _: False
        self._orders: dict[tuple[bytes, bytes], bytes] = {}
        self._notices: deque[tuple[bytes, tuple[object, ...]]] = deque()

    # -- what happened -------------------------------------------------------------------------

    def enrolled(self, device: bytes, account: bytes, first: int) -> None:
        """A device was added; its notice must come next, at its first position."""
        assert device not in self.devices, "a device is enrolled once"
        assert first == self.position + 1 or first > self.position
        if account not in self.accounts:
            self.accounts[account] = first
            self._own(derived("wxserve self v1", account), SELF, account, first)
            self._own(derived("wxserve notice v1", account), NOTICES, account, first)
        self._own(derived("wxserve device v1", device), DEVICE, account, first)
        self.devices[device] = Computer(account, first)
        self._expect(account, "device-added", device)

    def _own(self, identifier: bytes, kind: int, account: bytes, position: int) -> None:
        log = self.logs[identifier] = Log(identifier, kind)
        log.change(position, {account: Seat(OWNER, JOINED)})
        log.open_for(account, 1)

    def _expect(self, account: bytes, *body: object) -> None:
        self._notices.append((derived("wxserve notice v1", account), body))

    def commit(self, row: Row) -> None:
        """Take the next entry; it must be allowed and in its place."""
        assert row.position > self.position, "positions rise"
        assert row.time_ms >= self.time_ms, "time never goes back"
        if self._notices:
            wanted = self._notices.popleft()
            assert (row.conversation, row.body) == wanted, "the notice is part of the change"
        else:
            assert row.kind != NOTICE or row.body[0] == "device-revoked", "a notice from nowhere"
        self._check_op(row)
        if row.kind == CREATED:
            self._create(row)
        log = self.logs[row.conversation]
        assert row.seq == len(log.rows) + 1, f"seq {row.seq} after {len(log.rows)}"
        if row.account is not None and row.device is not None:
            wish = self.wish_of(row)
            must, _ = refusals(self, row.account, row.device, wish, self.position)
            assert not must, f"{wish} was accepted, and is {must}"
        log.rows.append(row)
        log.positions.append(row.position)
        self.places[row.position] = row
        self._apply(log, row)
        self.position, self.time_ms = row.position, row.time_ms

    def passed(self, position: int) -> None:
        """A position was taken by something that is no entry."""
        assert position > self.position, "positions rise"
        self.position = position

    def _check_op(self, row: Row) -> None:
        """One entry for each operation, and a device's own order kept."""
        if row.op is None:
            return
        assert row.op not in self.ops, "one entry per operation, for ever"
        assert row.device == row.op[:8], "an operation of another device"
        before = self._orders.get((row.device, row.conversation), b"")
        assert before < row.op or self.may_be_late(row), f"{row.op.hex()} after {before.hex()}"
        self._orders[row.device, row.conversation] = row.op
        self.ops[row.op] = row

    def _create(self, row: Row) -> None:
        kind, creator, accounts, _ = row.body
        assert isinstance(kind, int)
        assert isinstance(accounts, tuple)
        assert row.op is not None
        assert creator == row.account
        assert row.conversation not in self.logs
        log = self.logs[row.conversation] = Log(row.conversation, kind)
        if kind == DIRECT:
            assert row.conversation == direct_id(*accounts)
            log.change(row.position, dict.fromkeys(accounts, Seat(MEMBER, JOINED)))
            for account in accounts:
                log.open_for(account, 1)
            return
        assert row.conversation == derived("wxserve group v1", row.op)
        assert isinstance(creator, bytes)
        invited = dict.fromkeys(accounts, Seat(MEMBER, INVITED))
        log.change(row.position, {**invited, creator: Seat(OWNER, JOINED)})
        log.open_for(creator, 1)
        for account in accounts:
            self._expect(account, "invited", row.conversation, creator)

    def _apply(self, log: Log, row: Row) -> None:
        if row.kind == REDACTED:
            log.redacted[number(row.body[0])] = row.position
        elif row.kind == CLOSED:
            log.closed = row.position
        elif row.kind == NOTICE and row.body[0] == "device-revoked":
            assert isinstance(row.body[1], bytes)
            self.revoked[row.body[1]] = row.position
        elif row.kind == MEMBERSHIP:
            wish = self.wish_of(row)
            self._move(log, row, wish)

    def _move(self, log: Log, row: Row, wish: Wish) -> None:
        seats = log.seated(row.position)
        if wish.verb == "invite":
            log.change(row.position, dict.fromkeys(wish.accounts, Seat(MEMBER, INVITED)))
            for account in wish.accounts:
                assert seats.get(account, NOWHERE).state == GONE, "invited who was there already"
                self._expect(account, "invited", log.id, row.account)
            return
        (account,) = wish.accounts
        if wish.verb == "accept":
            log.change(row.position, {account: Seat(seats[account].role, JOINED)})
            log.open_for(account, row.seq)
        elif wish.verb == "role":
            log.change(row.position, {account: Seat(wish.value, JOINED)})
        else:
            log.change(row.position, {account: NOWHERE})
            if seats[account].state == JOINED:
                log.close_for(account, row.seq)

    def wish_of(self, row: Row) -> Wish:
        """Return what somebody must have asked for, for this entry to be."""
        if row.kind == MESSAGE:
            return Wish("send", row.conversation)
        if row.kind == CREATED:
            accounts = row.body[2]
            assert isinstance(accounts, tuple)
            others = tuple(a for a in accounts if a != row.account)
            return Wish("create", row.conversation, others, number(row.body[0]))
        if row.kind == REDACTED:
            return Wish("redact", row.conversation, (), number(row.body[0]))
        if row.kind == CLOSED:
            return Wish("close", row.conversation)
        assert row.kind == MEMBERSHIP
        change, accounts, role = row.body
        assert isinstance(accounts, tuple)
        verb = VERBS[number(change)]
        if verb in {"accept", "leave"}:
            assert accounts == (row.account,), "only for oneself"
        return Wish(verb, row.conversation, accounts, number(role) if verb == "role" else 0)

    # -- who sees ------------------------------------------------------------------------------

    def visible(self, device: bytes, log: Log, seq: int) -> bool:
        """Whether a device may ever see an entry."""
        account, first = self.devices[device]
        if self.hidden(device, log):
            return False
        if log.kind != NOTICES and log.rows[seq - 1].position < first:
            return False
        return any(
            begin <= seq and (end == 0 or seq <= end) for begin, end in log.spans.get(account, ())
        )

    def hidden(self, device: bytes, log: Log) -> bool:
        """Whether a conversation is another device's own."""
        return log.kind == DEVICE and log.id != derived("wxserve device v1", device)

    def due(self, device: bytes, position: int) -> Iterable[tuple[Log, int]]:
        """Yield the newest entry of each conversation that a device sees through a position."""
        for log in self.logs.values():
            for seq in range(log.head(position), 0, -1):
                if self.visible(device, log, seq):
                    yield log, seq
                    break

    def listing(self, device: bytes, since: int, position: int) -> list[Listed]:
        """Return what SYNC must list, latest first, as of a position."""
        account = self.devices[device].account
        found = []
        for log in self.logs.values():
            spans = log.spans_at(account, position)
            if not spans or self.hidden(device, log):
                continue
            newest = log.head(position)
            head = min(spans[-1][1] or newest, newest)
            changes = log.changed.get(account, [])
            place = max(changes[: bisect_right(changes, position)], default=0)
            if head == newest and newest:
                place = max(place, log.positions[newest - 1])
            if place > since:
                found.append(Listed(log.id, log.kind, head, place, spans[-8:]))
        return sorted(found, key=lambda one: -one.position)


def unread(listed: Listed, cursor: int) -> int:
    """Return how many entries of a listed conversation come after a cursor."""
    return sum(
        max(0, min(last or listed.head, listed.head) - max(first - 1, cursor))
        for first, last in listed.spans
    )


def number(value: object) -> int:
    assert isinstance(value, int)
    return value

"""Who may do what in a conversation, as docs/protocol.md has it; not taken from the server."""

from typing import TYPE_CHECKING

from tests.property.delivery_log import (
    ADMINISTRATOR,
    DIRECT,
    GONE,
    GROUP,
    INVITED,
    JOINED,
    MESSAGE,
    NOWHERE,
    OWNER,
    SELF,
    Log,
    Seat,
    Seats,
    Wish,
)

if TYPE_CHECKING:
    from tests.property.delivery_model import Model

NEVER = 1 << 62


class Verdict:
    """The refusals one of which must, and those that may, answer a wish."""

    def __init__(self) -> None:
        self.must: set[str] = set()
        self.may: set[str] = set()


def refusals(
    model: "Model", account: bytes, device: bytes, wish: Wish, position: int
) -> tuple[set[str], set[str]]:
    """Return the refusals one of which must, and those that may, answer a wish at a position."""
    if model.revoked.get(device, NEVER) <= position:
        return {"DEVICE_REVOKED"}, set()
    if wish.verb == "create":
        unknown = any(other not in model.accounts for other in wish.accounts)
        alone = wish.value == DIRECT and wish.accounts in {(account,), ()}
        return ({"FORBIDDEN"} if unknown or alone else set()), set()
    log = model.logs.get(wish.conversation)
    seats = log.seated(position) if log else {}
    own = seats.get(account, NOWHERE)
    if log is None or own.state == GONE:
        return {"FORBIDDEN"}, set()
    verdict = Verdict()
    if log.closed <= position:
        verdict.must.add("CONVERSATION_CLOSED")
    _judge_place(verdict, log, own, wish)
    _judge_others(verdict, model, seats, own, wish)
    if _orphans(seats, account, wish):
        verdict.must.add("OWNER_MUST_TRANSFER")
    if wish.verb == "redact":
        _judge_redaction(verdict, log, seats, (account, wish.value, position))
    return verdict.must, verdict.may


def _judge_place(verdict: Verdict, log: Log, own: Seat, wish: Wish) -> None:
    least = {"remove": ADMINISTRATOR, "role": OWNER, "close": OWNER}.get(wish.verb, 0)
    wanted = {"accept": INVITED, "leave": own.state}.get(wish.verb, JOINED)
    if own.state != wanted or own.role < least:
        verdict.must.add("FORBIDDEN")
    kinds = {"send": {DIRECT, GROUP, SELF}, "redact": {log.kind}}.get(wish.verb, {GROUP})
    if log.kind not in kinds:
        verdict.must.add("KIND_NOT_ALLOWED")


def _judge_others(verdict: Verdict, model: "Model", seats: Seats, own: Seat, wish: Wish) -> None:
    if wish.verb == "invite" and any(one not in model.accounts for one in wish.accounts):
        verdict.must.add("FORBIDDEN")
    if wish.verb not in {"remove", "role"}:
        return
    other = seats.get(wish.accounts[0], NOWHERE)
    if wish.verb == "remove" and (other.state == GONE or other.role >= own.role):
        verdict.must.add("FORBIDDEN")
    if wish.verb == "role" and (other.state != JOINED or wish.value not in {1, 2, 3}):
        verdict.must.add("FORBIDDEN")


def _judge_redaction(
    verdict: Verdict, log: Log, seats: Seats, what: tuple[bytes, int, int]
) -> None:
    account, seq, position = what
    if not 1 <= seq <= log.head(position):
        verdict.must.add("FORBIDDEN")
        return
    row, role = log.rows[seq - 1], seats[account].role
    if row.account != account and not (log.kind == GROUP and role >= ADMINISTRATOR):
        verdict.must.add("FORBIDDEN")
    if row.kind != MESSAGE:
        verdict.must.add("KIND_NOT_ALLOWED")
    if log.redacted.get(seq, NEVER) <= position:
        verdict.must.add("ENTRY_GONE")
    if seq in log.swept or seq in log.deleted:
        verdict.may.add("ENTRY_GONE")


def _orphans(seats: Seats, account: bytes, wish: Wish) -> bool:
    """Whether a group would be left with members and without an owner."""
    owners = {a for a, seat in seats.items() if seat == Seat(OWNER, JOINED)}
    others = {a for a, seat in seats.items() if seat.state == JOINED} - {account}
    if wish.verb == "leave":
        return owners == {account} and bool(others)
    return wish.verb == "role" and owners == set(wish.accounts) and wish.value != OWNER

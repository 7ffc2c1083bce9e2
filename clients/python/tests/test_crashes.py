"""Whatever breaks, and wherever: one entry per operation, one effect per entry, in order.

The script of each example is a list of steps between which the program may be killed and the
connection cut, at any byte. What Hypothesis prints of a failure is the script that repeats it.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from wxclient._protocol.envelope import decode_envelope
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import Refusal
from wxclient._protocol.frames import SetRegister
from wxclient._protocol.identifiers import ConversationId, OpId, op_counter, self_conversation
from wxclient.state.handing import mark_handled, pending_after

from .driving import Clock, Driver
from .fake_server import FakeServer

Step = tuple[str, int]
STEPS = st.tuples(
    st.sampled_from([
        "message", "message", "say", "say", "send", "receive", "commit", "step", "step", "step",
        "handle", "handle", "connect", "drop", "crash", "crash in commit", "crash before commit", "crash in handle",
        "cut receiving", "cut sending", "lose accepted", "refuse now", "refuse for good",
        "forget acks", "no current", "tight credit", "gone", "time", "redact", "request",
    ]),
    st.integers(0, 400),
)  # fmt: skip


class World:
    """A client, a server, an application, and what must hold in the end."""

    def __init__(self, directory: Path) -> None:
        self.server = FakeServer()
        self.server.behaviour.ops_in_flight_max = 5
        self.driver = Driver(directory / "device", self.server, Clock())
        self.driver.settle()
        account = self.driver.core.identity.account
        assert account is not None
        other = self.server.new_account()
        self.logs = [self_conversation(account), self.server.direct(account, other)]
        self.driver.state.sql.execute("CREATE TABLE effect (conversation BLOB, seq INTEGER)")
        self.written: list[OpId] = []
        self.unwritten: list[OpId] = []
        self.refused = 0

    # -- what may happen -----------------------------------------------------------------------

    def do(self, step: Step) -> None:
        name, number = step
        getattr(self, "_" + name.replace(" ", "_"))(number)

    def _log(self, number: int) -> ConversationId:
        return self.logs[number % 2]

    def _message(self, number: int) -> None:
        self.unwritten.append(self.driver.message(self._log(number), b"own %d" % number))

    def _say(self, number: int) -> None:
        self.server.say(self._log(number), b"other %d" % number)

    def _send(self, _number: int) -> None:
        self.driver.send()

    def _receive(self, _number: int) -> None:
        self.driver.receive()

    def _commit(self, _number: int) -> None:
        self.driver.commit()
        self._all_written()

    def _all_written(self) -> None:
        self.written.extend(self.unwritten)
        self.unwritten.clear()

    def _step(self, _number: int) -> None:
        self.driver.step()
        self._all_written()

    def _connect(self, _number: int) -> None:
        if self.driver.link is None:
            self.driver.connect()

    def _drop(self, _number: int) -> None:
        self.driver.drop()

    def _crash(self, _number: int) -> None:
        self.driver.crash()
        self.unwritten.clear()

    def _crash_in_commit(self, _number: int) -> None:
        batch = self.driver.core.take_batch()
        if batch is not None:
            self.driver.state.commit(batch, self.driver.limits)
            self._all_written()
        self._crash(0)

    def _crash_before_commit(self, _number: int) -> None:
        self.driver.core.take_batch()
        self.driver.clock.now_s += 0.2
        self.driver.core.on_time()
        self.driver.send()
        self._crash(0)

    def _cut_receiving(self, number: int) -> None:
        self.driver.receive(number)
        self.driver.drop()

    def _cut_sending(self, number: int) -> None:
        self.driver.send(number)
        self.driver.drop()

    def _lose_accepted(self, _number: int) -> None:
        self.server.behaviour.lose_accepted += 1

    def _refuse_now(self, number: int) -> None:
        refusal = Refusal(ErrorCode.OVERLOADED, retry_after_ms=number)
        self.server.behaviour.refusals += [None] * (number % 3) + [refusal]

    def _refuse_for_good(self, number: int) -> None:
        self.server.behaviour.refusals += [None] * (number % 3) + [Refusal(ErrorCode.FORBIDDEN)]

    def _forget_acks(self, number: int) -> None:
        self.server.behaviour.forget_acks = bool(number % 2)

    def _no_current(self, number: int) -> None:
        self.server.behaviour.current = bool(number % 2)

    def _tight_credit(self, number: int) -> None:
        self.server.behaviour.credit = (500 + number, 1 + number % 5)

    def _gone(self, number: int) -> None:
        log = self.server.conversations[self._log(number)]
        if number < len(log.entries):
            log.gone[number + 1] = 1

    def _redact(self, number: int) -> None:
        self._gone(number)

    def _request(self, _number: int) -> None:
        log = self.logs[0]
        self.driver.core.request(SetRegister(log, "key", len(self.server.registers) + 1, b"value"))

    def _time(self, number: int) -> None:
        self.driver.clock.now_s += number / 40
        self.driver.core.on_time()

    # -- the application -----------------------------------------------------------------------

    def _handle(self, _number: int) -> None:
        self._effect(lambda: None)

    def _crash_in_handle(self, _number: int) -> None:
        def die() -> None:
            raise KeyboardInterrupt

        try:
            self._effect(die)
        except KeyboardInterrupt:
            self._crash(0)

    def _effect(self, between: Callable[[], None]) -> bool:
        found = pending_after(self.driver.state.sql, 0, own=True, limit=1)
        for pending in found:
            with self.driver.state.transaction() as sql:
                entry = pending.entry
                place = (entry.conversation, entry.seq)
                sql.execute("INSERT INTO effect VALUES (?, ?)", place)
                between()
                mark_handled(sql, pending)
        return bool(found)

    # -- what must hold ------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        behaviour = self.server.behaviour
        behaviour.lose_accepted, behaviour.forget_acks = 0, False
        self._all_written()
        self.server.push()
        self.driver.settle()
        while self._effect(lambda: None):
            pass

    def check(self) -> None:
        assert self.server.client_faults == []
        assert self.driver.core.failure is None
        assert self.driver.core.tally.violations == 0
        assert self.driver.core.outbox_size == 0
        for log in self.logs:
            self._check_log(log)
        self._check_ops()

    def _check_log(self, conversation: ConversationId) -> None:
        sql, log = self.driver.state.sql, self.server.conversations[conversation]
        stored = sql.execute(
            "SELECT seq FROM wx_entry WHERE conversation = ? ORDER BY id", (conversation,)
        ).fetchall()
        seqs = [seq for (seq,) in stored]
        assert seqs == sorted(set(seqs)), "each once, in order"
        gaps = {
            seq
            for first, through in sql.execute(
                "SELECT first, through FROM wx_gap WHERE conversation = ?", (conversation,)
            )
            for seq in range(first, through + 1)
        }
        assert set(seqs) | gaps == set(range(1, len(log.entries) + 1)), "a hole"
        assert not set(seqs) & gaps
        assert gaps <= set(log.gone)
        effects = sql.execute(
            "SELECT seq FROM effect WHERE conversation = ? ORDER BY rowid", (conversation,)
        ).fetchall()
        assert effects == stored, "one effect per entry, in order"

    def _check_ops(self) -> None:
        device = self.driver.core.identity.device
        assert device is not None
        ours: dict[ConversationId, list[int]] = {log: [] for log in self.logs}
        for log in self.logs:
            for entry in self.server.conversations[log].entries:
                op = decode_envelope(entry.envelope).op
                if op[:8] == device:
                    ours[log].append(op_counter(op))
        counters = [counter for log in self.logs for counter in ours[log]]
        assert len(counters) == len(set(counters)), "one entry per operation"
        for log in self.logs:
            assert ours[log] == sorted(ours[log]), "a sender's own order"
        refused = {
            counter
            for (counter,) in self.driver.state.sql.execute(
                "SELECT counter FROM wx_outcome WHERE refused IS NOT NULL"
            )
        }
        assert set(counters) | refused == {op_counter(op) for op in self.written}
        assert not set(counters) & refused


@settings(max_examples=300)
@given(script=st.lists(STEPS, max_size=60))
def test_client_under_faults_keeps_its_promises(script: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        try:
            for step in script:
                world.do(step)
            world.come_to_rest()
            world.check()
        finally:
            world.driver.state.close()

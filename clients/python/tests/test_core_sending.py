"""What the core sends: operations and requests, until they are answered."""

import pytest

from wxclient._protocol import frames as f
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import Refusal, error_frame
from wxclient._protocol.identifiers import ConversationId
from wxclient.events import (
    OpAccepted,
    OpRefused,
    RequestAnswered,
)
from wxclient.limits import CoreLimits
from wxclient.refusals import Forbidden
from wxclient.state.handing import store_ops

from .driving import Driver, frames_of, own_log
from .fake_server import message


def test_message_is_durable_before_it_is_sent(driver: Driver) -> None:
    driver.settle()
    driver.message(own_log(driver), b"hello")
    assert not driver.core.has_data_to_send
    driver.commit()
    assert driver.core.has_data_to_send


def test_message_is_accepted_once_and_leaves_the_outbox(driver: Driver) -> None:
    driver.settle()
    op = driver.message(own_log(driver), b"hello")
    driver.settle()
    (accepted,) = driver.take(OpAccepted)
    assert accepted[0] == op
    assert driver.core.outbox_size == 0
    assert driver.state.load().outbox == ()
    assert driver.bodies(own_log(driver)) == [b"hello"]
    assert driver.stored()[0].own


@pytest.mark.parametrize("current", [True, False])
def test_message_with_lost_acceptance_is_one_entry(driver: Driver, *, current: bool) -> None:
    driver.server.behaviour.current = current
    driver.settle()
    driver.server.behaviour.lose_accepted = 3
    op = driver.message(own_log(driver), b"hello")
    driver.settle()
    assert [event[0] for event in driver.take(OpAccepted)] == [op]
    assert len(driver.server.ops_log) == 1
    assert driver.bodies(own_log(driver)) == [b"hello"]
    assert driver.core.tally.resends == 3


def test_message_waits_through_a_crash(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.message(log, b"hello")
    driver.commit()
    driver.crash()
    driver.settle()
    assert driver.bodies(log) == [b"hello"]
    assert driver.core.outbox_size == 0


def test_unwritten_message_is_gone_after_a_crash_and_its_counter_is_reused(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    first = driver.message(log, b"never written")
    driver.crash()
    again = driver.message(log, b"hello")
    driver.settle()
    assert first == again
    assert driver.bodies(log) == [b"hello"]


def test_floor_never_passes_an_unwritten_counter(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.message(log, b"one")
    driver.settle()
    driver.message(log, b"not written")
    assert driver.core._device.outbox.floor() == 2
    driver.core._session._acknowledge()  # type: ignore[union-attr]
    driver.send()
    driver.crash()
    driver.message(log, b"two")
    driver.settle()
    assert driver.bodies(log) == [b"one", b"two"]
    assert driver.take(OpRefused) == []


def test_pipelined_messages_keep_their_order_through_temporary_refusals(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    full = Refusal(ErrorCode.STORAGE_FULL, retry_after_ms=700)
    driver.server.behaviour.refusals = [None, full, None, full]
    for number in range(10):
        driver.message(log, b"%d" % number)
    began_s = driver.clock.now_s
    driver.settle()
    assert driver.bodies(log) == [b"%d" % number for number in range(10)]
    assert driver.core.tally.retries > 2
    assert driver.clock.now_s - began_s >= 1.4


def test_refused_lane_does_not_hold_back_another(driver: Driver) -> None:
    driver.settle()
    account = driver.core.identity.account
    assert account is not None
    other = driver.server.direct(account, driver.server.new_account())
    driver.settle()
    driver.server.behaviour.refusals = [Refusal(ErrorCode.RATE_LIMITED, retry_after_ms=60_000)]
    driver.message(own_log(driver), b"slow")
    driver.message(other, b"fast")
    for _step in range(6):
        driver.step()
    assert [entry.body for entry in driver.stored() if entry.kind == 1] == [b"fast"]


def test_permanent_refusal_is_told_and_kept(driver: Driver) -> None:
    driver.settle()
    op = driver.message(ConversationId(b"x" * 16), b"to nobody")
    driver.settle()
    (refused,) = driver.take(OpRefused)
    assert refused[0] == op
    assert isinstance(refused[1], Forbidden)
    assert driver.core.outbox_size == 0


def test_operations_in_flight_stay_within_the_server_limit(driver: Driver) -> None:
    driver.server.behaviour.ops_in_flight_max = 4
    driver.settle()
    log = own_log(driver)
    for number in range(40):
        driver.message(log, b"%d" % number)
    driver.settle()
    assert driver.bodies(log) == [b"%d" % number for number in range(40)]
    assert driver.core.tally.retries == 0


def test_request_is_asked_again_after_a_reconnect(driver: Driver) -> None:
    driver.settle()
    number = driver.core.request(f.ListDevices())
    driver.core.data_to_send()  # lost on the way
    driver.drop()
    driver.settle()
    (answered,) = driver.take(RequestAnswered)
    assert answered[0] == number


def test_cancelled_request_frees_its_stream_only_with_the_answer(driver: Driver) -> None:
    driver.settle()
    number = driver.core.request(f.ListDevices())
    driver.core.cancel_request(number)
    assert len(driver.core._session._answers.streams) == 1  # type: ignore[union-attr]
    driver.settle()
    assert len(driver.core._session._answers.streams) == 0  # type: ignore[union-attr]
    assert driver.take(RequestAnswered) == []


def test_answer_to_nothing_ends_the_connection(driver: Driver) -> None:
    driver.settle()
    assert driver.link is not None
    driver.link.tell(f.Done(0), 77)
    driver.receive()
    assert driver.core.hang_up
    assert driver.core.tally.violations == 1


@pytest.mark.parametrize("code", [ErrorCode.IDLE_TIMEOUT, ErrorCode.HANDSHAKE_TIMEOUT])
def test_deadline_that_passed_ends_the_connection_and_is_no_violation(
    driver: Driver, code: ErrorCode
) -> None:
    driver.settle()
    assert driver.link is not None
    driver.link.tell(error_frame(code))
    driver.receive()
    assert driver.core.hang_up
    assert driver.core.tally.violations == 0
    driver.settle()
    assert driver.core.tally.reconnects == 1


def test_outbox_is_bounded(driver: Driver) -> None:
    driver.limits = CoreLimits(outbox_ops_max=3)
    driver.settle()
    driver.crash()
    for number in range(3):
        driver.message(own_log(driver), b"%d" % number)
    with pytest.raises(Exception, match="3 operations"):
        driver.message(own_log(driver), b"too many")


def test_floor_never_passes_the_counter_of_an_open_transaction(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    op = driver.core.next_op()  # an application's transaction is open
    driver.core._session._acknowledge()  # type: ignore[union-attr]
    driver.send()
    row = driver.core.row(op, log, f.Send(message(log, b"at last", op)))
    with driver.state.transaction() as sql:
        store_ops(sql, [row], driver.core.op_next)
    driver.core.enqueue_durable((row,), driver.core.op_next)
    driver.settle()
    assert driver.take(OpRefused) == []
    assert driver.bodies(log) == [b"at last"]


def test_floor_never_passes_an_outcome_that_is_not_durable(driver: Driver) -> None:
    driver.settle()
    driver.message(own_log(driver), b"hello")
    driver.commit()
    driver.send()
    driver.receive()  # ACCEPTED is here and not durable
    driver.core._session._acknowledge()  # type: ignore[union-attr]
    driver.send()
    driver.crash()
    driver.settle()
    assert driver.take(OpRefused) == []
    assert driver.core.tally.accepted == 1


def test_refused_lane_is_silent_until_its_time(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.behaviour.refusals = [Refusal(ErrorCode.OVERLOADED, retry_after_ms=5000)]
    driver.message(log, b"first")
    for number in range(5):
        driver.step()
        driver.step()
        driver.message(log, b"%d" % number)
    assert len(frames_of(driver.link, f.Send)) == 1
    driver.clock.now_s += 5
    driver.core.on_time()
    driver.settle()
    assert driver.bodies(log) == [b"first", b"0", b"1", b"2", b"3", b"4"]


def test_durable_message_does_not_overtake_an_unwritten_one(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.message(log, b"first")  # its commit waits for the application's transaction
    op = driver.core.next_op()
    row = driver.core.row(op, log, f.Send(message(log, b"second", op)))
    with driver.state.transaction() as sql:
        store_ops(sql, [row], driver.core.op_next)
    driver.core.enqueue_durable((row,), driver.core.op_next)
    assert not driver.core.has_data_to_send
    driver.settle()
    assert driver.bodies(log) == [b"first", b"second"]

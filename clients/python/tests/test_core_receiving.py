"""What the core receives: durable, acknowledged, once."""

from wxclient._protocol import frames as f
from wxclient._protocol.envelope import Kind
from wxclient.events import (
    EphemeralReceived,
    SyncedThrough,
)
from wxclient.exceptions import EntriesMissing

from .driving import Driver, frames_of, own_log


def test_entries_arrive_durable_before_they_are_acknowledged(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"one")
    driver.receive()
    driver.core.on_time()
    assert not driver.core.has_data_to_send, "nothing may be acknowledged before the commit"
    driver.settle()
    assert driver.bodies(log) == [b"one"]
    (device,) = driver.server.devices.values()
    assert device.cursors[log] == 1


def test_acknowledgements_are_coalesced_by_time_and_by_count(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    for number in range(10):
        driver.server.say(log, b"%d" % number)
        driver.step()
    assert frames_of(driver.link, f.Ack) == []
    driver.clock.now_s += 0.1
    driver.core.on_time()
    driver.step()
    assert [ack.cursors for ack in frames_of(driver.link, f.Ack)] == [((log, 10),)]
    for number in range(64):
        driver.server.say(log, b"%d" % number)
    driver.step()
    driver.core.on_time()
    driver.step()
    assert frames_of(driver.link, f.Ack)[-1].cursors == ((log, 74),)


def test_credit_is_granted_again_when_half_is_used(driver: Driver) -> None:
    driver.server.behaviour.credit = (1 << 20, 8)
    driver.settle()
    log = own_log(driver)
    for number in range(50):
        driver.server.say(log, b"%d" % number)
    driver.settle()
    assert driver.bodies(log) == [b"%d" % number for number in range(50)]
    granted = frames_of(driver.link, f.Credit)
    assert len(granted) >= 6
    assert sum(credit.entries_more for credit in granted) <= 50


def test_redelivered_entries_are_ignored_and_acknowledged_again(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.behaviour.forget_acks = True
    driver.server.say(log, b"one")
    driver.settle()
    driver.drop()
    driver.server.behaviour.forget_acks = False
    driver.settle()
    assert driver.bodies(log) == [b"one"]
    assert driver.core.tally.duplicates >= 1
    (device,) = driver.server.devices.values()
    assert device.cursors[log] == 1


def test_partial_redelivery_is_not_acknowledged_beyond_what_was_sent(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.behaviour.forget_acks = True
    for number in range(20):
        driver.server.say(log, b"%d" % number)
    driver.settle()
    driver.drop()
    driver.server.behaviour.forget_acks = False
    driver.server.behaviour.credit = (1 << 20, 3)
    driver.connect()
    for _step in range(20):
        driver.step()
        driver.clock.now_s += 0.2
        driver.core.on_time()
    driver.settle()
    assert driver.server.client_faults == []
    (device,) = driver.server.devices.values()
    assert device.cursors[log] == 20


def test_entries_of_a_lost_connection_are_not_acknowledged_on_the_next(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    for number in range(5):
        driver.server.say(log, b"%d" % number)
    driver.receive()
    batch = driver.core.take_batch()
    assert batch is not None
    driver.drop()
    driver.server.behaviour.credit = (1 << 20, 1)
    driver.connect()
    for _step in range(2):
        driver.send()
        driver.receive()
    driver.state.commit(batch, driver.limits)
    driver.core.batch_committed(batch)
    driver.clock.now_s += 0.2
    driver.core.on_time()
    driver.send()
    assert frames_of(driver.link, f.Ack) == []
    assert frames_of(driver.link, f.Credit) == []
    driver.settle()
    assert driver.bodies(log) == [b"0", b"1", b"2", b"3", b"4"]


def test_entries_taken_for_a_commit_are_not_acknowledged_before_it(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"one")
    driver.receive()
    assert driver.core.take_batch() is not None
    driver.clock.now_s += 0.2
    driver.core.on_time()
    driver.send()
    driver.crash()
    driver.settle()
    assert driver.bodies(log) == [b"one"]


def test_missing_entry_ends_the_connection_and_loses_nothing(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"one")
    driver.settle()
    assert driver.link is not None
    driver.link.sent[log] = 2  # the server forgets to send the second
    driver.server.append(log, None, driver.server.conversations[log].entries[0].envelope)
    driver.server.say(log, b"three")
    driver.settle()
    assert driver.core.tally.violations == 1
    assert [entry.seq for entry in driver.stored()] == [1, 2, 3]


def test_state_that_lacks_acknowledged_entries_is_refused(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"one")
    driver.server.say(log, b"two")
    driver.settle()
    driver.state.sql.execute("DELETE FROM wx_entry")
    driver.state.sql.execute("UPDATE wx_conversation SET received = NULL")
    driver.crash()
    driver.server.say(log, b"three")
    driver.settle()
    assert isinstance(driver.core.failure, EntriesMissing)
    assert (driver.core.failure.conversation, driver.core.failure.seq) == (log, 1)


def test_first_entry_of_a_conversation_may_not_be_left_out(driver: Driver) -> None:
    driver.settle()
    account = driver.core.identity.account
    assert account is not None
    assert driver.link is not None
    log = driver.server.direct(account, driver.server.new_account())
    driver.link.sent[log] = 1
    driver.server.say(log, b"two")
    driver.settle()
    assert driver.core.tally.violations == 1
    assert [entry.seq for entry in driver.stored()] == [1, 2]


def test_skips_and_gone_entries_are_kept_as_gaps(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.drop()
    for number in range(6):
        driver.server.say(log, b"%d" % number)
    driver.server.conversations[log].first = 3
    driver.server.conversations[log].gone[4] = 2
    driver.settle()
    assert driver.bodies(log) == [b"2", b"4", b"5"]
    gaps = driver.state.sql.execute("SELECT first, through, reason FROM wx_gap").fetchall()
    assert gaps == [(1, 2, 255), (4, 4, 2)]
    (device,) = driver.server.devices.values()
    assert device.cursors[log] == 6


def test_synced_position_is_stored_and_resumed_from(driver: Driver) -> None:
    driver.settle()
    driver.server.say(own_log(driver), b"one")
    driver.settle()
    assert driver.take(SyncedThrough)
    driver.crash()
    driver.settle()
    (sync,) = frames_of(driver.link, f.Sync)
    assert sync.since == driver.server.position


def test_ephemeral_is_passed_on_and_not_stored(driver: Driver) -> None:
    driver.settle()
    assert driver.link is not None
    driver.link.tell(f.Ephemeral(own_log(driver), 1, b"\x01", None))
    driver.settle()
    assert driver.take(EphemeralReceived) == [(own_log(driver), 1, b"\x01", None)]
    assert driver.stored() == []


def test_redaction_deletes_the_stored_content(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"secret")
    driver.settle()
    driver.server.speak(log, Kind.REDACTED, (1,), None)
    driver.server.push()
    driver.settle()
    first, _second = driver.stored()
    assert first.redacted
    assert first.body == b""

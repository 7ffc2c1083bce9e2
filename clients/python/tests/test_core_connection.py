"""How the core logs in, stays connected and gives up."""

from pathlib import Path

from wxclient._protocol import frames as f
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import Refusal
from wxclient.events import (
    ConnectionState,
    DeviceEnrolled,
    StateChanged,
)
from wxclient.exceptions import ConnectionReplaced, ForeignTimeline, StateRolledBack
from wxclient.refusals import AuthFailed, DeviceRevoked, InviteUsed

from .driving import Clock, Driver, own_log


def test_enrolment_by_invite_gives_an_account(driver: Driver) -> None:
    driver.settle()
    assert len(driver.take(DeviceEnrolled)) == 1
    identity = driver.state.load().identity
    assert identity.device in driver.server.devices
    assert identity.code == b""


def test_enrolment_with_lost_welcome_and_crash_ends_in_one_device(driver: Driver) -> None:
    driver.connect()
    driver.send()
    driver.receive()
    driver.send()  # AUTH arrives, WELCOME is lost
    driver.crash()
    driver.settle()
    assert len(driver.server.devices) == 1
    assert driver.core.failure is None


def test_enrolment_with_foreign_used_code_stops(tmp_path: Path, driver: Driver) -> None:
    driver.settle()
    late = Driver(tmp_path / "two", driver.server, Clock())
    late.settle()
    late.state.close()
    assert isinstance(late.core.failure, InviteUsed)
    assert late.core.dial_at is None


def test_login_after_restart_uses_the_device_key(driver: Driver) -> None:
    driver.settle()
    driver.crash()
    driver.settle()
    assert len(driver.server.devices) == 1
    assert StateChanged(ConnectionState.ONLINE) in driver.events


def test_login_with_wrong_key_is_final(driver: Driver) -> None:
    driver.settle()
    driver.state.sql.execute("UPDATE wx_identity SET private_key = ?", (bytes(32),))
    driver.crash()
    driver.settle()
    assert isinstance(driver.core.failure, AuthFailed)


def test_rolled_back_state_is_refused(driver: Driver) -> None:
    driver.settle()
    driver.message(own_log(driver), b"one")
    driver.settle()
    driver.state.sql.execute("UPDATE wx_identity SET op_next = 1")
    driver.crash()
    driver.settle()
    assert isinstance(driver.core.failure, StateRolledBack)
    assert driver.core.failure.op_last == 1


def test_silent_server_is_pinged_and_given_up_within_two_and_a_half_intervals(
    driver: Driver,
) -> None:
    driver.settle()
    began_s = driver.clock.now_s
    assert driver.core.next_deadline() == began_s + 10
    driver.clock.now_s = began_s + 10
    driver.core.on_time()
    assert driver.core.data_to_send().hex() == "0000000000100000"
    driver.clock.now_s = began_s + 25
    driver.core.on_time()
    assert driver.hang_up()
    driver.settle()
    assert driver.core.tally.reconnects == 1


def test_heartbeat_interval_grows_with_answers_and_is_halved_by_silence(driver: Driver) -> None:
    driver.settle()
    for _beat in range(20):
        deadline_s = driver.core.next_deadline()
        assert deadline_s is not None
        driver.clock.now_s = deadline_s
        driver.core.on_time()
        driver.step()
    assert driver.core.heartbeat_s == 300
    for _silence in range(2):
        deadline_s = driver.core.next_deadline()
        assert deadline_s is not None
        driver.clock.now_s = deadline_s
        driver.core.on_time()
    assert driver.core.hang_up
    assert driver.core.heartbeat_s == 150


def test_reconnect_waits_double_with_jitter_and_are_reset_by_success(driver: Driver) -> None:
    waits = []
    for _attempt in range(10):
        driver.core.connection_lost(OSError("no network"))
        assert driver.core.dial_at is not None
        waits.append(driver.core.dial_at - driver.clock.now_s)
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits[:7]))
    assert all(30 <= wait <= 60 for wait in waits[7:])
    driver.settle()
    driver.drop()
    assert driver.core.dial_at is not None
    assert driver.core.dial_at - driver.clock.now_s <= 0.5


def test_going_away_finishes_and_waits_as_asked(driver: Driver) -> None:
    driver.settle()
    assert driver.link is not None
    driver.server.say(own_log(driver), b"last")
    driver.link.tell(f.GoAway(5000, 7000))
    while (dial_at := driver.core.dial_at) is None:
        driver.step()
    assert dial_at - driver.clock.now_s >= 7
    (device,) = driver.server.devices.values()
    assert device.cursors[own_log(driver)] == 1


def test_replaced_connection_is_final(driver: Driver) -> None:
    driver.settle()
    assert driver.link is not None
    driver.link.tell(f.Replaced())
    driver.settle()
    assert isinstance(driver.core.failure, ConnectionReplaced)


def test_revoked_device_is_final(driver: Driver) -> None:
    driver.settle()
    assert driver.link is not None
    driver.link.tell(Refusal(ErrorCode.DEVICE_REVOKED).reply)
    driver.settle()
    assert isinstance(driver.core.failure, DeviceRevoked)


def test_temporary_session_refusal_is_waited_out(driver: Driver) -> None:
    link = driver.connect()
    refusal = Refusal(ErrorCode.TOO_MANY_CONNECTIONS, retry_after_ms=90_000)
    link.tell(refusal.reply)
    driver.receive()
    driver.hang_up()
    assert driver.core.failure is None
    assert driver.core.dial_at is not None
    assert driver.core.dial_at - driver.clock.now_s == 90


def test_foreign_server_is_refused(driver: Driver) -> None:
    driver.settle()
    driver.server.timeline = b"another timeline"
    driver.drop()
    driver.settle()
    assert isinstance(driver.core.failure, ForeignTimeline)

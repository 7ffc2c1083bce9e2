"""What a client keeps and asks for again when the server was restored from a copy."""

from wxclient.events import TimelineChanged

from .driving import Driver, own_log


def restore(driver: Driver, cut: int) -> None:
    """Restore the server to a position, and let the client clip its file for it."""
    server = driver.server
    server.cuts = ((server.timeline, cut),)
    server.timeline = b"timeline-0000002"
    for name, log in server.conversations.items():
        log.entries = [entry for entry in log.entries if entry.position <= cut]
        log.gone.clear()
        for device in server.devices.values():
            cursor = device.cursors.get(name, 0)
            device.cursors[name] = min(cursor, len(log.entries))
    driver.drop()
    driver.connect()
    while not driver.take(TimelineChanged):
        driver.step()
    driver.step()
    driver.core.clipped(driver.state.clip(server.timeline, cut))


def test_restored_server_clips_what_was_received_after_the_cut(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"kept")
    cut = driver.server.position
    driver.server.say(log, b"lost")
    driver.settle()
    restore(driver, cut)
    driver.server.say(log, b"anew")
    driver.settle()
    assert [(entry.seq, entry.body) for entry in driver.stored()] == [
        (1, b"kept"), (2, b"lost"), (2, b"anew"),
    ]  # fmt: skip
    assert len({entry.key for entry in driver.stored()}) == 3


def test_restored_server_has_the_entry_at_the_cut_itself(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"older")
    driver.server.say(log, b"kept")
    cut = driver.server.position
    driver.server.say(log, b"lost")
    driver.settle()
    restore(driver, cut)
    driver.server.say(log, b"anew")
    driver.settle()
    assert driver.core.failure is None
    assert driver.core.tally.violations == 0
    assert driver.bodies(log) == [b"older", b"kept", b"lost", b"anew"]


def test_restored_server_a_gap_after_the_cut_is_asked_for_again(driver: Driver) -> None:
    driver.settle()
    log, account = own_log(driver), driver.core.identity.account
    assert account is not None
    elsewhere = driver.server.direct(account, driver.server.new_account())
    driver.server.say(log, b"kept")
    driver.settle()
    cut = driver.server.position
    driver.server.say(elsewhere, b"lost")
    driver.settle()
    driver.drop()
    driver.server.say(log, b"redacted")
    driver.server.conversations[log].gone[2] = 2
    driver.settle()
    assert driver.state.sql.execute("SELECT first, through FROM wx_gap").fetchall() == [(2, 2)]
    restore(driver, cut)
    driver.server.say(log, b"anew")
    driver.settle()
    assert driver.bodies(log) == [b"kept", b"anew"]

"""What a client keeps and asks for again when the server was restored from a copy."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wxclient._protocol.identifiers import ConversationId
from wxclient.events import TimelineChanged
from wxclient.state import reading

from .driving import Clock, Driver, own_log
from .fake_server import FakeServer


def restore(driver: Driver, cut: int, behind: int = 0) -> None:
    """Restore the server to a position, and let the client clip its file for it.

    Args:
        driver: the client.
        cut: the last position that the server still has.
        behind: how far the copy's cursors are behind.
    """
    server = driver.server
    server.cuts = (*server.cuts, (server.timeline, cut))
    server.timeline = b"timeline-%07d" % (len(server.cuts) + 1)
    server.position = cut
    for name, log in server.conversations.items():
        log.entries = [entry for entry in log.entries if entry.position <= cut]
        log.gone = {seq: log.gone[seq] for seq in log.gone if seq <= len(log.entries)}
        for device in server.devices.values():
            cursor = min(device.cursors.get(name, 0), len(log.entries))
            device.cursors[name] = max(cursor - behind, 0)
    driver.drop()
    driver.connect()
    while not driver.take(TimelineChanged):
        driver.step()
    driver.commit()
    driver.core.clipped(driver.state.clip(server.timeline, cut))


def lose(driver: Driver, log: ConversationId) -> None:
    """Say one more, lose it in a restore, and say another in its place."""
    cut = driver.server.position
    driver.server.say(log, b"lost")
    driver.settle()
    restore(driver, cut)
    driver.server.say(log, b"anew")
    driver.settle()


def test_restored_server_clips_what_was_received_after_the_cut(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"kept")
    lose(driver, log)
    assert [(entry.seq, entry.body) for entry in driver.stored()] == [
        (1, b"kept"), (2, b"lost"), (2, b"anew"),
    ]  # fmt: skip
    assert len({entry.key for entry in driver.stored()}) == 3


def test_restored_server_has_the_entry_at_the_cut_itself(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"older")
    driver.server.say(log, b"kept")
    lose(driver, log)
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


def test_restored_server_a_skip_right_after_the_cut_hides_no_new_entry(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"kept")
    driver.settle()
    cut = driver.server.position
    say_gone(driver, 0)
    driver.settle()
    restore(driver, cut)
    driver.server.say(log, b"anew")
    driver.settle()
    assert driver.bodies(log) == [b"kept", b"anew"]
    assert reading.gaps(driver.state.sql, log) == []


def test_restored_server_need_not_repeat_a_skip_before_the_cut(driver: Driver) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"kept")
    say_gone(driver, 0)
    driver.settle()
    lose(driver, log)
    assert driver.core.tally.violations == 0
    assert driver.bodies(log) == [b"kept", b"lost", b"anew"]
    assert [gap[1:] for gap in reading.gaps(driver.state.sql, log)] == [(2, 2, 2)]


@pytest.mark.parametrize("crash", [False, True])
def test_restored_server_may_go_on_anywhere_but_once(driver: Driver, *, crash: bool) -> None:
    driver.settle()
    log = own_log(driver)
    driver.server.say(log, b"kept")
    lose(driver, log)
    if crash:
        driver.crash()
        driver.settle()
    assert driver.link is not None
    driver.link.sent[log] += 1  # the server forgets one
    driver.server.say(log, b"forgotten")
    driver.server.say(log, b"next")
    driver.settle()
    assert driver.core.tally.violations == 1
    assert driver.bodies(log) == [b"kept", b"lost", b"anew", b"forgotten", b"next"]


def say_gone(driver: Driver, which: int) -> None:
    """Write an entry that the client gets as SKIP."""
    log = list(driver.server.conversations.values())[which]
    log.gone[len(log.entries) + 1] = 2
    driver.server.say(log.id, b"gone")


_LIVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["say", "gone"]), st.integers(0, 1)),
        st.sampled_from([("settle", 0), ("drop", 0)]),
        st.tuples(st.just("restore"), st.integers(0, 7)),
    ),
    max_size=24,
)


_AN_OLDER_TIMELINE_AT_THE_SAME_PLACE = [
    ("say", 0), ("settle", 0), ("restore", 1), ("say", 1), ("say", 0), ("settle", 0), ("restore", 1),
    ("say", 0),
]  # fmt: skip
_IN_THE_MIDDLE_OF_A_GAP = [
    ("drop", 0), ("gone", 0), ("gone", 0), ("settle", 0), ("restore", 1), ("say", 0),
]  # fmt: skip


@example(_AN_OLDER_TIMELINE_AT_THE_SAME_PLACE)
@example(_IN_THE_MIDDLE_OF_A_GAP)
@given(_LIVES)
def test_servers_restored_again_and_again_have_nothing_that_the_client_misses(
    life: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        driver = Driver(Path(directory) / "one", FakeServer(), Clock())
        try:
            driver.settle()
            cut = 0
            for number, (what, which) in enumerate(life):
                match what:
                    case "say":
                        log = list(driver.server.conversations)[which]
                        driver.server.say(log, b"%d" % number)
                    case "gone":
                        say_gone(driver, which)
                    case "settle":
                        driver.settle()
                    case "drop":
                        driver.drop()
                    case "restore":
                        behind, back = divmod(which, 4)
                        back = min(back, driver.server.position - cut)
                        cut = driver.server.position - back
                        restore(driver, cut, behind)
            driver.settle()
            judge(driver)
        finally:
            driver.state.close()


def judge(driver: Driver) -> None:
    """Compare the client's file with what the server has after all."""
    assert driver.core.failure is None
    assert driver.core.tally.violations == 0
    assert not driver.server.client_faults
    keys = [entry.key for entry in driver.stored()]
    assert len(keys) == len(set(keys))
    for conversation, log in driver.server.conversations.items():
        bodies = driver.bodies(conversation)
        assert len(bodies) == len(set(bodies)), "a message was stored twice"
        shown = reading.history(driver.state.sql, conversation, 1, len(log.entries), 1000)
        held = [entry for entry in log.entries if entry.seq not in log.gone]
        assert [entry.envelope for entry in shown if entry.seq not in log.gone] == [
            entry.envelope for entry in held
        ]
        missing = {
            seq
            for gap in reading.gaps(driver.state.sql, conversation)
            for seq in range(gap.first, gap.through + 1)
            if seq <= len(log.entries)
        }
        assert missing == set(log.gone), "told as missing"

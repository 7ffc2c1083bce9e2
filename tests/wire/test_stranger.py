"""A client written from the specification alone talks to the real server."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256

import pytest

from tests.unit.protocol.reader import whole
from tests.wire.server_process import ServerProcess
from tests.wire.stranger import Stranger, bodies
from wxserve.protocol.invites import format_invite

pytestmark = [pytest.mark.wire, pytest.mark.slow]
Pair = tuple[Stranger, Stranger, bytes]


@pytest.fixture
def pair(server: ServerProcess) -> Iterator[Pair]:
    """Two enrolled devices and their direct conversation, as its id is derived."""
    anna, bert = (
        Stranger(format_invite(invite), name)
        for invite, name in zip(server.invites(2), ("anna", "bert"), strict=True)
    )
    anna.connect()
    bert.connect()
    ends = sorted([anna.account, bert.account])
    direct = sha256(b"wxserve direct v1" + b"".join(ends)).digest()[:16]
    name, _, fields = anna.request("CREATE", anna.next_op(), 1, [bert.account], b"")
    assert (name, fields[1:3]) == ("ACCEPTED", [direct, 1])
    anna.wait_until(direct, 1)
    yield anna, bert, direct
    for one in (anna, bert):
        one.close()


def test_stranger_enrols_creates_and_talks(pair: Pair) -> None:
    anna, bert, direct = pair
    for number in (2, 3, 4):
        name, flags, fields = anna.say(direct, b"hello %d" % number)
        assert (name, flags, fields[2]) == ("ACCEPTED", 1, number)
    bert.wait_until(direct, 4)
    assert bodies(bert.entries, direct) == [b"hello 2", b"hello 3", b"hello 4"]
    created = next(one for one in bert.entries if one[:2] == (direct, 1))
    ends = [anna.account, bert.account]
    assert (created[3][1], whole(created[3][11])) == (16, [1, anna.account, ends, b""])
    assert created[2] == anna.account + anna.device


def test_stranger_resumes_where_it_was(pair: Pair) -> None:
    anna, bert, direct = pair
    bert.wait_until(direct, 1)
    bert.acknowledge()
    bert.request("LIST_DEVICES")  # answered after the acknowledgement was taken
    bert.close()
    for number in range(20):
        anna.say(direct, b"%d" % number)
    welcome = bert.connect()
    assert welcome[2] == bert.device
    assert [one[2] for one in bert.changes if one[0] == direct] == [21]
    assert bodies(bert.entries, direct) == [b"%d" % number for number in range(20)]
    assert bert.position >= welcome[5]


def test_stranger_repeats_an_operation_and_gets_the_same_answer(pair: Pair) -> None:
    anna, _, direct = pair
    op = anna.next_op()
    anna.unsettled = anna.counter
    first = anna.say(direct, b"once", op)
    anna.close()
    anna.connect()
    assert anna.say(direct, b"once", op) == ("ACCEPTED", 0, first[2])
    assert anna.say(direct, b"other", op)[2][::4] == [3002, first[2][2]]
    anna.unsettled = 0
    anna.acknowledge()
    assert anna.say(direct, b"once", op)[2][0] == 3003
    assert bodies(anna.entries, direct) == [b"once"]


def test_stranger_redacts_and_reads_history(pair: Pair) -> None:
    anna, bert, direct = pair
    anna.say(direct, b"secret")
    assert anna.request("REDACT", anna.next_op(), direct, 2)[0] == "ACCEPTED"
    bert.wait_until(direct, 3)
    name, _, fields = bert.request("HISTORY", direct, 1, 100, 100)
    assert (name, fields) == ("DONE", [0])
    assert [(one, got[1]) for one, got in bert.answers] == [
        ("DELIVER", 1),
        ("SKIP", 2),
        ("DELIVER", 3),
    ]
    assert bert.answers[1][1][2] == 2
    assert bert.request("HISTORY", direct, 1, 100, 1)[2] == [2]


def test_stranger_in_a_group_sees_from_joining_to_leaving(pair: Pair) -> None:
    anna, bert, _ = pair
    op = anna.next_op()
    group = sha256(b"wxserve group v1" + op).digest()[:16]
    assert anna.request("CREATE", op, 2, [bert.account], b"title")[2][1] == group
    notice = sha256(b"wxserve notice v1" + bert.account).digest()[:16]
    anna.say(group, b"before")
    bert.wait_until(notice, 2)
    told = [whole(one[3][11]) for one in bert.entries if one[0] == notice]
    assert told == [["device-added", bert.device], ["invited", group, anna.account]]
    assert bert.request("ACCEPT", bert.next_op(), group)[2][2] == 3
    anna.say(group, b"inside")
    assert bert.request("LEAVE", bert.next_op(), group)[2][2] == 5
    anna.say(group, b"after")
    bert.wait_until(group, 5)
    assert (group, 2, 3) in bert.skips
    assert bodies(bert.entries, group) == [b"inside"]
    changes = [whole(one[3][11])[:2] for one in bert.entries if one[0] == group and one[3][1] == 17]
    assert changes == [[2, [bert.account]], [3, [bert.account]]]


def test_stranger_gets_refusals_and_lives(pair: Pair) -> None:
    anna, _, direct = pair
    assert anna.say(bytes(16), b"nowhere")[2][0] == 3001
    assert anna.say(direct, b"x", bytes(8) + anna.next_op()[8:])[2][0] == 3004
    assert anna.request("SEND", b"\x80")[2][0] == 3011
    version = 5
    assert anna.request("SET_REGISTER", direct, "read", version, b"7")[2][2:4] == [version, b"7"]
    assert anna.request("SET_REGISTER", direct, "read", version, b"8")[2][2:4] == [version, b"7"]
    anna.wire.send("PING")
    assert next(name for name, *_ in anna.incoming() if name == "PONG")


def test_stranger_links_a_second_device_and_revokes_it(pair: Pair) -> None:
    anna, _, _ = pair
    name, _, (code, _) = anna.request("LINK_DEVICE")
    assert name == "LINK_CODE"
    head, _, query = anna.uri.partition("?")
    text = urlsafe_b64encode(code).decode().rstrip("=")
    tablet = Stranger(f"{head.rpartition('/')[0]}/{text}?{query}", "ignored")
    tablet.connect()
    assert tablet.account == anna.account
    states = {one[0]: one[4] for one in anna.request("LIST_DEVICES")[2][0]}
    assert states == {anna.device: 1, tablet.device: 1}
    assert anna.request("REVOKE_DEVICE", tablet.device)[:1] == ("DONE",)
    with pytest.raises(EOFError):
        for _ in tablet.incoming():
            pass
    tablet.close()
    assert [fields[0] for name, fields in tablet.other if name == "ERROR"] == [2002]

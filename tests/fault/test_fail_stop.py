"""A server whose disk fails a write or a synchronisation ends, and has accepted nothing after it."""

import errno
import sqlite3
import time
from pathlib import Path
from random import Random

import pytest

from tests.fault.power.needs import NEEDS_COMPILER
from tests.fault.power.recorder import Kind
from tests.fault.power.server import FailingServer
from tests.fault.results import budget_s, new_seed, record
from tests.wire.raw_client import RawClient, RawDevice
from wxserve.protocol.identifiers import ConversationId
from wxserve.store.directory import DATABASE_NAME

pytestmark = [pytest.mark.fault, pytest.mark.wire, pytest.mark.slow, NEEDS_COMPILER]
CALLS_MAX = 200
"""Calls that succeed before the one that fails, at most."""
MESSAGES_MAX = 2000
"""Messages after which a failure must have been met."""


class Talk:
    """Two devices of a server, and what one of them was told."""

    def __init__(self, server: FailingServer) -> None:
        one, two = server.invites(2)
        self.server = server
        self.alice = RawDevice(server.host, server.port, tls=False)
        self.bob = RawDevice(server.host, server.port, tls=False)
        session = self.alice.enrol(one.code)
        self.bob.enrol(two.code).close()
        self.conversation: ConversationId = self.alice.create_direct(session, self.bob.account)
        session.close()
        self.accepted: dict[int, bytes] = {}
        self.wrong: list[int] = []

    def log_in(self) -> RawClient:
        """Log Alice in, wherever the server listens now."""
        self.alice.port = self.server.port
        return self.alice.log_in()

    def send_until_the_end(self, random: Random) -> int:
        """Send until the server hangs up; return how many were accepted."""
        session, before = self.log_in(), len(self.accepted)
        try:
            for _ in range(MESSAGES_MAX):
                body = random.randbytes(64)
                failed = self.server.faults.hits
                accepted = self.alice.message(session, self.conversation, body)
                self.wrong += [accepted.seq] if failed else []
                self.accepted[accepted.seq] = body
        except (AssertionError, OSError):
            return len(self.accepted) - before  # it hung up, without an answer
        finally:
            session.close()
        raise AssertionError("the disk did not fail")

    def missing(self) -> list[int]:
        """Return what was accepted and is not in the database, read past the server."""
        path = self.server.directory / DATABASE_NAME
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as sql:
            assert sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = dict(
                sql.execute(
                    "SELECT seq, frame FROM log WHERE conversation = ?", (self.conversation,)
                )
            )
        sql.close()
        return [seq for seq, body in self.accepted.items() if body not in found.get(seq, b"")]


CASES = [(kind, lasting) for kind in (Kind.SYNC, Kind.WRITE) for lasting in (False, True)]


@pytest.mark.parametrize(("kind", "lasting"), CASES)
def test_failed_call_of_the_disk_ends_the_server_and_loses_nothing(
    tmp_path: Path, kind: Kind, lasting: bool
) -> None:
    seed = new_seed()
    random, rounds, end = Random(seed), 0, time.monotonic() + budget_s()
    server = FailingServer(tmp_path).start()
    talk = Talk(server)
    while rounds < 2 or time.monotonic() < end:
        rounds += 1
        server.faults.arm(kind, random.randrange(CALLS_MAX), errno.EIO, lasting=lasting)
        accepted = talk.send_until_the_end(random)
        server.process.wait(30)
        assert server.stop() == 1, server.log()[-2000:]
        assert server.faults.hits, "it ended without a failure"
        assert "store.failed" in server.log()
        server.faults.disarm()
        server.start()
        missing = talk.missing()
        assert not missing, f"seed {seed}, round {rounds}: lost {missing} of {accepted}"
        assert not talk.wrong, f"seed {seed}, round {rounds}: accepted after the failure"
        session = talk.log_in()
        body = random.randbytes(64)
        seq = talk.alice.message(session, talk.conversation, body).seq
        session.close()
        assert seq > max(talk.accepted, default=0)
        talk.accepted[seq] = body
    assert server.stop() == 0
    record(
        "P7", f"{kind.name.lower()} fails under the server, {'lasting' if lasting else 'once'}",
        rounds, faults=rounds, seeds=[seed], accepted=len(talk.accepted),
    )  # fmt: skip


def test_server_on_a_disk_that_fails_at_once_refuses_to_start_and_starts_later(
    tmp_path: Path,
) -> None:
    server = FailingServer(tmp_path)
    server.faults.arm(Kind.SYNC, 0, errno.EIO, lasting=True)
    assert "error" in server.refuse()
    server.faults.disarm()
    talk = Talk(server.start())
    session = talk.log_in()
    assert talk.alice.message(session, talk.conversation, b"well").seq == 2
    session.close()
    assert server.stop() == 0

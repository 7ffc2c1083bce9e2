"""An independent witness: triggers in the database keep all that was ever committed."""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from tests.property.delivery_log import MESSAGE, Row
from tests.property.delivery_model import Model
from wxserve.protocol.codec import BY_NUMBER, HEADER, HEADER_BYTES, decode_body
from wxserve.protocol.envelope import decode_envelope
from wxserve.protocol.frames import Deliver
from wxserve.protocol.packing import unpack

SCHEMA = """
CREATE TABLE audit (n INTEGER PRIMARY KEY, what, a, b, c, d, e, f, g);
CREATE TRIGGER audit_log AFTER INSERT ON log BEGIN
  INSERT INTO audit VALUES (NULL, 'log', new.position, new.conversation, new.seq, new.time_ms,
    new.op, new.frame, 0);
END;
CREATE TRIGGER audit_state AFTER UPDATE OF state ON log BEGIN
  INSERT INTO audit VALUES (NULL, 'state', new.position, new.state, 0, 0, 0, 0, 0);
END;
CREATE TRIGGER audit_deleted AFTER DELETE ON log BEGIN
  INSERT INTO audit VALUES (NULL, 'deleted', old.position, 0, 0, 0, 0, 0, 0);
END;
CREATE TRIGGER audit_device AFTER INSERT ON device BEGIN
  INSERT INTO audit VALUES (NULL, 'device', new.device, new.account, new.first_position,
    0, 0, 0, 0);
END;
CREATE TRIGGER audit_register AFTER INSERT ON register BEGIN
  INSERT INTO audit VALUES (NULL, 'register', new.account, new.conversation, new.key,
    new.version, new.value, new.position, 0);
END;
"""
EXPIRED_STATE = 2


class Told(NamedTuple):
    """A register's value as it was committed."""

    account: bytes
    conversation: bytes
    key: str
    version: int
    value: bytes
    position: int


class Audit:
    """Reads what was committed since the last look and tells the model."""

    def __init__(self, path: Path, model: Model) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.executescript(SCHEMA)
        self._model = model
        self._read = 0
        self.registers: list[Told] = []

    def close(self) -> None:
        """Give the database back."""
        self._sql.close()

    def look(self) -> list[int]:
        """Take note of everything new; return the positions that retention deleted."""
        deleted: list[int] = []
        for number, what, *values in self._sql.execute(
            "SELECT * FROM audit WHERE n > ? ORDER BY n", (self._read,)
        ):
            self._read = number
            if what == "log":
                self._model.commit(read_row(*values))
            elif what == "device":
                self._model.enrolled(*values[:3])
            elif what == "register":
                told = Told(*values[:6])
                self.registers.append(told)
                self._model.passed(told.position)
            else:
                row = self._model.places[values[0]]
                log = self._model.logs[row.conversation]
                if what == "deleted":
                    log.deleted.add(row.seq)
                    deleted.append(row.position)
                elif values[1] == EXPIRED_STATE:
                    log.swept.add(row.seq)
        return deleted


def read_row(position: int, conversation: bytes, seq: int, time_ms: int, *rest: Any) -> Row:
    """Return an entry of the log; its frame must say the same as its columns."""
    op, frame, _ = rest
    length, number, _ = HEADER.unpack_from(frame)
    assert length >> 8 == len(frame) - HEADER_BYTES
    deliver = decode_body(BY_NUMBER[number], frame[HEADER_BYTES:], tolerant=False)
    assert isinstance(deliver, Deliver)
    assert deliver[:4] == (conversation, seq, position, time_ms)
    envelope = decode_envelope(deliver.envelope)
    assert envelope.op == (op or bytes(16))
    assert envelope.conversation == conversation
    sender = deliver.sender
    own = envelope.kind == MESSAGE
    return Row(
        position, conversation, seq, time_ms, int(envelope.kind),
        sender[:16] if sender else None, sender[16:] if sender else None, op,
        (deliver.envelope,) if own else unpack(envelope.body), envelope.ttl_s * 1000, frame,
    )  # fmt: skip

"""What is derived from the error table and the code is in step, and says so when it is not."""

import sys
from pathlib import Path

import pytest

from tools import generate
from wxclient import refusals
from wxclient._protocol.frames import Error
from wxserve.protocol.errors import MEANINGS, ErrorCode


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["generate.py", *arguments])
    return generate.main()


def test_generated_files_are_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--check") == 0


def test_check_names_a_file_that_is_out_of_step_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stale, missing = tmp_path / "stale.py", tmp_path / "folder/missing.py"
    stale.write_text("old")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "STAGES", ("only",))
    monkeypatch.setattr(generate, "generated", lambda _: {stale: "new", missing: "x"})
    assert run(monkeypatch, "--check") == 1
    assert stale.read_text() == "old"
    assert not missing.exists()
    assert [line.split()[3] for line in capsys.readouterr().err.splitlines()] == [
        "stale.py",
        "folder/missing.py",
    ]
    assert run(monkeypatch) == 0
    assert (stale.read_text(), missing.read_text()) == ("new", "x")
    assert run(monkeypatch, "--check") == 0


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_has_an_exception_of_its_family(code: ErrorCode) -> None:
    meaning = MEANINGS[code]
    raised = refusals.refusal_from(Error(int(code), meaning.temporary, 250, "why", 7))
    families = {
        "protocol": refusals.ProtocolViolation,
        "session": refusals.SessionRefused,
        "refusal": refusals.RequestRefused,
    }
    timed_out = meaning.family == "protocol" and meaning.temporary
    family = refusals.ConnectionTimedOut if timed_out else families[meaning.family]
    assert isinstance(raised, family)
    assert isinstance(raised, refusals.ProtocolViolation) == (family is refusals.ProtocolViolation)
    assert type(raised).__name__ == code.name.title().replace("_", "")
    temporary = isinstance(raised, refusals.TemporaryRefusal)
    assert temporary == (meaning.temporary and meaning.family == "refusal")
    assert (raised.code, raised.detail, raised.temporary) == (code, "why", meaning.temporary)
    assert (raised.retry_after_ms, raised.seq) == (250, 7)
    assert str(raised) == f"{type(raised).__name__} ({int(code)}): why"


@pytest.mark.parametrize(
    ("code", "temporary", "family"),
    [
        (1999, False, refusals.ProtocolViolation),
        (1999, True, refusals.ConnectionTimedOut),
        (2999, True, refusals.SessionRefused),
        (3999, False, refusals.RequestRefused),
        (3999, True, refusals.TemporaryRefusal),
        (9999, True, refusals.TemporaryRefusal),
        (0, False, refusals.RequestRefused),
    ],
)
def test_unknown_code_is_taken_by_its_thousands(
    code: int, temporary: bool, family: type[refusals.ServerError]
) -> None:
    assert type(refusals.refusal_from(Error(code, temporary, 0, "", 0))) is family

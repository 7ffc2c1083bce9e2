"""The command line without a server: profiles, names, complaints and their exit statuses."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import wxclient
from wxclient import StateMissing
from wxclient._protocol.frames import Error
from wxclient._protocol.invites import InviteUri, format_invite
from wxclient.refusals import REFUSALS, Forbidden, InviteExpired
from wxclient.terminal.__main__ import main
from wxclient.terminal.command_line import Chosen, read_arguments
from wxclient.terminal.complaints import (
    DEVICE_REVOKED,
    EXTRA_MISSING,
    FAILED,
    INVITE_REFUSED,
    NO_STATE,
    PIN_MISMATCH,
    STATE_IN_USE,
    USAGE,
    MissingExtraError,
    WrongUsageError,
    complaint_of,
)
from wxclient.terminal.joining import fit_name, plan
from wxclient.terminal.profiles import (
    Card,
    Profile,
    find_profile,
    fingerprint,
    home,
)

INVITE = format_invite(InviteUri("127.0.0.1", 7700, b"code", (bytes(32),), True))
CARD = Card("wx-…", "Ann", "127.0.0.1:7700", fingerprint(INVITE))


def never(_default: str) -> str:
    pytest.fail("nobody is to be asked")


def test_arguments_choose_the_screen_or_a_command() -> None:
    assert read_arguments([]) == Chosen()
    assert read_arguments([INVITE, "--profile", "work"]) == Chosen(invite=INVITE, profile="work")
    assert read_arguments(["--profile", "send"]) == Chosen(profile="send")
    sent = read_arguments(["--profile", "a", "send", "--to", "wx-1", "hello"])
    assert (sent.command, sent.profile, sent.to, sent.text) == ("send", "a", "wx-1", "hello")
    assert read_arguments(["send", "--to", "Bob", "tail"]).text == "tail"
    assert read_arguments(["tail", "--json", "--count", "3"]).count == 3
    assert read_arguments(["whoami", "--state", "/s"]).state == Path("/s")


@pytest.mark.parametrize("wrong", [["--nonsense"], ["send", "x"], ["tail", "--count", "x"]])
def test_arguments_that_are_wrong_end_with_status_2(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(wrong)
    assert ended.value.code == USAGE


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/x"}, Path("/x/wx")),
        ({"XDG_STATE_HOME": "relative"}, Path.home() / ".local/state/wx"),
        ({}, Path.home() / ".local/state/wx"),
    ],
)
def test_home_follows_the_xdg_specification(environ: Mapping[str, str], expected: Path) -> None:
    assert home(environ) == expected


def test_profile_used_last_is_the_next(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    assert find_profile(environ, None, None).directory == tmp_path / "wx/default"
    find_profile(environ, "work", None).write_card(CARD)
    found = find_profile(environ, None, None)
    assert found.directory == tmp_path / "wx/work"
    assert found.read_card() == CARD
    assert found.directory.stat().st_mode & 0o777 == 0o700
    assert (found.directory / "profile.json").stat().st_mode & 0o777 == 0o600
    find_profile(environ, None, tmp_path / "elsewhere").write_card(CARD)
    assert find_profile(environ, None, None).directory == tmp_path / "wx/work"


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 65])
def test_profile_with_a_strange_name_is_refused(name: str) -> None:
    with pytest.raises(WrongUsageError):
        find_profile({}, name, None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"address": 1}'])
def test_card_that_is_damaged_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "profile.json").write_text(text)
    assert Profile(tmp_path).read_card() is None


def test_plan_asks_for_a_name_once(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    opening = plan(profile, INVITE, lambda default: f" Ann\x1b of {default[:0]}the house ")
    assert (opening.invite, opening.account_name) == (INVITE, "Ann␛ of the house")
    profile.write_card(CARD)
    assert plan(profile, INVITE, never).invite is None
    with pytest.raises(WrongUsageError, match="begins with"):
        plan(Profile(tmp_path / "new"), "https://example.org", never)
    with pytest.raises(WrongUsageError, match="belongs to Ann"):
        plan(profile, INVITE.replace("7700", "7701"), never)


def test_plan_without_state_or_invite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateMissing):
        plan(Profile(tmp_path), None, never)


def test_name_fits_the_protocol() -> None:
    assert fit_name("é" * 60) == "é" * 32
    assert len(fit_name("漢" * 60).encode()) <= 64
    assert fit_name("\n") == ""


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (REFUSALS[2003](Error(2003, False, 0, "", 0)), INVITE_REFUSED, "ask for a new one"),
        (REFUSALS[2004](Error(2004, False, 0, "", 0)), INVITE_REFUSED, "was used"),
        (InviteExpired(Error(2005, False, 0, "", 0)), INVITE_REFUSED, "expired"),
        (REFUSALS[2002](Error(2002, False, 0, "", 0)), DEVICE_REVOKED, "was removed"),
        (wxclient.PinMismatch(bytes(32)), PIN_MISMATCH, "nothing was sent"),
        (wxclient.StateInUse("x"), STATE_IN_USE, "another wx"),
        (wxclient.StateTooNew("x"), FAILED, "update wx"),
        (MissingExtraError(), EXTRA_MISSING, "pip install 'wxserve-client[wx]'"),
        (WrongUsageError("an invite begins with wxserve://"), USAGE, "begins with"),
        (ExceptionGroup("", [wxclient.StateInUse("x")]), STATE_IN_USE, "another wx"),
    ],
)
def test_error_is_one_line_and_a_status(error: Exception, status: int, words: str) -> None:
    complaint = complaint_of(error)
    assert complaint is not None
    assert complaint.status == status
    assert words in complaint.line
    assert "\n" not in complaint.line


def test_defect_is_no_complaint() -> None:
    assert complaint_of(ValueError("x")) is None
    assert complaint_of(ExceptionGroup("", [ValueError("a"), ValueError("b")])) is None
    assert complaint_of(Forbidden(Error(3001, False, 0, "", 0))) is not None


def test_whoami_reads_the_card_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["whoami", "--state", str(tmp_path)]) == NO_STATE
    assert capsys.readouterr().err.count("\n") == 2
    Profile(tmp_path).write_card(CARD)
    assert main(["whoami", "--state", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("wx-…\nname    Ann\n")


def test_start_without_a_state_says_how_to_get_an_invite_in_two_lines(tmp_path: Path) -> None:
    done = run_in_terminal("--state", str(tmp_path / "none"))
    assert done.returncode == NO_STATE
    assert "wxserve invite" in done.stdout
    assert len(done.stdout.strip().splitlines()) == 2


def test_start_without_textual_names_the_extra(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['textual'] = None"
    done = run_python(f"{hide}\nfrom wxclient.terminal.__main__ import main\nsys.exit(main([]))")
    assert done.returncode == EXTRA_MISSING
    assert (
        done.stderr == "wx: the screen needs one more package: pip install 'wxserve-client[wx]'\n"
    )


def test_start_without_a_terminal_says_so() -> None:
    done = run_python("import sys; from wxclient.terminal.__main__ import main; sys.exit(main([]))")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "no terminal" in done.stderr


@pytest.mark.parametrize("command", ["send --to x hi", "tail", "whoami"])
def test_commands_for_scripts_do_not_need_textual(command: str, tmp_path: Path) -> None:
    arguments = json.dumps([*command.split(), "--state", str(tmp_path)])
    done = run_python(
        "import sys; sys.modules['textual'] = None\n"
        f"from wxclient.terminal.__main__ import main\nsys.exit(main({arguments}))"
    )
    assert done.returncode == NO_STATE


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def run_in_terminal(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run wx on a pseudo-terminal; what it prints is in ``stdout``."""
    program = (
        "import os, pty, sys\n"
        "status = pty.spawn([sys.executable, '-m', 'wxclient.terminal', *sys.argv[1:]])\n"
        "sys.exit(os.waitstatus_to_exitcode(status))"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

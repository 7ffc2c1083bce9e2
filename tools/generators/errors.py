"""From protocol/errors.toml: the server's enum of codes and the client SDK's exceptions."""

import tomllib
from pathlib import Path
from textwrap import wrap
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
PROTOCOL: Final = ROOT / "src/wxserve/protocol"
REFUSALS: Final = ROOT / "clients/python/src/wxclient/refusals.py"
SUMMARY_CHARS_MAX: Final = 93
"""A line of 100 characters, less the indentation and the quotes."""
FAMILIES: Final = {"protocol": "ProtocolViolation", "session": "SessionRefused"}
TIMED_OUT: Final = "ConnectionTimedOut"
"""For what is of the protocol and temporary: nobody has broken a rule."""

ERRORS_HEAD: Final = '''"""Error codes; generated from errors.toml by tools/generate.py."""

# ruff: noqa: FBT003

from enum import IntEnum
from typing import Final, Literal, NamedTuple


class ErrorCode(IntEnum):
    """Number of every negative answer."""

'''
ERRORS_MIDDLE: Final = '''

class Meaning(NamedTuple):
    """What an error code means.

    Attributes:
        family: `protocol` and `session` end the connection, `refusal` answers one request.
        temporary: whether the same request may succeed later.
        means: for a developer.
        client: what a client should do.
    """

    family: Literal["protocol", "session", "refusal"]
    temporary: bool
    means: str
    client: str


MEANINGS: Final[dict[ErrorCode, Meaning]] = {
'''
ERRORS_TAIL: Final = '''}


def describe(code: ErrorCode) -> Meaning:
    """Return the meaning of a code."""
    return MEANINGS[code]
'''
REFUSALS_HEAD: Final = '''"""What the server refuses, as exceptions; generated from errors.toml by tools/generate.py.

Catch a base class to decide what to do, a class of its own to do something special:

* ``TemporaryRefusal``: the request is kept and tried again after ``retry_after_ms``;
* ``RequestRefused``: the request is over, the connection lives;
* ``SessionRefused``: the log-in is refused and the connection ended;
* ``ConnectionTimedOut``: a deadline passed and the connection ended; the client connects again;
* ``ProtocolViolation``: one side broke the rules of the wire and the connection ended.
"""

from typing import Final

from ._protocol.frames import Error


class ServerError(Exception):
    """The server answered with ERROR.

    Attributes:
        code: number from the error table; also those that this version does not know.
        detail: an explanation for a developer, in English, without any content of a message.
        temporary: whether the same request may succeed later.
        retry_after_ms: how long to wait before trying again, 0 for one's own choice.
        seq: the entry in question, 0 if there is none.
    """

    def __init__(self, error: Error) -> None:
        meaning = (type(self).__doc__ or "refused").splitlines()[0]
        super().__init__(f"{type(self).__name__} ({error.code}): {error.detail or meaning}")
        self.code = error.code
        self.detail = error.detail
        self.temporary = error.temporary
        self.retry_after_ms = error.retry_after_ms
        self.seq = error.seq


class ProtocolViolation(ServerError):
    """The rules of the wire were broken, and the connection ended."""


class ConnectionTimedOut(ServerError):
    """A deadline of the connection passed, and it ended; no rule was broken."""


class SessionRefused(ServerError):
    """The session was not opened, and the connection ended."""


class RequestRefused(ServerError):
    """One request was refused; the connection lives."""


class TemporaryRefusal(RequestRefused):
    """One request was refused for now; the same may succeed later."""
'''
REFUSALS_MIDDLE: Final = """

REFUSALS: Final[dict[int, type[ServerError]]] = {
"""
REFUSALS_TAIL: Final = '''}
"""Error code to exception class."""
_PROTOCOL, _SESSION = 1, 2


def refusal_from(error_frame: Error) -> ServerError:
    """Return the exception of an ERROR frame.

    A code that this version does not know is taken by its thousands (1 protocol, 2 session, all
    else a request) and its ``temporary`` field.
    """
    known = REFUSALS.get(error_frame.code)
    if known is not None:
        return known(error_frame)
    family, temporary = error_frame.code // 1000, error_frame.temporary
    if family == _PROTOCOL:
        return (ConnectionTimedOut if temporary else ProtocolViolation)(error_frame)
    if family == _SESSION:
        return SessionRefused(error_frame)
    return (TemporaryRefusal if temporary else RequestRefused)(error_frame)
'''


class Row(NamedTuple):
    """One error of errors.toml."""

    number: int
    name: str
    family: str
    temporary: bool
    means: str
    client: str

    @property
    def class_name(self) -> str:
        """Return the name of the exception: STORAGE_FULL becomes StorageFull."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def base(self) -> str:
        """Return the name of the exception's base class."""
        request = "TemporaryRefusal" if self.temporary else "RequestRefused"
        if self.family == "protocol" and self.temporary:
            return TIMED_OUT
        return FAMILIES.get(self.family, request)


def read_errors() -> list[Row]:
    """Return the rows of the error table, checked for double numbers and names.

    Raises:
        SystemExit: a number or a name stands twice.
    """
    tables = tomllib.loads((PROTOCOL / "errors.toml").read_text(encoding="utf-8"))["error"]
    rows = [Row(**table) for table in tables]
    for key in ("number", "name"):
        values = [getattr(row, key) for row in rows]
        if len(set(values)) != len(values):
            raise SystemExit(f"errors.toml: a {key} stands twice")
    return rows


def errors_module() -> str:
    """Return the text of protocol/errors.py."""
    rows = read_errors()
    text = ERRORS_HEAD
    text += "".join(f"    {row.name} = {row.number}\n" for row in rows)
    text += ERRORS_MIDDLE
    for row in rows:
        text += f'    ErrorCode.{row.name}: Meaning(\n        "{row.family}",\n'
        text += f"        {row.temporary},\n"
        text += f'        "{row.means}",\n        "{row.client}",\n    ),\n'
    return text + ERRORS_TAIL


def refusals_module() -> str:
    """Return the text of the client SDK's module of exceptions."""
    rows = read_errors()
    text = REFUSALS_HEAD
    for row in rows:
        text += f'\n\nclass {row.class_name}({row.base}):\n    """{_docstring(row)}\n    """\n'
    text += REFUSALS_MIDDLE
    text += "".join(f"    {row.number}: {row.class_name},\n" for row in rows)
    return text + REFUSALS_TAIL


def _docstring(row: Row) -> str:
    """Return the first sentence as the summary, then the rest, then what a client should do.

    Raises:
        SystemExit: the summary does not fit on a line.
    """
    summary, _, rest = row.means.partition(". ")
    if rest:
        summary += "."
    if len(summary) > SUMMARY_CHARS_MAX:
        raise SystemExit(f"errors.toml: the first sentence of {row.name} is too long for a line")
    paragraphs = [rest, f"Client: {row.client}"] if rest else [f"Client: {row.client}"]
    wrapped = ("\n    ".join(wrap(paragraph, 96)) for paragraph in paragraphs)
    return "\n\n    ".join([summary, *wrapped])


def files() -> dict[Path, str]:
    """Return what is made from the error table."""
    return {PROTOCOL / "errors.py": errors_module(), REFUSALS: refusals_module()}

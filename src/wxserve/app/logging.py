"""The log: one event per line on standard error, as JSON or for people.

The message of a record is the event's name; what belongs to it comes in ``extra``. Contents, keys,
codes and names of people never do. Of an exception the log shows its type and the places in the
code, but no message unless it is the system's, because messages may quote values.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from .options import LogOptions

_ROOT: Final = "wxserve"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}


def configure_logging(options: LogOptions, stream: TextIO | None = None) -> None:
    """Send the events of all rooms to a stream.

    Other libraries are heard from warnings upwards only: aiosqlite logs parameters of statements
    when it debugs.

    Args:
        options: format and level.
        stream: standard error if None.
    """
    stream = stream or sys.stderr
    human = options.format == "human" or (options.format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HumanFormatter(colour=stream.isatty()) if human else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(options.level.upper())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what belongs to an event, in a form that shows no bytes."""
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if record.exc_info and record.exc_info[1] is not None:
        given["exception"] = list(_exception(record.exc_info[1]))
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return f"<{type(value).__name__}>"


def _exception(error: BaseException) -> Iterator[str]:
    """Yield its type and where it passed, then the same of what caused it or is grouped in it."""
    detail = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    yield f"{type(error).__name__}{detail}"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename.rpartition('/src/')[2]}:{frame.lineno} {frame.name}"
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for one in (error.__cause__, *inner):
        if one is not None:
            yield from _exception(one)


class JsonFormatter(logging.Formatter):
    """One JSON object per event: time, level, event, room, then what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        event = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "room": record.name.removeprefix(f"{_ROOT}."),
        }
        return json.dumps(event | _fields(record), ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """One aligned line of text per event; of exceptions, the places below it."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and more for an exception."""
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S.%f")
        level = record.levelname.lower()
        shown = _fields(record)
        places = shown.pop("exception", [])
        pairs = " ".join(f"{name}={value}" for name, value in shown.items())
        painted = f"\x1b[{_COLOURS[level]}m{level:8}\x1b[0m" if self._colour else f"{level:8}"
        line = f"{time[:-3]} {painted} {record.getMessage():28} {pairs}".rstrip()
        return "\n    ".join([line, *places])

import io
import json
import logging
from collections.abc import Iterator

import pytest

from wxserve.app.logging import HumanFormatter, configure_logging
from wxserve.app.options import LogOptions

CANARY = "canary-5a1f"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("wxserve").setLevel(logging.NOTSET)


def logged(options: LogOptions) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(options, stream)
    return stream


def test_json_log_has_one_object_per_event() -> None:
    stream = logged(LogOptions(format="json"))
    logging.getLogger("wxserve.router").info("session.opened", extra={"sessions": 3})
    (event,) = map(json.loads, stream.getvalue().splitlines())
    assert event.pop("time").endswith("Z")
    assert event == {"level": "info", "event": "session.opened", "room": "router", "sessions": 3}


def test_log_below_the_level_and_of_other_libraries_is_silent() -> None:
    stream = logged(LogOptions(level="warning"))
    logging.getLogger("wxserve.router").info("quiet")
    logging.getLogger("aiosqlite").info(CANARY)
    assert stream.getvalue() == ""
    stream = logged(LogOptions(level="debug"))
    logging.getLogger("aiosqlite").debug("executing %s", CANARY)
    logging.getLogger("asyncio").info(CANARY)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("options", [LogOptions(format="json"), LogOptions(format="human")])
def test_log_of_an_exception_has_places_but_no_values(options: LogOptions) -> None:
    def fail() -> None:
        raise ExceptionGroup(CANARY, [KeyError(CANARY), OSError(28, "No space left on device")])

    stream = logged(options)
    try:
        fail()
    except ExceptionGroup:
        logging.getLogger("wxserve.x").exception(
            "defect", extra={"body": CANARY.encode(), "many": [CANARY.encode()]}
        )
    text = stream.getvalue()
    assert CANARY not in text
    for shown in ("KeyError", "test_logging.py", "OSError: No space left on device", "<bytes>"):
        assert shown in text


def test_human_log_is_aligned_and_coloured_on_request_only() -> None:
    record = logging.makeLogRecord({
        "msg": "server.ready",
        "levelname": "INFO",
        "name": "x",
        "n": 1,
    })
    assert (
        HumanFormatter(colour=False)
        .format(record)
        .endswith("info     server.ready                 n=1")
    )
    assert "\x1b[32minfo" in HumanFormatter(colour=True).format(record)

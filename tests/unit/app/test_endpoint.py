from pathlib import Path

import pytest

from wxserve.app.durations import parse_duration
from wxserve.app.endpoint import (
    Endpoint,
    Served,
    is_loopback,
    parse_endpoint,
    reachable,
    read_served,
    write_served,
)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:80", Endpoint("127.0.0.1", 80)),
        ("[::1]:0", Endpoint("::1", 0)),
        (":7700", Endpoint("", 7700)),
        ("chat.example:65535", Endpoint("chat.example", 65_535)),
    ],
)
def test_endpoint_is_read_and_written(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize("text", ["", "host", "host:", "host:65536", "::1:80", "host:-1", "h:1٣"])
def test_endpoint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_loopback_is_recognised(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_reachable_endpoint_is_never_a_wildcard() -> None:
    for host in ("", "0.0.0.0", "::"):
        found = reachable(Endpoint(host, 5))
        assert found.host not in {"", "0.0.0.0", "::"}
        assert found.port == 5
    assert reachable(Endpoint("a.example", 5)) == Endpoint("a.example", 5)


def test_served_endpoint_is_left_for_others(tmp_path: Path) -> None:
    assert read_served(tmp_path) is None
    served = Served(Endpoint("::1", 9), tls=True)
    write_served(tmp_path, served)
    write_served(tmp_path, served)
    assert read_served(tmp_path) == served
    assert [path.name for path in tmp_path.iterdir()] == ["endpoint.json"]
    (tmp_path / "endpoint.json").write_text('{"host": 1}')
    assert read_served(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "span_s"),
    [("1s", 1), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)],
)
def test_span_of_time_is_read(text: str, span_s: int) -> None:
    assert parse_duration(text) == span_s


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "1 d", "9999999d", "1y"])
def test_span_of_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="span of time"):
        parse_duration(text)

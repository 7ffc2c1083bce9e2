from pathlib import Path

import pytest

from wxserve.app.config import Config, ConfigError, load_config, parse_config
from wxserve.app.rendering import render
from wxserve.app.schema import TABLES, options
from wxserve.router.limits import Budget, Rate


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "x.toml")
    return caught.value.problems


def test_empty_config_is_the_defaults() -> None:
    assert parse_config("") == Config()


def test_config_sets_options_of_every_room() -> None:
    config = parse_config(
        "[server]\nlisten = '[::1]:9'\n[transport]\nlinger_s = 1\n"
        "[router]\ncredit_entries = 7\n[store]\nballast_bytes = 1\n[log]\nlevel = 'debug'\n"
    )
    assert config.server.listen == "[::1]:9"
    assert (config.transport.linger_s, type(config.transport.linger_s)) == (1.0, float)
    assert config.router.credit_entries == 7
    assert config.store.ballast_bytes == 1
    assert config.log.level == "debug"
    assert config.transport.recv_bytes == Config().transport.recv_bytes


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        # What is not given stays as it was; false takes a rate away.
        ("send = { device = { per_s = 5 } }", Budget(Rate(5, 40_000), Rate(40_000, 80_000))),
        ("send.account = false", Budget(Rate(20_000, 40_000), None)),
        (
            "send.address = { per_s = 1.5, burst = 2 }",
            Budget(Rate(20_000, 40_000), Rate(40_000, 80_000), Rate(1.5, 2)),
        ),
    ],
)
def test_config_changes_parts_of_a_budget(text: str, budget: Budget) -> None:
    assert parse_config(f"[admission]\n{text}").admission.send == budget


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[sever]", "x.toml:1: there is no table [sever]; did you mean server?"),
        ("server = 1", "x.toml:1: [server] is a table, not a value"),
        ("[log]\n\nlevl = 1", "x.toml:3: [log] has no option levl; did you mean level?"),
        (
            "[server]\nrecv_bytes = 1",
            "x.toml:2: [server] has no option recv_bytes; it belongs in [transport]",
        ),
        ("[log]\nzzz = 1", "x.toml:2: [log] has no option zzz"),
        (
            "[log]\nlevel = 'inf'",
            (
                'x.toml:2: [log] level: must be "debug" or "info" or "warning" or "error", '
                "not 'inf'; did you mean info?"
            ),
        ),
        (
            "[router]\ncredit_entries = 1.5",
            "x.toml:2: [router] credit_entries: must be a whole number, not 1.5",
        ),
        (
            "[router]\ncredit_entries = true",
            "x.toml:2: [router] credit_entries: must be a whole number, not True",
        ),
        (
            "[router]\ncredit_entries = 0",
            "x.toml:2: [router] credit_entries: must be above 0, not 0",
        ),
        (
            "[transport]\nlinger_s = nan",
            "x.toml:2: [transport] linger_s: must be above 0, not nan",
        ),
        (
            "[transport]\nlinger_s = inf",
            "x.toml:2: [transport] linger_s: must be above 0, not inf",
        ),
        (
            "[server]\ninsecure_plaintext = 1",
            "x.toml:2: [server] insecure_plaintext: must be true or false, not 1",
        ),
        (
            "[server]\nlisten = '1.2.3.4'",
            "x.toml:2: [server] listen: '1.2.3.4' is no HOST:PORT with a port from 0 to 65535",
        ),
        (
            "[router]\nheartbeat_min_s = 61",
            "x.toml:2: [router] heartbeat_min_s: must not be above heartbeat_max_s",
        ),
        (
            "[router]\ncredit_bytes = 1000",
            "x.toml:2: [router] credit_bytes: must be 262144 (one largest entry) to 2147483647",
        ),
        (
            "[admission.send]\ndevise = false",
            "x.toml:2: [admission] send has no option devise; did you mean device?",
        ),
        (
            "[admission]\nsend.address = { burst = 2 }",
            "x.toml:2: [admission] send.address: needs per_s too",
        ),
        (
            "[admission]\nsend.device.burst = -1",
            "x.toml:2: [admission] send.device.burst: must be above 0, not -1",
        ),
        (
            "[admission]\nsend = true",
            "x.toml:2: [admission] send: must be a table of device, account, address, not True",
        ),
    ],
)
def test_wrong_config_is_refused_by_place_and_name(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_wrong_config_lists_everything_that_is_wrong() -> None:
    assert len(problems("[log]\nlevel = 5\nlevl = 6\n[serve]\n[router]\ncredit_bytes = 1")) == 4


def test_config_that_is_no_toml_is_refused_with_line_and_column() -> None:
    (problem,) = problems("[server]\nlisten = \n")
    assert problem.startswith("x.toml: ")
    assert "line 2" in problem


def test_config_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for name, content in (("absent", None), ("binary", b"\xff\xfe"), ("huge", bytes(2 << 20))):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=name):
            load_config(tmp_path / name)


@pytest.mark.parametrize("explain", [False, True])
def test_rendered_config_is_a_config_with_the_same_values(explain: bool) -> None:
    config = parse_config(
        '[server]\nadvertise = "a:1"\n[admission]\nenrol.device = { per_s = 0.5, burst = 2 }\n'
    )
    assert parse_config(render(config, explain=explain)) == config


def test_explained_config_says_what_each_option_means() -> None:
    text = render(Config(), explain=True)
    for table in TABLES:
        for option in options(table):
            assert option.doc, f"[{table}] {option.name} has no docstring"
            assert option.doc.split()[0] in text
            assert f"\n{option.name} = " in text

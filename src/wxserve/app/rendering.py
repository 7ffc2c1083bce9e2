"""The effective configuration as TOML, for people and as the beginning of a file."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from textwrap import wrap
from typing import Final

from .config import Config
from .schema import TABLES, describe, options

_COMMENT_CHARS: Final = 96


def render(config: Config, *, explain: bool) -> str:
    """Return a valid configuration file with every option.

    Args:
        config: whose values are written.
        explain: put the meaning, type and default of each option above it.
    """
    return "\n".join(_lines(config, explain=explain)) + "\n"


def _lines(config: Config, *, explain: bool) -> Iterator[str]:
    for index, table in enumerate(TABLES):
        if index:
            yield ""
        yield f"[{table}]"
        for option in options(table):
            if explain:
                about = f"{option.doc} ({describe(option.kind)}; default {toml(option.default)})"
                yield from (f"# {line}" for line in wrap(about, _COMMENT_CHARS))
            yield f"{option.name} = {toml(getattr(getattr(config, table), option.name))}"


def toml(value: object) -> str:
    """Return a value as TOML; None as false."""
    if value is None or value is False:
        return "false"
    if value is True:
        return "true"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if is_dataclass(value):
        inner = ", ".join(
            f"{field.name} = {toml(getattr(value, field.name))}" for field in fields(value)
        )
        return f"{{ {inner} }}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value)

"""The configuration file: TOML in, frozen limits of the rooms out, everything wrong named."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from wxserve.router.limits import AdmissionLimits, RouterLimits
from wxserve.store.limits import StoreLimits
from wxserve.transport.limits import TransportLimits

from .checks import contradictions
from .endpoint import parse_endpoint
from .options import LogOptions, ServerOptions
from .positions import line_of
from .schema import TABLES, Kind, Options, choices, describe, field_types, without_none

FILE_NAME: Final = "wxserve.toml"
_FILE_BYTES_MAX: Final = 1 << 20
Place = tuple[str, ...]
"""Table, then keys, outermost first."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an operator can set; each attribute is one table of the file."""

    server: ServerOptions = field(default_factory=ServerOptions)
    transport: TransportLimits = field(default_factory=TransportLimits)
    router: RouterLimits = field(default_factory=RouterLimits)
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    store: StoreLimits = field(default_factory=StoreLimits)
    log: LogOptions = field(default_factory=LogOptions)


class ConfigError(Exception):
    """The configuration is not usable.

    Attributes:
        problems: one line for each thing that is wrong, with its place.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; everything that is, is listed.
    """
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise ConfigError([f"{path}: larger than {_FILE_BYTES_MAX} bytes"])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    except UnicodeError as error:
        raise ConfigError([f"{path}: not UTF-8"]) from error
    return parse_config(text, str(path))


def parse_config(text: str, name: str = FILE_NAME) -> Config:
    """Read a configuration from a text; see ``load_config``.

    Raises:
        ConfigError: see ``load_config``.
    """
    try:
        tables = tomllib.loads(text)
    except ValueError as error:  # its message has line and column
        raise ConfigError([f"{name}: {error}"]) from error
    return _Reader(name, text).read(tables)


class _WrongError(Exception):
    """One value is wrong; reading goes on with the next."""


class _Reader:
    """Reads one file and gathers what is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text
        self._problems: list[str] = []

    def read(self, tables: Mapping[str, Any]) -> Config:
        rooms: dict[str, Any] = {}
        for table, content in tables.items():
            if table not in TABLES:
                self._note((table,), f"there is no table [{table}]{_suggest(table, TABLES)}")
            elif not isinstance(content, dict):
                self._note((table,), f"[{table}] is a table, not a value")
            else:
                rooms[table] = self._build((table,), TABLES[table](), content)
        config = Config(**rooms)
        for path, problem in _impossible(config):
            self._note(path, f"{_dotted(path)}: {problem}")
        if self._problems:
            raise ConfigError(self._problems)
        return config

    def _build(self, path: Place, default: Options, content: Mapping[str, object]) -> Options:
        """Return ``default`` with the fields that ``content`` gives."""
        cls = type(default)
        kinds = field_types(cls)
        values = {name: getattr(default, name) for name in kinds}
        for name, value in content.items():
            here = (*path, name)
            if name not in kinds:
                suggestion = _suggest(name, kinds) or _suggest_elsewhere(name)
                self._note(here, f"{_dotted(path)} has no option {name}{suggestion}")
                continue
            try:
                values[name] = self._value(here, kinds[name], values[name], value)
            except _WrongError as error:
                self._note(here, f"{_dotted(here)}: {error}")
        return cls(**values)

    def _value(self, path: Place, kind: Kind, default: object, value: object) -> object:
        inner, optional = without_none(kind)
        if optional and value is False:
            return None
        if is_dataclass(inner):
            if not isinstance(value, dict):
                _wrong(kind, value)
            if default is None:
                return self._build_whole(path, cast("type[Options]", inner), value)
            return self._build(path, cast("Options", default), value)
        allowed = choices(inner)
        if allowed and value not in allowed:
            _wrong(kind, value, _suggest(str(value), allowed))
        return value if allowed else _scalar(inner, default, value)

    def _build_whole(
        self, path: Place, cls: type[Options], content: Mapping[str, object]
    ) -> Options:
        """Build what has no default: every field must be given."""
        missing = [name for name in field_types(cls) if name not in content]
        if missing:
            raise _WrongError(f"needs {' and '.join(missing)} too")
        zeros = {name: kind(1) for name, kind in field_types(cls).items()}
        return self._build(path, cls(**zeros), content)

    def _note(self, path: Place, problem: str) -> None:
        line = line_of(self._text, path)
        place = f"{self._name}:{line}" if line else self._name
        self._problems.append(f"{place}: {problem}")


def _scalar(kind: Kind, default: object, value: object) -> object:
    """Return a single value of the right type and range."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        _wrong(kind, value)
    if isinstance(value, int | float) and kind is not bool:
        _check_range(default, value)
    return value


def _check_range(default: object, value: float) -> None:
    """Refuse a number that is not above zero; zero means "none" where it is the default.

    Raises:
        _WrongError: the number is out of range.
    """
    if default == 0 and not (isfinite(value) and value >= 0):
        raise _WrongError(f"must be at least 0, not {value:g}")
    if default != 0 and not (isfinite(value) and value > 0):
        raise _WrongError(f"must be above 0, not {value:g}")


def _wrong(kind: Kind, value: object, suggestion: str = "") -> NoReturn:
    shown = "a table" if isinstance(value, dict) else repr(value)
    raise _WrongError(f"must be {describe(kind)}, not {shown}{suggestion}")


def _impossible(config: Config) -> Iterator[tuple[Place, str]]:
    for name in ("listen", "advertise"):
        text = getattr(config.server, name)
        try:
            if text or name == "listen":
                parse_endpoint(text)
        except ValueError as error:
            yield ("server", name), str(error)
    yield from contradictions(config.transport, config.router)


def _suggest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _suggest_elsewhere(name: str) -> str:
    homes = [table for table, cls in TABLES.items() if name in field_types(cls)]
    return f"; it belongs in [{homes[0]}]" if homes else ""


def _dotted(path: Place) -> str:
    return f"[{path[0]}] {'.'.join(path[1:])}".rstrip()

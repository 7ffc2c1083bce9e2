"""Where the state of each account lives on this machine, and which one was used last."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from .complaints import WrongUsageError

FIRST_NAME: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_CARD: Final = "profile.json"
_LAST: Final = "last"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a profile without opening its state; no secret is in it.

    Attributes:
        address: of the account.
        name: of the account, as the server knows it.
        server: HOST:PORT.
        invite: which invite it joined with: the beginning of its SHA-256.
    """

    address: str
    name: str
    server: str
    invite: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One device of one account.

    Attributes:
        directory: the SDK's state, with the card beside it.
        last: the file that names the profile used last; None if this one is not to be found so.
    """

    directory: Path
    last: Path | None = None

    def read_card(self) -> Card | None:
        """Return the card, or None if the profile never joined."""
        try:
            fields = json.loads((self.directory / _CARD).read_text(encoding="utf-8"))
            return Card(**{name: str(fields[name]) for name in Card.__slots__})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_card(self, card: Card) -> None:
        """Keep the card, and be the profile that is used next without a name."""
        _replace(self.directory / _CARD, json.dumps(asdict(card), ensure_ascii=False, indent=1))
        if self.last is not None:
            _replace(self.last, self.directory.name)


def fingerprint(invite: str) -> str:
    """Return what a card keeps of an invite: enough to know it again, not to use it."""
    return sha256(invite.strip().encode()).hexdigest()[:16]


def home(environ: Mapping[str, str]) -> Path:
    """Return the directory of all profiles, by the XDG base directory specification."""
    base = environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "wx"


def find_profile(environ: Mapping[str, str], name: str | None, state: Path | None) -> Profile:
    """Return the profile that is meant.

    Args:
        environ: of the process.
        name: of the profile; None for the one used last.
        state: a directory that stands for itself, instead of a name.

    Raises:
        WrongUsageError: the name is none.
    """
    if state is not None:
        return Profile(state)
    root = home(environ)
    last = root / _LAST
    if name is None:
        name = _read_name(last) or FIRST_NAME
    elif not _NAME.fullmatch(name):
        raise WrongUsageError("a profile's name has letters, digits, _, - and . only")
    return Profile(root / name, last)


def _read_name(last: Path) -> str:
    try:
        name = last.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
    return name if _NAME.fullmatch(name) else ""


def _replace(path: Path, text: str) -> None:
    """Write a file as a whole: a kill leaves the old one or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)

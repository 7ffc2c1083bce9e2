"""What the proofs found: kept as lines of JSON, each with the code it was found with."""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
RECORD: Final = ROOT / "docs/reliability.jsonl"
PRODUCT: Final = ("src", "clients/python/src")
Line = dict[str, Any]
_SKIPPED: Final = re.compile(r"^SKIPPED \[\d+\] \S+: (.*)$", re.MULTILINE)


def code(root: Path = ROOT, folders: Sequence[str] = PRODUCT) -> str:
    """Return a name of the code as it lies there: results of other code are not mixed."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def commit(root: Path = ROOT) -> str:
    """Return the commit, with a plus where the product was changed since; "-" outside of git."""
    git = ["git", "-C", str(root)]
    head = subprocess.run(  # noqa: S603 - fixed words
        [*git, "rev-parse", "--short=12", "HEAD"], check=False, capture_output=True, text=True
    ).stdout.strip()
    changed = subprocess.run(  # noqa: S603 - fixed words
        [*git, "status", "--porcelain", *PRODUCT], check=False, capture_output=True, text=True
    ).stdout.strip()
    return f"{head}{'+' if changed else ''}" if head else "-"


def read(path: Path = RECORD) -> list[Line]:
    """Return every line that was kept, oldest first."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def skip_reason(output: str) -> str:
    """Return why pytest skipped all that it ran, empty if it ran anything."""
    counts = output.rstrip().rpartition("\n")[2]
    if " skipped" not in counts or " passed" in counts or " failed" in counts:
        return ""
    found = _SKIPPED.search(output)
    return found[1] if found else "skipped"


def keep(found: Iterable[Line], stamp: dict[str, str], path: Path = RECORD) -> None:
    """Append what a proof found, with the code that it judges: its folders', if it names any."""
    with path.open("a", encoding="utf-8") as record:
        for line in found:
            own = {"code": code(folders=line["folders"])} if "folders" in line else {}
            record.write(json.dumps({**line, **stamp, **own}, ensure_ascii=False) + "\n")

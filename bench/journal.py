"""What long runs have found so far: one JSON object a line, so that an interruption costs one row."""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from bench.rows import Row

ROOT: Final = Path(__file__).parents[1]
MEASURED: Final = ("src", "bench", "pyproject.toml")
"""What a figure depends on: documents may change without measuring again."""


@cache
def measured_revision() -> str:
    """Return the last commit that changed what is measured, with a mark if files differ from it."""
    git = ["git", "-C", str(ROOT)]
    last = _output([*git, "log", "-1", "--format=%h", "--", *MEASURED])
    changed = _output([*git, "status", "--porcelain", "--", *MEASURED])
    return f"{last or 'unknown'}{'-dirty' if changed else ''}"


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    except OSError:
        return ""
    return done.stdout.strip()


class Journal:
    """A file of rows. A row is found again by the fields that are given as its key."""

    def __init__(self, path: Path) -> None:
        """Read what is there. A last line that was cut off is dropped.

        Args:
            path: the file; made with the first row.
        """
        self.path = path
        self.rows: list[Row] = []
        if not path.exists():
            return
        text = path.read_text()
        whole = text[: text.rfind("\n") + 1]
        self.rows = [json.loads(line) for line in whole.splitlines()]
        if len(whole) < len(text):
            path.write_text(whole)

    def find(self, **key: object) -> list[Row]:
        """Return the rows whose fields have these values."""
        return [row for row in self.rows if all(row.get(name) == key[name] for name in key)]

    def add(self, row: Row) -> None:
        """Write a row, so that it is there whatever happens next."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)

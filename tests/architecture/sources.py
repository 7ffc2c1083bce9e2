"""The files of the project, as the checks of this folder read them."""

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("src/", "clients/python/src/")
TESTS = ("tests/", "clients/python/tests/")
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """One text file."""

    path: str
    """Relative to the root of the project, with forward slashes."""
    text: str

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def is_product(self) -> bool:
        return self.path.startswith(PRODUCT)

    @property
    def is_test(self) -> bool:
        return self.path.startswith(TESTS)

    @property
    def tree(self) -> ast.Module:
        return _parse(self.text)


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def sources() -> tuple[Source, ...]:
    """Return every text file that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found: list[Source] = []
    for name in sorted(set(listed.stdout.split("\0")) - {""}):
        path = ROOT / name
        if not path.is_file():
            continue
        try:
            found.append(Source(name, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # an image, a corpus of bytes
    return tuple(found)


def product_files() -> tuple[Source, ...]:
    """Return the modules of both distributions."""
    return tuple(source for source in sources() if source.is_product and source.is_python)

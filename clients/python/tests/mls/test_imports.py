"""What the engine imports: itself, ``cryptography``, and the parts of Python that do no I/O."""

import ast
from pathlib import Path

import pytest

from wxclient import mls

FOLDER = Path(mls.__file__).parent
ALLOWED = frozenset({
    "abc",
    "collections",
    "cryptography",
    "dataclasses",
    "enum",
    "functools",
    "struct",
    "typing",
})
RUNNER = frozenset({"argparse", "json", "pathlib", "sys"})  # only ``vectors``, which is a program


def imported(path: Path) -> set[str]:
    """Return the top packages that a module imports; the engine itself counts as nothing."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            found.add(node.module or "")
    own = {name for name in found if name == "wxclient.mls" or name.startswith("wxclient.mls.")}
    return {name.partition(".")[0] for name in found - own}


MODULES = sorted(FOLDER.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_module_imports_only_what_does_no_io(path: Path) -> None:
    allowed = ALLOWED | RUNNER if path.parent.name == "vectors" else ALLOWED
    assert imported(path) <= allowed


def test_engine_has_modules() -> None:
    assert len(MODULES) > 30

"""The import contracts of pyproject.toml hold, and each of them can break."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

PYPROJECT = ROOT / "pyproject.toml"
INDEPENDENCE = "Feature plugins do not know each other"

# The smallest project that keeps every contract: what each module imports.
SKELETON = {
    "wxserve/__init__.py": "",
    "wxserve/__main__.py": "import wxserve.app.cli",
    "wxserve/app/__init__.py": "",
    "wxserve/app/cli.py": "import wxserve.transport",
    "wxserve/plugins/__init__.py": "",
    "wxserve/protocol/__init__.py": "",
    "wxserve/router/__init__.py": "import wxserve.store",
    "wxserve/store/__init__.py": "import aiosqlite, sqlite3, trio_asyncio, wxserve.protocol",
    "wxserve/testing/__init__.py": "",
    "wxserve/transport/__init__.py": "import wxserve.router",
    "wxclient/__init__.py": "",
    "wxclient/core/__init__.py": "import wxclient._protocol",
    "wxclient/_protocol/__init__.py": "",
    "wxclient/mls/__init__.py": "import cryptography",
    "wxclient/state/__init__.py": "",
    "wxclient/shell.py": "import anyio, wxclient.core",
    "wxclient/terminal/__init__.py": "",
    "wxclient/terminal/model.py": "import wxclient.shell",
    "wxclient/terminal/views.py": "import textual, wxclient.terminal.model",
}

# For every contract by its name, one import that it forbids.
VIOLATIONS = {
    "Rooms: imports point down the ladder": ("wxserve/store/bad.py", "import wxserve.router"),
    "The protocol room is sans-I/O": ("wxserve/protocol/bad.py", "import trio"),
    "The transport reaches the store through the router only": (
        "wxserve/transport/bad.py",
        "import wxserve.store",
    ),
    "Only the store touches the database driver and its bridge": (
        "wxserve/app/bad.py",
        "import aiosqlite",
    ),
    "Only the store knows SQL": ("wxserve/router/bad.py", "import sqlite3"),
    "The client's core is sans-I/O": ("wxclient/core/bad.py", "import anyio"),
    "The MLS engine is sans-I/O": ("wxclient/mls/bad.py", "import os"),
    "The MLS engine knows nothing of the rest of the client SDK": (
        "wxclient/mls/bad.py",
        "import wxclient.core",
    ),
    "The client SDK never imports the server": ("wxclient/bad.py", "import wxserve.protocol"),
    "Only the views of the terminal client touch textual": (
        "wxclient/terminal/bad.py",
        "import textual",
    ),
    "No cycles between siblings": ("wxclient/core/__init__.py", "import wxclient.shell"),
}


def contracts() -> list[dict[str, object]]:
    settings = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]
    found: list[dict[str, object]] = settings["contracts"]
    return found


def lint(project: Path, *roots: Path) -> tuple[int, str]:
    """Run import-linter in a project; return its status and what it printed."""
    command = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots)), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def lay_out(project: Path, modules: dict[str, str]) -> Path:
    (project / "pyproject.toml").write_text(PYPROJECT.read_text())
    for name, text in modules.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return project


def plugin_folders(plugins: Path) -> set[str]:
    """Return the feature plugins: every package here but the platform (``_host``)."""
    return {path.parent.name for path in plugins.glob("[!_]*/__init__.py")}


def plugins_kept_apart() -> set[str]:
    named = [one["modules"] for one in contracts() if one["name"] == INDEPENDENCE]
    return {str(module).rpartition(".")[2] for modules in named for module in _listed(modules)}


def _listed(modules: object) -> list[object]:
    return modules if isinstance(modules, list) else []


def test_contracts_hold_in_the_project() -> None:
    status, printed = lint(ROOT, ROOT / "src", ROOT / "clients/python/src")
    assert status == 0, printed


def test_contracts_hold_in_the_skeleton(tmp_path: Path) -> None:
    status, printed = lint(lay_out(tmp_path, SKELETON), tmp_path)
    assert status == 0, printed


@pytest.mark.parametrize("name", [str(contract["name"]) for contract in contracts()])
def test_contract_with_one_violation_breaks(name: str, tmp_path: Path) -> None:
    path, statement = VIOLATIONS[name]
    modules = SKELETON | {path: statement}
    status, printed = lint(lay_out(tmp_path, modules), tmp_path)
    assert status == 1, printed
    assert f"{name} BROKEN" in printed


def test_folder_without_a_floor_breaks_the_ladder(tmp_path: Path) -> None:
    modules = SKELETON | {"wxserve/cellar/__init__.py": ""}
    status, printed = lint(lay_out(tmp_path, modules), tmp_path)
    assert status == 1, printed
    assert "wxserve.cellar" in printed


def test_every_feature_plugin_is_kept_apart() -> None:
    assert plugin_folders(ROOT / "src/wxserve/plugins") == plugins_kept_apart()


def test_plugin_folders_are_found(tmp_path: Path) -> None:
    for name in ("moments", "_host"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "notes").mkdir()
    assert plugin_folders(tmp_path) == {"moments"}

"""The two distributions agree with each other and with their folders."""

import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import wxserve
from tests.architecture.sources import ROOT

CLIENT = ROOT / "clients/python"


def project_of(folder: Path) -> dict[str, object]:
    table: dict[str, object] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def test_versions_of_server_and_client_are_the_same() -> None:
    assert project_of(CLIENT)["version"] == wxserve.__version__


def test_licence_of_both_is_the_same() -> None:
    assert project_of(ROOT)["license"] == project_of(CLIENT)["license"]


def test_oldest_python_of_both_is_the_same() -> None:
    assert str(project_of(ROOT)["requires-python"]).split(",")[0] == ">=3.11"
    assert project_of(CLIENT)["requires-python"] == ">=3.11"


def test_shared_requirements_of_both_are_the_same() -> None:
    ours, theirs = (
        {str(one).split(">")[0]: one for one in requirements}
        for requirements in (_listed(ROOT), _listed(CLIENT))
    )
    shared = ours.keys() & theirs.keys()
    assert shared == {"msgpack", "cryptography"}
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def _listed(folder: Path) -> list[object]:
    requirements = project_of(folder)["dependencies"]
    return requirements if isinstance(requirements, list) else []


def test_licence_files_are_the_same() -> None:
    # A copy, not a link: an archive must not hold a link that leads out of it.
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert not (CLIENT / "LICENSE").is_symlink()


def test_client_shares_the_protocol_room_by_a_relative_link() -> None:
    link = CLIENT / "src/wxclient/_protocol"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT / "src/wxserve/protocol"


def test_the_link_is_the_build_hooks_and_not_kept() -> None:
    # Not every way to hand on a source tree keeps links.
    kept = subprocess.run(
        ["git", "ls-files", "--stage"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert not [line for line in kept.splitlines() if line.startswith("120000")]


@pytest.mark.parametrize("before", ["nothing", "a file", "a broken link"])
def test_build_hook_makes_the_link(tmp_path: Path, before: str) -> None:
    room = tmp_path / "src/wxserve/protocol"
    room.mkdir(parents=True)
    link = tmp_path / "clients/python/src/wxclient/_protocol"
    link.parent.mkdir(parents=True)
    if before == "a file":
        link.write_text("../../../../src/wxserve/protocol")
    elif before == "a broken link":
        link.symlink_to("nowhere")
    for _ in range(2):
        _run_build_hook(tmp_path / "clients/python")
        assert link.is_symlink()
        assert link.resolve() == room


def test_build_hook_leaves_the_files_of_an_sdist(tmp_path: Path) -> None:
    files = tmp_path / "src/wxclient/_protocol"
    files.mkdir(parents=True)
    _run_build_hook(tmp_path)
    assert not files.is_symlink()


def test_build_hook_refuses_half_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "src/wxclient").mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        _run_build_hook(tmp_path)


def _run_build_hook(project: Path) -> None:
    """Run the hook on `project` as hatchling does, which is no requirement of the tests."""
    stand_in = SimpleNamespace(BuildHookInterface=object)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "hatchling.builders.hooks.plugin.interface", stand_in)
        hook = runpy.run_path(str(CLIENT / "hatch_build.py"))["ProtocolRoom"]()
    hook.root = project
    hook.initialize("editable", {})


def test_both_packages_are_marked_as_typed() -> None:
    assert (ROOT / "src/wxserve/py.typed").is_file()
    assert (CLIENT / "src/wxclient/py.typed").is_file()

"""The two distributions agree with each other and with their folders."""

import tomllib
from pathlib import Path

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


def test_both_packages_are_marked_as_typed() -> None:
    assert (ROOT / "src/wxserve/py.typed").is_file()
    assert (CLIENT / "src/wxclient/py.typed").is_file()

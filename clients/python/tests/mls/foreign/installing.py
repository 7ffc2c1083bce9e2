"""The foreign engines, installed on demand below ``.cache``; without a registry their tests skip."""

import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
CACHE = Path(__file__).parents[5] / ".cache" / "foreign-engines"
INSTALLING_SECONDS_MAX = 120
FORGED = ("EINTEGRITY", "DO NOT MATCH THE HASHES")
"""What npm and pip say of an archive that is not the pinned one: no reason to skip."""


def ts_mls() -> list[str]:
    """Return the command that starts ts-mls, or skip the test."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        skip("ts-mls", "node and npm are not here")
    source = HERE / "ts_mls"
    # The program too: node looks for its packages beside it.
    manifests = ("package.json", "package-lock.json", "engine.mjs")
    quiet = ("--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000")
    command = (npm, "ci", "--ignore-scripts", "--engine-strict", *quiet)
    folder = installed("ts-mls", [source / name for name in manifests], command)
    return [node, str(folder / "engine.mjs")]


def agentvault() -> list[str]:
    """Return the command that starts agentvault-mls-rs-uniffi, or skip the test.

    A folder of its own and ``-I -S`` keep our environment out; one wheel fits every Python.
    """
    source = HERE / "agentvault"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    safe = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--retries=1", "--timeout=20")
    command = (*pip, *safe, "--target=.", "--requirement=requirements.txt")
    folder = installed("agentvault-mls-rs-uniffi", [source / "requirements.txt"], command)
    return [sys.executable, "-I", "-S", str(source / "engine.py"), str(folder)]


def installed(name: str, manifests: Sequence[Path], command: Sequence[str]) -> Path:
    """Return the folder with what the manifests pin; install it if it is not there."""
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in manifests)).hexdigest()
    folder = CACHE / f"{name}-{digest[:16]}"
    failure = None if folder.is_dir() else install(folder, tuple(manifests), tuple(command))
    if failure is not None:
        assert not any(mark in failure for mark in FORGED), failure
        skip(name, telling(failure))
    return folder


@functools.cache
def install(folder: Path, manifests: tuple[Path, ...], command: tuple[str, ...]) -> str | None:
    """Install once per run; return what went wrong. The folder appears when it is complete."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        working = Path(made) / folder.name
        working.mkdir()
        for one in manifests:
            shutil.copy(one, working)
        try:
            done = subprocess.run(
                command,
                cwd=working,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=INSTALLING_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"it took longer than {INSTALLING_SECONDS_MAX} s"
        if done.returncode != 0:
            return done.stderr + done.stdout
        if not folder.is_dir():  # another run may have been faster
            working.rename(folder)
    return None


def telling(output: str) -> str:
    """Return the lines of an installer's output that say what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    codes = [line for line in lines if line.startswith(("npm error code", "ERROR:"))]
    return "; ".join(codes or lines[-1:])[:300] or "it failed silently"


def skip(name: str, reason: str) -> NoReturn:
    """Skip, and say in the summary what was not proved."""
    pytest.skip(f"INTEROPERABILITY NOT PROVED: {name} is missing: {reason}")

"""The compiled half of the codec touches no memory but its own: the sanitizers of the compiler watch."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

SOURCE = ROOT / "src/wxserve/protocol/_rows.c"
RUN = """
import importlib.util, sys
import pytest
import wxserve.protocol
name = "wxserve.protocol._rows"
spec = importlib.util.spec_from_file_location(name, sys.argv[1])
sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[name])
from wxserve.protocol import rows
assert rows.Shape.read.__objclass__ is sys.modules[name].Shape
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:randomly", *sys.argv[2:]]))
"""
"""Runs tests on the module that lies where the first argument says."""


def runtime(compiler: str) -> str:
    """Return the library of AddressSanitizer, empty if there is none."""
    done = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False
    )
    path = done.stdout.strip()
    return path if Path(path).is_absolute() else ""


@pytest.mark.slow
def test_compiled_codec_keeps_to_its_memory(tmp_path: Path) -> None:
    compiler, headers = shutil.which("gcc"), Path(sysconfig.get_path("include"))
    if compiler is None or not (headers / "Python.h").exists() or not runtime(compiler):
        pytest.skip("needs gcc with AddressSanitizer, and Python's headers")
    module = tmp_path / "_rows.so"
    subprocess.run(
        [compiler, "-g", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror",
         "-Wno-missing-field-initializers", "-Wno-cast-function-type",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
         f"-I{headers}", str(SOURCE), "-o", str(module)],
        check=True,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(module), "tests/property/test_rows.py",
         "tests/fuzz/test_fuzz.py", "-k", "test_rows or mutated"],
        cwd=ROOT,
        env=os.environ | {
            "LD_PRELOAD": runtime(compiler), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc",
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout

"""Makes every file that is derived from the error table and the code of the protocol room.

Run `python tools/generate.py` after a change there; with `--check` it writes nothing and fails if
a generated file is out of step.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]  # so that it runs where nothing is installed


STAGES = ("errors", "vector_files", "reference", "options", "reliability")
"""Modules of tools/generators, in order: one may import what an earlier one wrote."""


def generated(stage: str) -> dict[Path, str]:
    """Return the files of a stage with their texts."""
    files: dict[Path, str] = import_module(f"tools.generators.{stage}").files()
    return files


def main() -> int:
    """Return the status for the shell, after writing or checking the generated files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    for stage in STAGES:
        stale = {path: text for path, text in generated(stage).items() if _differs(path, text)}
        for path, text in stale.items():
            name = path.relative_to(ROOT)
            if check:
                sys.stderr.write(f"out of step: {name} (run `make generate`)\n")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                sys.stderr.write(f"written: {name}\n")
        if check and stale:
            return 1
    return 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    raise SystemExit(main())

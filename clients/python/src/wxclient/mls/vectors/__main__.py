"""Runs official test vectors of MLS: one line per file; fails unless every file succeeds."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .running import Report, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the files, print a line for each, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m wxclient.mls.vectors", description=__doc__)
    parser.add_argument("paths", nargs="+", metavar="FILE", help="a file of vectors, of any kind")
    succeeded = True
    for path in parser.parse_args(arguments).paths:
        try:
            report = run(path, Path(path).read_bytes())
        except OSError as error:
            report = Report(path, failures=[f"cannot be read: {error.strerror}"])
        sys.stdout.write(report.line() + "\n")
        sys.stdout.flush()
        succeeded = succeeded and report.is_success
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())

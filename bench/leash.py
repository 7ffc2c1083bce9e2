"""Runs a command that must not outlive its parent: ``python -m bench.leash PARENT COMMAND …``."""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Ask the kernel for SIGKILL at the parent's death, then become the command.

    The wish survives the exec. A parent that died before it was made is seen by its number.
    """
    parent = int(sys.argv[1])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - to become it is the point


if __name__ == "__main__":
    main()

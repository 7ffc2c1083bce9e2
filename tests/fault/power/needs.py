"""What the fault tests need of a machine; where it is missing they are skipped, and say so."""

import shutil
import sys
from typing import Final

import pytest

NEEDS_COMPILER: Final = pytest.mark.skipif(
    shutil.which("cc") is None or not sys.platform.startswith("linux"),
    reason="NOT TRIED: the disk that fails is built with the system's C compiler (cc), for Linux",
)

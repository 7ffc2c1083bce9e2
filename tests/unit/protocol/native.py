"""What is asked of the compiled half of the codec only where there is one."""

import pytest

from wxserve.protocol.rows import COMPILED

compiled_only = pytest.mark.skipif(
    not COMPILED, reason="no compiled codec: there was no C compiler, or no headers of Python"
)

"""Settings of every test of both distributions."""

import os
import sys

from hypothesis import settings

# WXSERVE_PLAIN=1 leaves out the compiled half of the codec, as if it could not be built.
if "WXSERVE_PLAIN" in os.environ:
    for name in ("wxserve.protocol._rows", "wxclient._protocol._rows"):
        sys.modules[name] = None  # type: ignore[assignment]

# No test fails by the wall clock, and a failing example prints how to replay it. Where CI is set,
# Hypothesis has a profile of its own that says the same and draws the same examples every time.
settings.register_profile("desk", deadline=None, print_blob=True)
if "CI" not in os.environ:
    settings.load_profile("desk")

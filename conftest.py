"""Settings of every test of both distributions."""

import os

from hypothesis import settings

# No test fails by the wall clock, and a failing example prints how to replay it. Where CI is set,
# Hypothesis has a profile of its own that says the same and draws the same examples every time.
settings.register_profile("desk", deadline=None, print_blob=True)
if "CI" not in os.environ:
    settings.load_profile("desk")

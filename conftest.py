"""Lets pytest run the fences of the pages: see tests/docs/harness."""

import gc

pytest_plugins = ["pytester", "tests.docs.harness.plugin"]
# Networks on the meta device are small objects, and many. At Python's 700 every seventh second of
# their tests went into the search for garbage.
gc.set_threshold(10_000)

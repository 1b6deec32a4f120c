"""Lets pytest run the fences of the pages: see tests/docs/harness."""

pytest_plugins = ["pytester", "tests.docs.harness.plugin"]

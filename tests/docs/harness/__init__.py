"""Runs every code fence of every page, and compares what it prints with what the page says.

The way of a fence: `fences` finds it, `grammar` reads its info line and pairs it with its output
block, `run` runs it, `compare` compares, `page` keeps the results of one page. `plugin` hands
pages to pytest through sybil, `accept` rewrites output blocks, `verified` keeps
docs/verified.json, `html` counts what the built site shows. CONTRIBUTING.md tells the rules to
authors.
"""

from tests.docs.harness.grammar import covered_fences

__all__ = ["covered_fences"]

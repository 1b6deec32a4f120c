"""Runs every code fence of every page, and compares what it prints with what the page says.

The way of a fence: `lineage_site.mkdocs.before_fences` finds it, for the site as for the tests,
`grammar` says whether it may stand so and pairs it with its output block, `run` runs it, `compare`
compares, `page` keeps the results of one page. `plugin` hands pages to pytest through sybil,
`accept` rewrites output blocks, `verified` keeps docs/verified.json, `html` counts what the built
site shows. CONTRIBUTING.md tells the rules to authors.
"""

from tests.docs.harness.grammar import covered_fences

__all__ = ["covered_fences"]

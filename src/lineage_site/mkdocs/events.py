"""The version that the pages show, and what a versioned deployment adds.

A hook of mkdocs. The version is the installed package's. `mike` builds each version with
MIKE_DOCS_VERSION set: only then do the pages get Material's list of versions, which asks for
versions.json, a file that a plain build does not have.
"""

import importlib.metadata
import os

from mkdocs.config.defaults import MkDocsConfig


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.extra["release"] = importlib.metadata.version("lineage-lab")
    if os.environ.get("MIKE_DOCS_VERSION"):
        config.extra["version"] = {"provider": "mike", "default": "latest"}
        if config.site_url and not config.site_url.endswith("/"):
            config.site_url += "/"  # mike leaves it out, and the addresses are joined to it
    return config
